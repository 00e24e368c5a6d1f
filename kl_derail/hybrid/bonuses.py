"""Uncertainty of what was seen n times: one pure function per equation.

Visits are arrays of counts of any shape; spans, deviations and results have shapes that broadcast
with them. "Cells" are all (h, s, a). Where a bonus is valid with probability 1 - delta, it is so
for all cells and all n >= 1 at once: a cell's n-th bonus may fail with probability
delta / (cells n (n + 1)), and these sum to delta.

Valid bonuses bound |(P^ - P) V| for EVERY V of the span at once, since the values of the next stage
depend on the policy, and a bound on |V^ - V| is wanted for every policy.

References:
    [1] Huang, Li, Shi, Shen, Yang, "Hybrid reinforcement learning", UAI 2025, arXiv 2505.13768.
    [2] Hoeffding, "Probability inequalities for sums of bounded random variables", 1963, Thm. 2.
    [3] Maurer, Pontil, "Empirical Bernstein bounds and sample variance penalization", 2009, Thm. 4.
    [4] Abbasi-Yadkori, Pal, Szepesvari, "Improved algorithms for linear stochastic bandits", 2011,
        Thm. 2.
"""

from __future__ import annotations

import math

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints


def published(visits: Floats | Ints, scale: float) -> Floats:
    """The bonus of the experiments of [1]: min(1, scale / sqrt(n)), and 1 where n = 0."""
    return np.minimum(1.0, scale / np.sqrt(np.maximum(visits, 1e-300)))


def log_failure(visits: Floats | Ints, cells: int, delta: float) -> Floats:
    """log(cells n (n + 1) / delta), the price of holding for all cells and all n at once."""
    n = np.maximum(visits, 1.0)
    return np.asarray(np.log(cells / delta * n * (n + 1)), dtype=np.float64)


def hoeffding(
    visits: Floats | Ints, span: float | Floats, states: int, cells: int, delta: float
) -> Floats:
    """Bound on |(P^ - P) V| over all V of a span, by [2] at the 2^S corners of the cube of V.

    span sqrt((S log 2 + log(2 cells n (n + 1) / delta)) / 2n), at most the span. The expectation
    is linear in V, so its largest error over the cube is at a corner; the 2 is for both signs.
    """
    log = states * math.log(2) + math.log(2) + log_failure(visits, cells, delta)
    return np.asarray(span * np.minimum(1.0, np.sqrt(log / (2 * np.maximum(visits, 0.5)))))


def hoeffding_rewards(
    visits: Floats | Ints, span: float | Floats, cells: int, delta: float
) -> Floats:
    """Bound on the error of a mean reward by [2]: span sqrt(log(2 cells n (n + 1) / delta) / 2n)."""
    log = math.log(2) + log_failure(visits, cells, delta)
    return np.asarray(span * np.minimum(1.0, np.sqrt(log / (2 * np.maximum(visits, 0.5)))))


def bernstein(
    visits: Floats | Ints,
    deviation: Floats,
    span: float | Floats,
    outcomes: int,
    cells: int,
    delta: float,
) -> Floats:
    """Bound on |(P^ - P) V| over all V of a span, by [3] for the probability of each outcome.

    |p^ - p| <= sqrt(2 p^ (1 - p^) L / (n - 1)) + 7 L / (3 (n - 1)), both signs, with L = log(4 K
    cells n (n + 1) / delta) for K outcomes; summed over them, times half the span (errors of
    probabilities sum to 0, so V may be centred), at most the span.

    Args:
        visits: n.
        deviation: sum over outcomes of sqrt(p^ (1 - p^)).
        span: of V.
        outcomes: K, next states and, where episodes may end early, the end.
        cells: how many (h, s, a).
        delta: probability that any of the bounds fails, ever.
    """
    slope, constant = bernstein_terms(visits, outcomes, cells, delta)
    share = np.minimum(1.0, slope * deviation + constant)
    return np.asarray(span * share, dtype=np.float64)


def bernstein_terms(
    visits: Floats | Ints, outcomes: int, cells: int, delta: float
) -> tuple[Floats, Floats]:
    """`bernstein` of span 1 before it is cut is slope x deviation + constant: these two, by n."""
    log = math.log(4 * outcomes) + log_failure(visits, cells, delta)
    per_sample = log / np.maximum(visits - 1.0, 1e-300)
    return np.sqrt(2 * per_sample) / 2, 7 / 6 * outcomes * per_sample


def elliptical_radius(
    log_det_ratio: float, noise: float, ridge: float, norm: float, delta: float
) -> float:
    """Radius of the confidence ellipsoid around the ridge estimate, [4]: holds for all n at once.

    noise sqrt(2 log(1 / delta) + log(det Lambda / det(ridge I))) + sqrt(ridge) norm.

    Args:
        log_det_ratio: log det Lambda - D log ridge.
        noise: sub-Gaussian scale; the half-width, for noise on an interval.
        ridge: lambda.
        norm: upper bound on ||theta||.
        delta: probability of failure.
    """
    return noise * math.sqrt(-2 * math.log(delta) + log_det_ratio) + math.sqrt(ridge) * norm
