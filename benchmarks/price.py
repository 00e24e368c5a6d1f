"""Pricing against the base's own rollout of the same chats, side by side in one process.

The rollout is what pricing cannot do without: the base talks for both speakers, one forward pass a step.
Pricing adds the script, the transcripts, the reward and the sums; it is timed for one behaviour, with its
prices at both lengths. Event costs are timed apart, as a share of the same rollout. Seconds are
those of the processor (one thread), and repeats alternate, so that a noisy machine hits all alike.

    python benchmarks/price.py --out results/benchmarks
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from rich.console import Console
from rich.table import Table

from kl_derail.chat import BasePolicy, Draw, Stage, rollout
from kl_derail.pricing import Plays, behaviour, price_behaviour, turn_events
from kl_derail.reward import ReplyScorer
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions, build_reward, build_stage

LENGTHS = (256, 512)


def seconds(work: Callable[[], object]) -> float:
    """How long one core works on it, whatever else the machine does."""
    start = time.process_time()
    work()
    return time.process_time() - start


def one_repeat(stage: Stage, scorer: ReplyScorer, chats: int) -> dict[str, float]:
    """Seconds of the rollout and of everything held against it."""
    plays = Plays(chats, chats)

    def price(name: str) -> Callable[[], object]:
        return lambda: price_behaviour(
            stage, behaviour(name), name, "double", LENGTHS, scorer, plays
        )

    scorer.restore({})
    taken = {
        "rollout": seconds(lambda: rollout(stage, BasePolicy(), Draw(0, -1, range(chats), 0.0)))
    }
    taken["price of silence"] = seconds(price("silent"))
    taken["price of copying"] = seconds(price("copy"))
    short = price_behaviour(stage, behaviour("silent"), "silent", "double", [160], scorer, Plays(4))
    taken["8 event costs"] = seconds(lambda: turn_events(stage, short.episodes, [1, 2]))
    return taken


def run(chats: int, repeats: int) -> dict[str, object]:
    """Medians and quartiles of the ratios, after one repeat to warm up."""
    torch.set_num_threads(1)
    stage = build_stage(BaseOptions(), SceneOptions(length=max(LENGTHS)), feature_layers=1)
    scorer = build_reward(RewardOptions(), torch.device("cpu"))
    one_repeat(stage, scorer, 4)
    found = [one_repeat(stage, scorer, chats) for _ in range(repeats)]
    ratios = {
        name: [each[name] / each["rollout"] for each in found]
        for name in found[0]
        if name != "rollout"
    }
    return {
        "chats": chats,
        "length": max(LENGTHS),
        "repeats": repeats,
        "machine": platform.machine(),
        "threads": 1,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "rollout_seconds": statistics.median(each["rollout"] for each in found),
        "over_rollout": {name: _spread(values) for name, values in ratios.items()},
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def show(results: dict[str, object]) -> Table:
    """The ratios, which are what counts."""
    table = Table("seconds over those of the base's own rollout", "median", "least", "most")
    for name, found in results["over_rollout"].items():  # type: ignore[attr-defined]
        table.add_row(name, *(f"{found[key]:.2f}" for key in ("median", "least", "most")))
    return table


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for price.json")
    options = parser.parse_args()
    results = run(options.chats, options.repeats)
    Console().print(show(results))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "price.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
