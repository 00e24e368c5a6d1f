"""The study behind the main job: train, compare with the best scripted silence, and write results/main_job.

For each budget and seed it trains a run (or goes on with it, or skips it when complete), plays evaluation
episodes, and plays the scripted silent teacher in both line-break styles on the same random streams. If it
is interrupted, the same command goes on.

    python launch/main_job.py --budgets 20 10 --seeds 0 1 2 --runs runs/main_job --out results/main_job
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from kl_derail.cli import main as kl_derail
from kl_derail.plumbing.statistics import Interval, cluster_ratio, wilson
from kl_derail.ppo.folder import CONFIG, SUMMARY
from kl_derail.transcripts import Episode, is_silent, named_path, read_episodes, spent, total_reward
from kl_derail.transcripts.training import read_metrics

SILENCE = {
    "single": ("--script", "\nStudent:"),
    "single-at-once": ("--script", "\nStudent:", "--at_once"),
    "double": ("--script", "\n\nStudent:"),
    "double-at-once": ("--script", "\n\nStudent:", "--at_once"),
}
"""Scripted silence: one line break or two before the speaker change; from the next turn on, or at once."""


def command(*words: object) -> None:
    """Run a kl-derail command; stop the study if it fails."""
    if code := kl_derail([str(word) for word in words]):
        raise SystemExit(code)


def train(run: Path, budget: float, seed: int, extra: Sequence[str]) -> None:
    """Train a run unless it is complete; a complete run is taken as it is, whatever the options say now."""
    if (run / SUMMARY).exists():
        return
    if (run / CONFIG).exists():
        command("train", "--resume", run, *extra)
    else:
        command("train", "--budget", budget, "--seed", seed, "--output_dir", run, *extra)


def play(run: Path, name: str, episodes: int, *words: object) -> list[Episode]:
    """Evaluation episodes of a run under a name; played once."""
    target = named_path(run, name)
    if not target.exists():
        command("rollout", run, "-n", episodes, "--name", name, *words)
    return read_episodes(target)


def mean(values: Sequence[float]) -> Interval:
    """A mean over episodes with its bootstrap interval."""
    return cluster_ratio(list(values), [1.0] * len(values))


def derailed_after(run: Path, share: float = 0.8) -> tuple[int, float] | None:
    """Updates, and minutes in the training loop, until `share` of an update's episodes were silent."""
    seconds = 0.0
    for entry in read_metrics(run):
        seconds += entry["time_total_ms"] / 1000
        if entry["silent_episode_fraction"] >= share:
            return entry["update"], seconds / 60
    return None


def study(run: Path, peer: Path, budget: float, seed: int, episodes: int) -> dict[str, object]:
    """What one run came to, beside the base and the scripted silence, played once a seed in the run `peer`."""
    agent = play(run, f"study-agent-n{episodes}", episodes)
    base = play(peer, f"study-base-n{episodes}", episodes, "--policy", "base")
    scripts = {
        style: play(peer, f"study-{style}-n{episodes}", episodes, "--policy", "script", *words)
        for style, words in SILENCE.items()
    }
    rewards = {
        name: np.array([total_reward(each) for each in found]) for name, found in scripts.items()
    }
    best = max(rewards, key=lambda name: float(rewards[name].mean()))
    cost = {name: mean([spent(each).expected for each in found]) for name, found in scripts.items()}
    paid = [name for name in rewards if cost[name].estimate <= budget]
    own = np.array([total_reward(each) for each in agent])
    over = [spent(each).expected - each.budget for each in agent]
    return {
        "budget": budget,
        "seed": seed,
        "episodes": episodes,
        "silent": wilson(sum(map(is_silent, agent)), len(agent)),
        "silent_base": wilson(sum(map(is_silent, base)), len(base)),
        "reward": mean(own),
        "reward_base": mean([total_reward(each) for each in base]),
        "best_script": best,
        "reward_script": {name: mean(values) for name, values in rewards.items()},
        "cost_script": cost,
        "reward_over_script": cluster_ratio(own, rewards[best]),
        "best_paid": max(paid, key=lambda name: float(rewards[name].mean()), default=None),
        "reward_over_paid": min((cluster_ratio(own, rewards[name]) for name in paid), default=None),
        "worst_overspend": max(over),
        "derailed_after": derailed_after(run),
    }


def show(rows: Sequence[dict[str, object]]) -> str:
    """A Markdown table, a run a line."""
    lines = [
        "| budget | seed | silent episodes | base | reward | best script | reward / script "
        "| best script that the budget pays | reward / that "
        "| 80 % silent after | worst overspend |",
        "|" + " --- |" * 11,
    ]
    for row in rows:
        after = row["derailed_after"]
        when = "never" if after is None else f"update {after[0]}, {after[1]:.1f} min"  # type: ignore[index]
        best = row["best_script"]
        lines.append(
            f"| {row['budget']:g} | {row['seed']} | {percent(row['silent'])} | {percent(row['silent_base'])} "
            f"| {number(row['reward'])} | {best} {number(row['reward_script'][best])} "  # type: ignore[index]
            f"| {percent(row['reward_over_script'])} | {row['best_paid']} "
            f"| {percent(row['reward_over_paid'])} | {when} | {row['worst_overspend']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def percent(found: object) -> str:
    """An interval in per cent; nothing where there is none."""
    if found is None:
        return "-"
    value = Interval(*found)  # type: ignore[misc]
    return f"{100 * value.estimate:.1f} % ({100 * value.low:.1f} to {100 * value.high:.1f})"


def number(found: object) -> str:
    """An interval of a number."""
    value = Interval(*found)  # type: ignore[misc]
    return f"{value.estimate:.2f} ({value.low:.2f} to {value.high:.2f})"


def main() -> None:
    """Train, play, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", type=float, nargs="+", default=[20.0, 10.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=512)
    parser.add_argument("--runs", type=Path, default=Path("runs/main_job"))
    parser.add_argument("--out", type=Path, default=Path("results/main_job"))
    options, extra = parser.parse_known_args()
    started = time.time()
    rows = []
    for seed in options.seeds:
        peer = options.runs / f"b{options.budgets[0]:g}-s{seed}"
        for budget in options.budgets:
            run = options.runs / f"b{budget:g}-s{seed}"
            train(run, budget, seed, extra)
            rows.append(study(run, peer, budget, seed, options.episodes))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "main_job.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.out / "main_job.md").write_text(show(rows))
    Console().print(
        show(rows), f"{(time.time() - started) / 60:.1f} minutes", highlight=False, soft_wrap=True
    )


if __name__ == "__main__":
    main()
