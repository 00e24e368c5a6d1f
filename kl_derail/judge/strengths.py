"""Bradley-Terry: one strength a source from several comparisons of two.

A source of strength s beats one of strength t with probability 1 / (1 + exp(t - s)) (Bradley and
Terry, 1952), so a difference of strengths is a log-odds, in nats. Half a pair is added as won by
either side of every comparison, which keeps the strengths finite where one side never loses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_derail.judge.statistics import (
    CONFIDENCE,
    ENOUGH_CLUSTERS,
    Floats,
    Integers,
    PairScores,
    clusters,
    pair_scores,
    readable,
)
from kl_derail.judge.verdicts import Judgement

BETWEEN = " vs "
"""Stands between the names of the two sources of a comparison."""

RESAMPLES = 1000

PSEUDO_PAIRS = 0.5
"""Pairs that either side of a comparison is given as won."""


class Strength(NamedTuple):
    """How strong a source is.

    Attributes:
        quality: what was asked.
        source: the name that comparisons give it.
        strength: log-odds in nats against a source of mean strength.
        low: lower end of the 95 % percentile interval; NaN with too few clusters.
        high: upper end.
        clusters: independent clusters of pairs behind all strengths of the quality.
    """

    quality: str
    source: str
    strength: float
    low: float
    high: float
    clusters: int


class Contest(NamedTuple):
    """Pairs of several comparisons in arrays.

    Attributes:
        sources: [N] names.
        sides: [P, 2] numbers of A's and B's source.
        pairs: [P] A's scores, and clusters across all comparisons.
    """

    sources: list[str]
    sides: Integers
    pairs: PairScores


def sides_of(comparison: str) -> tuple[str, str] | None:
    """The two sources that a comparison names, if it names just two.

    >>> sides_of("20 nats vs base")
    ('20 nats', 'base')
    """
    match comparison.split(BETWEEN):
        case [first, second] if first != second:
            return first, second
    return None


def strengths(
    judgements: Sequence[Judgement], *, seed: int, resamples: int = RESAMPLES
) -> list[Strength] | str:
    """The strengths of all sources that the judgements of one quality compare, the strongest first.

    Pairs are resampled by cluster: those that share a transcript, also across comparisons, go
    together.

    Args:
        judgements: of one quality.
        seed: of the resampling.
        resamples: of the bootstrap.

    Returns:
        The strengths; or, in a sentence, why there are none.
    """
    if why := _why_not(judgements):
        return why
    contest = _contest(judgements)
    found = _fit(contest, np.ones(len(contest.pairs.scores)))
    low, high = _interval(contest, seed, resamples)
    quality, count = judgements[0].quality, len(contest.pairs.won)
    ends = np.stack([found, low, high], axis=1).tolist()
    rows = [
        Strength(quality, source, strength, least, most, count)
        for source, (strength, least, most) in zip(contest.sources, ends, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.strength)


def _why_not(judgements: Sequence[Judgement]) -> str:
    """Why there can be no strengths; empty where there can."""
    labels = list(dict.fromkeys(each.comparison for each in readable(judgements)))
    sides = [each for label in labels if (each := sides_of(label))]
    if len(sides) < len(labels):
        odd = next(label for label in labels if not sides_of(label))
        return f"no strengths: {odd!r} does not name its two sources as 'A{BETWEEN}B'; give --label"
    if len(sides) < 2:
        return "no strengths: they need two comparisons that were answered"
    groups = clusters(sides)
    if np.any(apart := groups != groups[0]):
        other = labels[int(apart.argmax())]
        return (
            f"no strengths: nothing compares the sources of {other!r} with those of {labels[0]!r}"
        )
    return ""


def _contest(judgements: Sequence[Judgement]) -> Contest:
    scored = pair_scores(judgements)
    sides = [sides_of(comparison) for comparison, _ in scored.numbers]
    sources, places = np.unique(np.array(sides), return_inverse=True)
    return Contest(sources.tolist(), places.reshape(-1, 2), scored)


def _fit(contest: Contest, weights: Floats) -> Floats:
    """[N] strengths of mean 0 with so much weight on each pair [P]."""
    import choix

    (first, second), count = contest.sides.T, len(contest.sources)
    won = weights * contest.pairs.scores
    wins = np.zeros((count, count))
    wins[first, second] = wins[second, first] = PSEUDO_PAIRS
    np.add.at(wins, (first, second), won)
    np.add.at(wins, (second, first), weights - won)
    found: Floats = choix.ilsr_pairwise_dense(wins)
    return np.asarray(found - found.mean())


def _interval(contest: Contest, seed: int, resamples: int) -> tuple[Floats, Floats]:
    """[N] ends of the percentile intervals over resampled clusters."""
    count = len(contest.pairs.won)
    if count < ENOUGH_CLUSTERS:
        missing = np.full(len(contest.sources), math.nan)
        return missing, missing
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    fits = [_fit(contest, draw[contest.pairs.clusters].astype(np.float64)) for draw in draws]
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(fits, tail, axis=0), np.quantile(fits, 1 - tail, axis=0)
