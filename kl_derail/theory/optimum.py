"""The policy of greatest expected utility under a constraint on how far it strays from its base.

`optimum` solves a convex programme (`kl_derail.theory.convex`), for any constraint. `soft_optimum` is
dynamic programming with one multiplier, right where KL is averaged over the world. `tilted` and
`moved` are the closed forms for one step, and so for whole sequences where observations are
determined. The expected utility is always over the tree's own world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from kl_derail.theory.constraints import Divergence, Observer, average, kl, kl_costs
from kl_derail.theory.convex import solve
from kl_derail.theory.trees import Floats, Tree, action_values, outcomes, value

T = TypeVar("T")

COLDEST = 1e12
"""Inverse temperature beyond which a tilted policy is the limit: only the best of what the base does."""


class Optimum(NamedTuple):
    """A policy and its expected utility.

    Attributes:
        policy: H arrays [N_d, A].
        value: expected utility in the tree's world.
    """

    policy: list[Floats]
    value: float


def optimum(tree: Tree, kind: Divergence, observer: Observer, budget: float) -> Optimum:
    """The best policy within `budget` (nats, or TVD); see `kl_derail.theory.convex.solve`."""
    policy = solve(tree, kind, observer, budget)
    return Optimum(policy, value(tree, policy))


def soft_optimum(tree: Tree, budget: float) -> Optimum:
    """The best policy whose KL, averaged over the tree's world, is at most `budget` nats.

    Each step tilts the base by exp(value / temperature); one temperature serves the whole tree,
    since expected KL is additive along it.
    """

    def tilt(inverse: float) -> Optimum:
        policy = _soft_policy(tree, inverse)
        return Optimum(policy, value(tree, policy))

    return _hottest(tilt, lambda found: average(kl_costs(found.policy, tree.base), tree), budget)


def _soft_policy(tree: Tree, inverse: float) -> list[Floats]:
    bases = [outcomes(rows) for rows in tree.base]
    values = action_values(
        tree, lambda depth, each: logsumexp(inverse * each, axis=1, b=bases[depth]) / inverse
    )
    pairs = zip(bases, values, strict=True)
    return [_tilt(base, inverse * each)[:, :-1] for base, each in pairs]


def tilted(base: Floats, utility: Floats, budget: float) -> Floats:
    """[X] the distribution of greatest expected utility with KL(. || base) at most `budget` nats.

    Proportional to base exp(utility / temperature); with nats to spare, the base given its best.
    """
    return _hottest(
        lambda inverse: _tilt(base, inverse * utility), lambda found: kl(found, base), budget
    )


def _tilt(base: Floats, exponent: Floats) -> Floats:
    """Base exp(exponent), normalised along the last axis."""
    with np.errstate(divide="ignore"):
        logs = np.where(base > 0, np.log(base) + exponent, -np.inf)
    found: Floats = np.exp(logs - logsumexp(logs, axis=-1, keepdims=True))
    return found


def _hottest(tilt: Callable[[float], T], spent: Callable[[T], float], budget: float) -> T:
    """The tilt at the inverse temperature that spends the budget: the spending grows with it."""

    def excess(exponent: float) -> float:
        return spent(tilt(np.exp(exponent))) - budget

    ends = -np.log(COLDEST), np.log(COLDEST)
    if excess(ends[1]) <= 0:
        return tilt(COLDEST)
    if excess(ends[0]) >= 0:
        return tilt(1 / COLDEST)
    root, step = brentq(excess, *ends, xtol=1e-15, rtol=1e-15, maxiter=500), 1e-15
    while excess(root) > 0:  # the root may lie a rounding above the budget, which is a promise
        root, step = root - step, 2 * step
    return tilt(np.exp(root))


def moved(base: Floats, utility: Floats, budget: float) -> Floats:
    """[X] the distribution of greatest expected utility within a total variation distance of the base.

    Mass goes from the worst outcomes to the best one (among equals the first).
    """
    best = int(np.argmax(utility))
    order = np.argsort(utility, kind="stable")
    order = order[order != best]
    before = np.cumsum(base[order]) - base[order]
    taken = np.clip(budget - before, 0, base[order])
    found = base.copy()
    found[order] -= taken
    found[best] += taken.sum()
    return found
