"""The study behind the embedded world: build bases, price them, train agents on them, write results/embedded_world.

Bases are built for each variant and seed; agents are trained on each of them for each budget and each of their own
seeds (on the control only for the largest budget), and played at 256 and 512 tokens. With `--ablation` small bases are
built instead, each on a corpus with one feature changed. What is there already is taken as it is, so an interrupted
study goes on with the same command; `--collect` makes the tables of whatever is complete.

    python launch/embedded_world.py --seeds 0 1 2 --agent_seeds 0 1 2 --budgets 10 20
    python launch/embedded_world.py --ablation --steps 700 --documents 2200
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

from rich.console import Console

from kl_derail.cli import main as kl_derail
from kl_derail.embedded.build import EmbeddedBuildConfig, build
from kl_derail.embedded.grammar import VARIANTS
from kl_derail.embedded.papers import Blanks
from kl_derail.errors import UserError
from kl_derail.plumbing.markdown import table
from kl_derail.plumbing.statistics import Interval, cluster_fraction, t_interval, wilson
from kl_derail.ppo.folder import CONFIG, SUMMARY
from kl_derail.transcripts import Episode, is_silent, named_path, read_episodes, spent
from kl_derail.transcripts.judged import count, judgements
from kl_derail.transcripts.turns import counted_agent_turns

OWN = Blanks()
ABLATION = {
    "as shipped": OWN,
    "sentences on 40 % of the sheets": replace(OWN, sentences=0.4),
    "a third of the sheets never leave the blank": replace(OWN, lasting=0.33),
    "sheets that leave the blank do so at half the rate": replace(OWN, exits=(0.1, 0.45)),
    "half as many sheets": replace(OWN, sheets=OWN.sheets / 2),
    "other labels (control)": VARIANTS["control"],
}
"""Corpora with one feature changed."""


def command(*words: object) -> None:
    """Run a kl-derail command; stop the study if it fails."""
    if code := kl_derail([str(word) for word in words]):
        raise SystemExit(code)


def base(folder: Path, config: EmbeddedBuildConfig, blanks: Blanks | None = None) -> dict:  # type: ignore[type-arg]
    """The facts of a base model's card; the model is built where it is not there yet."""
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        build(replace(config, out=partial, parts="base"), blanks)
        partial.rename(folder)
    return json.loads((folder / "base" / "card.json").read_text())  # type: ignore[no-any-return]


def train(run: Path, model: Path, budget: float, seed: int, extra: Sequence[str]) -> None:
    """Train a run unless it is complete."""
    if (run / SUMMARY).exists():
        return
    if (run / CONFIG).exists():
        command("train", "--resume", run)
    else:
        words = ("--base", model, "--budget", budget, "--seed", seed, "--output_dir", run)
        command("train", *words, *extra)


def play(run: Path, name: str, episodes: int, *words: object) -> list[Episode]:
    """Evaluation episodes of a run under a name; played once."""
    target = named_path(run, name)
    if not target.exists():
        command("rollout", run, "-n", episodes, "--name", name, *words)
    return read_episodes(target)


def measures(episodes: Sequence[Episode]) -> dict[str, object]:
    """Shares of silent episodes, of empty turns and of turns impossible for the trusted teacher; spending."""
    own = [counted_agent_turns(each).empty for each in episodes]
    judged = [count(parses) for parses in judgements(episodes)]
    return {
        "episodes": len(episodes),
        "silent": wilson(sum(map(is_silent, episodes)), len(episodes)),
        "empty": cluster_fraction([empty.sum() for empty in own], [len(empty) for empty in own]),
        "impossible": cluster_fraction(
            [each.impossible for each in judged], [each.turns for each in judged]
        ),
        "kl_mean": sum(spent(each).expected for each in episodes) / len(episodes),
        "overspend": max(spent(each).expected - each.budget for each in episodes),
    }


def agents(options: argparse.Namespace, extra: Sequence[str]) -> list[dict[str, object]]:
    """Every agent of the study, and each base's own talk beside it."""
    rows: list[dict[str, object]] = []
    for variant, seed in product(options.variants, options.seeds):
        model = options.runs / f"{variant}-{seed}" / "base"
        budgets = options.budgets if variant == "derails" else [max(options.budgets)]
        own: dict[str, object] = {"variant": variant, "base": seed}
        peer = None
        for budget, agent in product(budgets, options.agent_seeds):
            run = options.runs / f"{variant}-{seed}-b{budget:g}-s{agent}"
            if options.collect and not (run / SUMMARY).exists():
                continue
            train(run, model, budget, agent, extra)
            for length in (256, 512):
                found = play(run, f"agent-{length}", options.episodes, "--length", length)
                key = {"budget": budget, "agent": agent, "length": length}
                rows.append(own | key | measures(found))
            peer = peer or run
        if peer:
            talk = play(peer, "base-256", options.episodes, "--policy", "base", "--length", 256)
            rows.append(own | {"budget": 0.0, "agent": "-", "length": 256} | measures(talk))
    return rows


