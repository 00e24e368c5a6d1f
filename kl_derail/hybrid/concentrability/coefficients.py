"""The concentrability coefficient C(pi | rho) = (U(pi) / U(rho))^2, exactly.

Huang, Li, Shi, Shen and Yang (UAI 2025): sub-optimality depends on C(pi* | rho), regret on the largest
C over the policies whose gap is at least eps. Working definitions of U: `kl_derail.hybrid.concentrability.problems`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.concentrability.classical import partial_ratio, ratio
from kl_derail.hybrid.concentrability.problems import Problem

ROUNDING = 1e-12
"""Relative gain below which a policy counts as no better: rounding of the sums."""


class Coverage(NamedTuple):
    """What data from a behaviour policy rho say about other policies; infinite: nothing.

    Attributes:
        behaviour_scale: U(rho), the unit of C.
        c_optimal: C(pi* | rho).
        c_suboptimal: C(pi^-eps | rho), the largest C of a policy whose gap is at least eps; NaN
            where no policy is that bad.
        gap: eps.
        ratio_optimal: largest d^pi* / d^rho, the classical single-policy coefficient.
        ratio_partial: the same over the best-covered 95 % of what pi* visits.
        ratio_any: largest d^pi / d^rho over all policies; NaN where it is not worked out.
    """

    behaviour_scale: float
    c_optimal: float
    c_suboptimal: float
    gap: float
    ratio_optimal: float
    ratio_partial: float
    ratio_any: float


def default_gap(n_offline: int, n_online: int) -> float:
    """The eps = 1 / sqrt(N0 + N1) of the regret bound, its constants and logarithms dropped."""
    return float(1 / np.sqrt(n_offline + n_online))


def uncertainty(occupancy: Floats, prices: Floats) -> float:
    """U(pi) = sum d^pi c; pairs that pi never visits cost nothing, even where c is infinite."""
    visited = occupancy > 0
    return float(occupancy[visited] @ prices[visited])


def concentrability(problem: Problem, target: Floats, data: Floats) -> float:
    """C(pi | rho) of occupancies [pairs]: of the policy asked about, and of the data."""
    prices = problem.prices(data)
    return (uncertainty(target, prices) / uncertainty(data, prices)) ** 2


def suboptimal_uncertainty(problem: Problem, prices: Floats, gap: float) -> float:
    """The largest U(pi) over all policies, stochastic ones included, with V* - V^pi >= gap.

    Args:
        problem: the environment.
        prices: [pairs] c >= 0, may be infinite.
        gap: >= 0, in units of the value.

    Returns:
        NaN where no policy is that bad, infinity where one of them visits what data never do.
    """
    optimum = _value(problem.best(problem.rewards), problem.rewards)
    at_most = optimum - gap
    unseen = np.isinf(prices)
    if unseen.any():
        blind = largest_under_cap(problem.best, unseen.astype(float), problem.rewards, at_most)
        if blind > 0:
            return np.inf
    return largest_under_cap(problem.best, np.where(unseen, 0.0, prices), problem.rewards, at_most)


def largest_under_cap(
    best: Callable[[Floats], Floats], prices: Floats, rewards: Floats, at_most: float
) -> float:
    """Max sum d c over occupancies d with sum d r <= at_most: a linear programme, solved exactly.

    The one constraint beside those of an occupancy has a multiplier m >= 0. For given m the best d
    is that of a deterministic policy, found by planning for the rewards c - m r. Two such policies on
    either side of the cap span a chord; planning with the chord's slope finds a better one or
    proves that none is, after finitely many steps. Mixing both policies meets the cap.

    Args:
        best: weights [pairs] to the occupancy of a best deterministic policy.
        prices: [pairs] c, finite.
        rewards: [pairs] r.
        at_most: cap on the value.

    Returns:
        The maximum; NaN where no policy meets the cap.
    """

    def point(weights: Floats) -> tuple[float, float]:
        occupancy = best(weights)
        return _value(occupancy, rewards), _value(occupancy, prices)

    above, below = point(prices), point(-rewards)
    if below[0] > at_most:
        return np.nan
    if above[0] <= at_most:
        return above[1]
    while True:
        slope = (above[1] - below[1]) / (above[0] - below[0])
        value, price = point(prices - slope * rewards)
        gain = (price - slope * value) - (above[1] - slope * above[0])
        if gain <= ROUNDING * (1 + above[1] + slope * abs(at_most)):
            return below[1] + slope * (at_most - below[0])
        if value > at_most:
            above = value, price
        else:
            below = value, price


def coverage(problem: Problem, data: Floats, gap: float, *, missing: float = 0.05) -> Coverage:
    """All coefficients of the data of one behaviour policy.

    Args:
        problem: the environment.
        data: [pairs] occupancy of the behaviour policy.
        gap: eps of the sub-optimal policies.
        missing: share of the optimal policy's visits that the partial ratio may leave out.
    """
    prices = problem.prices(data)
    scale = uncertainty(data, prices)
    optimal = problem.best(problem.rewards)
    worst = suboptimal_uncertainty(problem, prices, gap)
    return Coverage(
        behaviour_scale=scale,
        c_optimal=(uncertainty(optimal, prices) / scale) ** 2,
        c_suboptimal=(worst / scale) ** 2,
        gap=gap,
        ratio_optimal=ratio(optimal, data),
        ratio_partial=partial_ratio(optimal, data, missing),
        ratio_any=np.nan if problem.reach is None else ratio(problem.reach, data),
    )


def _value(occupancy: Floats, weights: Floats) -> float:
    return float(np.vdot(occupancy, weights))
