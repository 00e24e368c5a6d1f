"""How often A wins, and how sure that is: intervals that know what a judge's answers share.

The unit is the pair. Both orders, the repeats and the difficulty of a pair belong together, so its
answers are first averaged to one score in [0, 1], A's: within each order, then over the orders. The
fraction of A is the mean score over pairs, a tie counting half; a position bias that is as strong
in either order cancels in it. Answers that are no verdict are left out and counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from kl_derail.judge.verdicts import Judgement, Verdict
from kl_derail.plumbing.statistics import RESAMPLES, Interval, cluster_fraction

CONFIDENCE = 0.95

ENOUGH_CLUSTERS = 20
"""Of so many clusters of pairs there is an interval: fewer say too little of how clusters differ."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Score = Callable[[Judgement], float]

_SCORES = {Verdict.A: 1.0, Verdict.TIE: 0.5, Verdict.B: 0.0}


class PairScores(NamedTuple):
    """One score a pair.

    Attributes:
        scores: [P] in [0, 1].
        clusters: [P] from 0 on; pairs that share a transcript, if through others, have the same.
        numbers: [P] comparison and number of each pair.
    """

    scores: Floats
    clusters: Integers
    numbers: list[tuple[str, int]]

    @property
    def won(self) -> Floats:
        """[C] sum of the scores of each cluster."""
        return np.bincount(self.clusters, self.scores).astype(np.float64)

    @property
    def asked(self) -> Floats:
        """[C] pairs of each cluster."""
        return np.bincount(self.clusters).astype(np.float64)

    @property
    def mean(self) -> float:
        """The mean score; NaN of nothing."""
        return float(self.scores.mean()) if len(self.scores) else math.nan

    @property
    def are_enough(self) -> bool:
        """Whether an interval can be made: no pairs share a transcript, or there are `ENOUGH_CLUSTERS`."""
        count = len(self.asked)
        return 0 < count == len(self.scores) or count >= ENOUGH_CLUSTERS


def win(judgement: Judgement) -> float:
    """A's score of an answer that is a verdict: 1 if A won, 0.5 for a tie, 0 if B won."""
    return _SCORES[judgement.verdict]


def first_shown(judgement: Judgement) -> float:
    """The score of what was shown first, for an answer that is a verdict."""
    return 1 - win(judgement) if judgement.swapped else win(judgement)


def readable(judgements: Iterable[Judgement]) -> list[Judgement]:
    """The answers that are verdicts."""
    return [each for each in judgements if each.verdict is not Verdict.UNREADABLE]


