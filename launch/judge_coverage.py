"""Intervals of the judge put to the test: how often do they hold the truth?

A simulated judge of known accuracy p is asked about 300 pairs of which A is the better one, in both orders or in
one at random. Pairs may differ in difficulty (each has an accuracy of its own, from a beta distribution of mean p),
and the judge may say "first" whatever it sees, say "tie", or be unreadable. The truth is the fraction that
infinitely many pairs would give: a judge that says "first" in a share f of its answers gives f / 2 + (1 - f) p.
Goes on where it stopped.

    python launch/judge_coverage.py --out results/judge
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from kl_derail.config import run_command
from kl_derail.errors import UserError
from kl_derail.judge.statistics import (
    PairScores,
    bootstrap,
    effective_pairs,
    wilson_bounds,
)
from kl_derail.plumbing.markdown import table
from kl_derail.plumbing.writing import replacing

PAIRS = 300
SIMULATIONS = 10_000
CHUNK = 1000
"""Simulations that are held in memory at once."""

RESAMPLES = 1000
"""Of the bootstrap here; the product takes 4000, which makes its ends steadier."""

ROUNDING = 1e-9
"""Ends of the bootstrap are fractions of pairs, as the truth may be: an end that is the truth holds it."""

WILSON_WITHIN, BOOTSTRAP_AT_LEAST = 0.01, 0.93
"""What must hold: Wilson within so much of 95 %, the bootstrap at least so often."""

Floats = npt.NDArray[np.float64]


class Scenario(NamedTuple):
    """How the simulated judge answers.

    Attributes:
        accuracy: mean probability p of seeing that A is better.
        orders: 2, or 1 that is drawn for each pair.
        repeats: askings of each question.
        hard: pairs differ: their accuracies are Beta(3 p, 3 (1 - p)).
        first: share of answers that are "first" whatever is shown.
        ties: share of the others that are "tie".
        unreadable: share of answers that are no verdict.
    """

    accuracy: float
    orders: int = 2
    repeats: int = 1
    hard: bool = False
    first: float = 0.0
    ties: float = 0.0
    unreadable: float = 0.0

    @property
    def truth(self) -> float:
        """A's fraction over infinitely many pairs."""
        looking = self.ties / 2 + (1 - self.ties) * self.accuracy
        return self.first / 2 + (1 - self.first) * looking


SCENARIOS = [
    *(Scenario(p, orders=1, first=first) for p in (0.5, 0.75, 0.9) for first in (0.0, 0.2)),
    *(
        Scenario(p, hard=hard, first=first)
        for p in (0.5, 0.6, 0.75, 0.9)
        for hard in (False, True)
        for first in (0.0, 0.2)
    ),
    Scenario(0.6, repeats=3, hard=True, first=0.2, ties=0.2, unreadable=0.1),
]


class Coverage(NamedTuple):
    """How often the intervals hold the truth, and what the pairs are worth."""

    wilson: float
    bootstrap: float
    effective_pairs: float
    if_pairs_were_tosses: float
    if_answers_were_tosses: float


FIELDS = (*Scenario._fields, "truth", "pairs", "simulations", "seed", *Coverage._fields)
"""Of a row."""


def draw_scores(case: Scenario, pairs: int, count: int, rng: np.random.Generator) -> Floats:
    """[count, pairs] A's score of each pair in each simulation; NaN where no answer is readable."""
    p = np.full((count, pairs), case.accuracy)
    if case.hard:
        p = rng.beta(3 * p, 3 * (1 - p))
    shape = (count, pairs, case.orders, case.repeats)
    answers = (rng.random(shape) < p[..., None, None]).astype(np.float64)
    answers[rng.random(shape) < case.ties] = 0.5
    a_first = (rng.random((count, pairs, 1)) < 0.5) ^ (np.arange(case.orders) > 0)
    answers = np.where(rng.random(shape) < case.first, a_first[..., None], answers)
    said = rng.random(shape) >= case.unreadable
    by_order = _mean(answers, said)
    return np.where(said.any((-1, -2)), _mean(by_order, said.any(-1)), np.nan)


def _mean(values: Floats, said: npt.NDArray[np.bool_]) -> Floats:
    """Mean along the last axis of what was said; 0 where nothing was."""
    found: Floats = np.where(said, values, 0).sum(-1) / np.maximum(said.sum(-1), 1)
    return found


