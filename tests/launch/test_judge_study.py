"""What the study's script asks `kl-derail judge` for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kl_derail.config import parse
from kl_derail.judge.command import LISTS, joined
from kl_derail.judge.judges import QUALITIES
from kl_derail.judge.options import EndpointOptions, JudgeOptions

ROOT = Path(__file__).parents[2]


def options_of(folder: Path, *words: str, **environment: str) -> JudgeOptions:
    """The options that the script passes on, as the command reads them."""
    stand_in = folder / "kl-derail"
    stand_in.write_text("#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n")
    stand_in.chmod(0o755)
    found = subprocess.run(
        ["sh", str(ROOT / "launch" / "judge_study.sh"), *words],
        cwd=folder,
        env={**os.environ, "KL_DERAIL": str(stand_in), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    command, flag, config, *rest = found.stdout.split("\0")[:-1]
    assert (command, flag) == ("judge", "--config")
    rest = ["--config", str(ROOT / config), *rest]
    options, _ = parse((JudgeOptions, EndpointOptions), joined(rest, LISTS), command="judge")
    return options


def test_the_known_judge_is_asked_what_it_knows(tmp_path: Path) -> None:
    options = options_of(tmp_path)
    assert (options.judge, options.quality, options.truth) == ("trusted", ["better"], None)
    assert (options.pairs, options.out) == (256, Path("results/judge/trusted"))
    assert options.label == ["10 nats vs base", "20 nats vs base", "20 nats vs 10 nats"]
    sides = [(a.parts[-3:], Path(b).parts[-3:]) for a, b in zip(options.a, options.b, strict=True)]
    ten, twenty = ("derails-0-b10-s0", "transcripts"), ("derails-0-b20-s0", "transcripts")
    assert sides == [
        ((*ten, "agent-256.parquet"), (*twenty, "base-256.parquet")),
        ((*twenty, "agent-256.parquet"), (*twenty, "base-256.parquet")),
        ((*twenty, "agent-256.parquet"), (*ten, "agent-256.parquet")),
    ]


def test_any_other_judge_is_held_against_it(tmp_path: Path) -> None:
    more = {"JUDGE": "api", "PAIRS": "300", "AGENT": "judge", "TEN": "a run", "OUT": "some where"}
    options = options_of(tmp_path, "--repeats", "2", **more)
    assert (options.judge, options.truth, options.repeats) == ("api", "trusted", 2)
    assert options.quality == list(QUALITIES)
    assert (options.pairs, options.out) == (300, Path("some where"))
    assert options.a[0] == Path("a run/transcripts/judge.parquet")