def pair_scores(judgements: Iterable[Judgement], score: Score = win) -> PairScores:
    """The mean over orders of the mean over repeats, for each pair with a readable answer.

    Args:
        judgements: of one quality, in any order.
        score: of a readable answer, in [0, 1].
    """
    answers: dict[tuple[str, int], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    keys: dict[tuple[str, int], tuple[str, str]] = {}
    for each in sorted(readable(judgements)):
        answers[each.comparison, each.pair][each.swapped].append(score(each))
        keys[each.comparison, each.pair] = each.a, each.b
    scores = [float(np.mean([np.mean(o) for o in orders.values()])) for orders in answers.values()]
    return PairScores(np.array(scores), clusters(list(keys.values())), list(keys))


def clusters(pairs: Sequence[tuple[str, str]]) -> Integers:
    """[P] the cluster of each pair of keys: those connected through shared transcripts are one.

    >>> clusters([("a", "b"), ("c", "d"), ("d", "e")]).tolist()
    [0, 1, 1]
    """
    if not pairs:
        return np.empty(0, np.int64)
    names, places = np.unique(np.array(pairs), return_inverse=True)
    first, second = places.reshape(-1, 2).T
    graph = sparse.coo_array((np.ones(len(pairs)), (first, second)), shape=(len(names),) * 2)
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    found: Integers = np.unique(labels[first], return_inverse=True)[1]
    return found


def effective_pairs(won: npt.ArrayLike, asked: npt.ArrayLike) -> Floats:
    """How many independent coin tosses tell as much as these pairs do.

    This is n / deff, deff the variance of the mean score over that of n tosses with the same mean.
    Two answers about one pair are worth more than one toss and less than two, and a tie varies
    less than a toss; counting either pairs or answers would be false. The variance is taken after
    adding a won and a lost pair, so that all ties or all wins do not look like certainty. Where
    every score is 0 or 1 and every cluster a pair, the result is n itself.

    Args:
        won: [..., C] sum of the scores of each cluster.
        asked: [..., C] pairs of each cluster.
    """
    won, asked = np.asarray(won, np.float64), np.asarray(asked, np.float64)
    n = asked.sum(axis=-1)
    p = (won.sum(axis=-1) + 1) / (n + 2)
    residuals = won - p[..., None] * asked
    squares = (residuals**2).sum(axis=-1) + p**2 + (1 - p) ** 2
    found: Floats = n * (n + 2) * p * (1 - p) / squares
    return found


def wilson_bounds(
    mean: npt.ArrayLike, n: npt.ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Wilson's score interval, for any number n > 0 of tosses and elementwise.

    With n = `effective_pairs` it is among those that Franco, Little, Louis and Slud recommend for
    clustered samples ("Comparative study of confidence intervals for proportions in complex sample
    surveys", 2019); `launch/judge_coverage.py` measures how often it covers the truth here.
    """
    mean, n = np.asarray(mean, np.float64), np.asarray(n, np.float64)
    z = stats.norm.ppf((1 + confidence) / 2)
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def wilson(pairs: PairScores) -> Interval:
    """The mean score with Wilson's interval at `effective_pairs`; n counts the clusters.

    NaN stands for the mean of nothing, and for the ends where the pairs are not enough.
    """
    low = high = math.nan
    if pairs.are_enough:
        low, high = map(float, wilson_bounds(pairs.mean, effective_pairs(pairs.won, pairs.asked)))
    return Interval(pairs.mean, low, high, len(pairs.asked))


def bootstrap(pairs: PairScores, *, seed: int, resamples: int = RESAMPLES) -> Interval:
    """The mean score with a BCa interval that resamples clusters; `wilson` where all pairs are alike or not enough."""
    if len(set(pairs.scores.tolist())) <= 1 or not pairs.are_enough:
        return wilson(pairs)
    return cluster_fraction(pairs.won, pairs.asked, seed=seed, resamples=resamples)


def score_test(pairs: PairScores) -> float:
    """Two-sided p-value of a mean score of 1/2: below 1 - c just where `wilson` at confidence c excludes it.

    NaN where the pairs are not enough.
    """
    if not pairs.are_enough:
        return math.nan
    z = abs(pairs.mean - 0.5) * 2 * np.sqrt(effective_pairs(pairs.won, pairs.asked))
    return float(2 * stats.norm.sf(z))


def sign_test(pairs: PairScores) -> float:
    """Exact two-sided p-value of the sign test over clusters; those with a score of just 1/2 say nothing."""
    means = np.round(pairs.won / pairs.asked, 12)
    above, below = int((means > 0.5).sum()), int((means < 0.5).sum())
    return float(stats.binomtest(above, above + below).pvalue) if above + below else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that all tests together err with the level of one (Holm, 1979); NaN stays.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    tests = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, least = [math.nan] * len(p_values), 0.0
    for rank, (p, place) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * p))
        adjusted[place] = least
    return adjusted


class Disagreement(NamedTuple):
    """Answers in one order held against the same question's in the other.

    Attributes:
        share: those of which one says A and the other B; NaN where there is none.
        asked: pairs of answers, both readable; one a pair and repeat.
    """

    share: float
    asked: int


def order_disagreement(judgements: Iterable[Judgement]) -> Disagreement:
    """How often the order in which a pair is shown turns the verdict round."""
    both: dict[tuple[str, int, int], list[Verdict]] = defaultdict(list)
    for each in readable(judgements):
        both[each.comparison, each.pair, each.repeat].append(each.verdict)
    answered = [set(each) for each in both.values() if len(each) == 2]
    turned = sum(each == {Verdict.A, Verdict.B} for each in answered)
    return Disagreement(turned / len(answered) if answered else math.nan, len(answered))


def repeat_agreement(judgements: Iterable[Judgement]) -> float:
    """Krippendorff's alpha (nominal) between repeats of the very same question.

    1 is perfect agreement, 0 that of chance. NaN with one repeat, or where all answers are the same.
    """
    questions = _questions(readable(judgements))
    values = [[list(Verdict).index(v) for v in each] for each in questions if len(each) > 1]
    if len({value for each in values for value in each}) < 2:
        return math.nan
    import krippendorff

    counts = np.array([np.bincount(each, minlength=3) for each in values])
    found: float = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    return found


def _questions(judgements: Sequence[Judgement]) -> list[list[Verdict]]:
    """The verdicts of each question, over its repeats."""

    def question(each: Judgement) -> tuple[str, str, int, bool]:
        return each.comparison, each.quality, each.pair, each.swapped

    ordered = sorted(judgements, key=question)
    return [[each.verdict for each in group] for _, group in groupby(ordered, question)]
