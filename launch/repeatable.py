"""The study behind "to the bit": equal seeds give equal runs, and killed runs go on as if nothing had happened.

Trains the same run twice, and once more for every update at which it can be killed (SIGKILL as soon as that update is
in the log, then --resume), and compares every value that they have written.

    python launch/repeatable.py --updates 6 --out results/repeatable
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from kl_derail.plumbing.markdown import table
from kl_derail.ppo.compare import differences
from kl_derail.ppo.folder import RunFolder


def command(*words: object) -> list[str]:
    """A kl-derail command line of its own process."""
    return [sys.executable, "-m", "kl_derail.cli", *map(str, words)]


def train(words: Sequence[object]) -> None:
    """Train to the end."""
    subprocess.run(command("train", *words), check=True, capture_output=True)


def train_and_kill(words: Sequence[object], run: Path, update: int) -> int:
    """Kill a run once `update` stands in its log; returns how many updates stood there when it was dead."""
    with subprocess.Popen(
        command("train", *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and len(RunFolder(run).read_metrics()) < update:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    return len(RunFolder(run).read_metrics())


def study(folder: Path, updates: int, extra: Sequence[str]) -> list[dict[str, object]]:
    """All runs, compared with the first."""
    fixed = ("--max_updates", updates, "--checkpoint_every", 1, "--transcripts_every", 1, *extra)
    whole, again = folder / "whole", folder / "again"
    for run in (whole, again):
        train(["--output_dir", run, *fixed])
    rows = [{"run": "the same seed again", "differences": differences(whole, again)}]
    for update in track(range(1, updates), description="kills", console=Console(stderr=True)):
        run = folder / f"killed-{update}"
        found = train_and_kill(["--output_dir", run, *fixed], run, update)
        train(["--resume", run])
        rows.append(
            {"run": f"killed after update {found}, resumed", "differences": differences(whole, run)}
        )
    return rows


def show(rows: Sequence[dict[str, object]]) -> str:
    """A Markdown table, a run a line."""
    cells = [(str(row["run"]), str(len(row["differences"]))) for row in rows]  # type: ignore[arg-type]
    return table(("run", "values that differ"), cells) + "\n"


def main() -> int:
    """Train, kill, compare, write; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("results/repeatable"))
    options, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = study(Path(folder), options.updates, extra)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "repeatable.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.out / "repeatable.md").write_text(show(rows))
    print(show(rows))
    return int(any(row["differences"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