def wilson_holds(scores: Floats, truth: float, n: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """[S] whether Wilson's interval for the mean of the scores [S, P], worth n tosses, holds the truth."""
    low, high = wilson_bounds(np.nanmean(scores, axis=1), n)
    return _holds(low, high, truth)


def _holds(low: Floats, high: Floats, truth: float) -> npt.NDArray[np.bool_]:
    held: npt.NDArray[np.bool_] = (low <= truth + ROUNDING) & (truth - ROUNDING <= high)
    return held


@cache
def _bootstrap(values: tuple[float, ...], counts: tuple[int, ...]) -> tuple[float, float]:
    """The interval depends on how many pairs have which score, so equal samples share it.

    Each sample has a seed of its own: with one for all, the chance errors of the resampling would
    not cancel over simulations, but add up to a coverage of that seed.
    """
    scores = np.repeat(values, counts)
    pairs = PairScores(scores, np.arange(len(scores)), [])
    found = bootstrap(pairs, seed=crc32(repr(counts).encode()), resamples=RESAMPLES)
    return found.low, found.high


def bootstrap_holds(scores: Floats, truth: float) -> npt.NDArray[np.bool_]:
    """[S] whether the cluster bootstrap's interval for the mean of the scores [S, P] holds the truth."""
    ends = []
    for row in np.round(scores, 9):
        values, counts = np.unique(row[~np.isnan(row)], return_counts=True)
        ends.append(_bootstrap(tuple(values.tolist()), tuple(counts.tolist())))
    low, high = np.transpose(ends)
    return _holds(low, high, truth)


def measure(case: Scenario, pairs: int, simulations: int, seed: int) -> Coverage:
    """How often the intervals of so many simulations hold the truth."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, simulations, CHUNK):
        scores = draw_scores(case, pairs, min(CHUNK, simulations - start), rng)
        asked = (~np.isnan(scores)).astype(np.float64)
        worth = effective_pairs(np.nan_to_num(scores), asked)
        answers = asked.sum(1) * case.orders * case.repeats
        columns = (
            wilson_holds(scores, case.truth, worth),
            bootstrap_holds(scores, case.truth),
            worth,
            wilson_holds(scores, case.truth, asked.sum(1)),
            wilson_holds(scores, case.truth, answers),
        )
        found.append(np.stack(columns).astype(np.float64))
    return Coverage(*np.concatenate(found, axis=1).mean(axis=1).tolist())


def report(rows: list[dict[str, float]]) -> str:
    """The measured coverage in Markdown."""
    kept = [
        abs(row["wilson"] - 0.95) <= WILSON_WITHIN and row["bootstrap"] >= BOOTSTRAP_AT_LEAST
        for row in rows
    ]
    head = ["p", "orders", "repeats", "pairs differ", '"first"', "ties", "unreadable", "truth"]
    head += [
        "**Wilson**",
        "**bootstrap**",
        "pairs are worth",
        "Wilson of pairs",
        "Wilson of answers",
    ]
    cells = [
        [
            *(f"{row['accuracy']:g}", str(row["orders"]), str(row["repeats"])),
            "yes" if row["hard"] else "no",
            *(f"{row[name]:.0%}" for name in ("first", "ties", "unreadable")),
            f"{row['truth']:.3f}",
            *(f"{row[name]:.2%}" for name in ("wilson", "bootstrap")),
            f"{row['effective_pairs']:.0f} tosses",
            *(f"{row[f'if_{unit}_were_tosses']:.2%}" for unit in ("pairs", "answers")),
        ]
        for row in rows
    ]
    sizes = rows[0]
    return f"""# How often the judge's intervals hold the truth

{sizes["simulations"]} simulations of {sizes["pairs"]} pairs, as `launch/judge_coverage.py` describes them.
Wilson's interval takes as its n what the pairs are worth in independent tosses. The last two columns show what it
would have covered with the number of pairs, or of answers, as its n. The bootstrap is BCa over pairs with
{RESAMPLES} resamples.

Wanted: Wilson 95 % +- {WILSON_WITHIN:.0%}, bootstrap at least {BOOTSTRAP_AT_LEAST:.0%}.
Held in {sum(kept)} of {len(kept)} scenarios.

{table(head, cells)}
"""


def read(file: Path) -> list[dict[str, float]]:
    """All rows that were ever measured, of any size; UserError where the file is damaged."""
    if not file.exists():
        return []
    try:
        rows: list[dict[str, float]] = json.loads(file.read_bytes())
        if all(row.keys() == {*FIELDS} for row in rows):
            return rows
    except (ValueError, AttributeError, TypeError):
        pass
    raise UserError(f"{file}: is damaged, or was not written by this script")


def main() -> None:
    """Measure what is missing and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sizes = {"pairs": options.pairs, "simulations": options.simulations}
    for name, value in sizes.items():
        if value < 1:
            raise UserError(f"{name}: found {value}, allowed 1 or more")
    file = options.out / "coverage.json"
    known, rows = read(file), []
    for seed, case in enumerate(track(SCENARIOS, console=Console(stderr=True))):
        about = {**case._asdict(), "truth": case.truth, **sizes, "seed": seed}
        row = next((each for each in known if each.items() >= about.items()), None)
        if row is None:
            row = {**about, **measure(case, **sizes, seed=seed)._asdict()}
            known.append(row)
            known.sort(key=lambda each: [each[name] for name in (*sizes, "seed")])
            with replacing(file) as partial:
                partial.write_text(json.dumps(known, indent=1) + "\n")
        rows.append(row)
    with replacing(options.out / "coverage.md") as partial:
        partial.write_text(report(rows))


if __name__ == "__main__":
    raise SystemExit(run_command("judge_coverage", main))