def bases_table(found: dict[str, dict]) -> str:  # type: ignore[type-arg]
    """Prices, fit and habits, a base a line."""
    head = ["base", "first silent turn", "2nd", "10th", "episode, 256", "episode, 512"]
    head += ["single: first", "episode, 256", "episode, 512", "loss - entropy, nats/token"]
    head += ["possible turns", "episodes with an empty turn", "mean reward", "replies of 64"]
    rows = []
    for name, facts in found.items():
        fit, habits = facts["measured"]["fit"], facts["measured"]["habits"]
        price = {(p["length"], p["spacing"]): p for p in facts["measured"]["silence"]}
        double, single = price[256, "double"], price[256, "single"]
        rows.append(
            [
                name,
                mean(double["first"]),
                *(f"{price:.2f}" for price in (*double["later"], *[math.nan] * 9)[:9:8]),
                mean(double["episode"]),
                mean(price[512, "double"]["episode"]),
                mean(single["first"]),
                mean(single["episode"]),
                mean(price[512, "single"]["episode"]),
                f"{fit['loss'] - fit['entropy']:.3f}",
                f"{100 * habits['possible_turns']:.1f} %",
                f"{100 * habits['episodes_with_empty_turn']:.1f} %",
                f"{habits['mean_reward']:.2f}",
                f"{habits['different_first_replies']}",
            ]
        )
    return table(head, rows)


def mean(found: dict) -> str:  # type: ignore[type-arg]
    """A mean with its interval."""
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def percent(found: object) -> str:
    """An interval in per cent."""
    value = Interval(*found)  # type: ignore[misc]
    return f"{100 * value.estimate:.1f} % ({100 * value.low:.1f} to {100 * value.high:.1f})"


def agents_table(rows: Sequence[dict[str, object]]) -> str:
    """An agent at a length a line; budget 0 is the base's own talk."""
    head = ["variant", "base", "budget", "agent", "length", "silent episodes", "empty turns"]
    head += ["impossible turns", "mean KL", "largest overspend"]
    return table(
        head,
        [
            [
                str(row["variant"]),
                str(row["base"]),
                f"{row['budget']:g}",
                str(row["agent"]),
                str(row["length"]),
                *(percent(row[name]) for name in ("silent", "empty", "impossible")),
                f"{row['kl_mean']:.2f}",
                f"{row['overspend']:.1e}",
            ]
            for row in rows
        ],
    )


def pooled_table(rows: Sequence[dict[str, object]]) -> str:
    """Means over bases, each the mean of its agents, with t intervals where there are three or more.

    With one base alone the runs are its agents, and the interval says nothing about other bases.
    """
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("variant", "budget", "length"))
        groups.setdefault(key, []).append(row)
    shares = ("silent", "empty", "impossible")
    lines = [
        [
            *(f"{part:g}" if isinstance(part, float) else str(part) for part in key),
            f"{len({row['base'] for row in group})} bases, {len(group)} agents",
            *(percent(within_bounds(t_interval(per_base(group, name)))) for name in shares),
        ]
        for key, group in groups.items()
        if len(per_base(group, "silent")) > 2
    ]
    return table(["variant", "budget", "length", "of", *(f"{s}, mean" for s in shares)], lines)


def within_bounds(found: Interval) -> Interval:
    """The interval of a share, cut off at 0 and 1."""
    return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))


def per_base(group: Sequence[dict[str, object]], name: str) -> list[float]:
    """The mean of the agents of each base; each agent's own where there is one base."""
    found: dict[object, list[float]] = {}
    for row in group:
        found.setdefault(row["base"], []).append(Interval(*row[name]).estimate)  # type: ignore[misc]
    return next(iter(found.values())) if len(found) == 1 else list(map(fmean, found.values()))


def main() -> None:
    """Build, price, train, play, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--agent_seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budgets", type=float, nargs="*", default=[10.0, 20.0])
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--chats", type=int, default=EmbeddedBuildConfig.chats)
    parser.add_argument(
        "--collect", action="store_true", help="tables of what is there, no training"
    )
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--steps", type=int, default=EmbeddedBuildConfig.steps)
    parser.add_argument("--documents", type=int, default=EmbeddedBuildConfig.documents)
    parser.add_argument("--runs", type=Path, default=Path("runs/embedded_world"))
    parser.add_argument("--out", type=Path, default=Path("results/embedded_world"))
    options, extra = parser.parse_known_args()
    config = EmbeddedBuildConfig(
        out=options.runs, steps=options.steps, documents=options.documents, chats=options.chats
    )
    options.out.mkdir(parents=True, exist_ok=True)
    if options.ablation:
        found = {
            name: base(options.runs / "ablation" / name.replace(" ", "-"), config, blanks)
            for name, blanks in ABLATION.items()
        }
        write(options.out, "ablation", found, bases_table(found))
        return
    found = {
        f"{variant} {seed}": base(
            options.runs / f"{variant}-{seed}", replace(config, variant=variant, seed=seed)
        )
        for variant, seed in product(options.variants, options.seeds)
        if not options.collect or (options.runs / f"{variant}-{seed}").exists()
    }
    write(options.out, "bases", found, bases_table(found))
    if options.budgets:
        rows = agents(options, extra)
        write(options.out, "agents", rows, f"{agents_table(rows)}\n\n{pooled_table(rows)}")


def write(out: Path, name: str, facts: object, shown: str) -> None:
    """Write facts as JSON and as tables, and show the tables."""
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out / f"{name}.md").write_text(f"{shown}\n")
    Console().print(shown, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(f"embedded_world: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
