"""Theorem 2 on many random trees: every constraint's optimum, and what it raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from kl_derail.plumbing.progress import progress_bar
from kl_derail.theory.constraints import Divergence, Observer, divergence
from kl_derail.theory.optimum import moved, optimum, soft_optimum, tilted
from kl_derail.theory.raising import Raised, gaps, raised
from kl_derail.theory.trees import Floats, Tree, action_values, joint, outcomes, random_tree, value

BUDGETS = 0.02, 0.4
"""Budgets are drawn uniformly between these, the same number as TVD and as nats."""

Observations: TypeAlias = Literal["determined", "open_loop", "adaptive", "average"]

OBSERVERS: Mapping[Observations, Observer] = {
    "determined": "open_loop",  # the three are one where actions determine what is observed
    "open_loop": "open_loop",
    "adaptive": "adaptive",
    "average": "average",
}
KINDS: tuple[Divergence, ...] = ("tvd", "kl")


class Case(NamedTuple):
    """One constraint: divergence, and observer of a tree whose observations vary or are determined."""

    divergence: Divergence
    observations: Observations


CASES = tuple(Case(kind, observations) for kind in KINDS for observations in OBSERVERS)


class Outcome(NamedTuple):
    """The optimum of one tree under one constraint.

    Attributes:
        raised: what it raises although it is not optimal.
        gain: its value above the base's.
        excess: by how much its open-loop divergence exceeds its adaptive one (<= 0, if all is well).
        error: distance of its value from an independent algorithm's; NaN where there is none.
        first_gaps: by how much each first outcome that the base has falls short of the best.
        first_rises: by how much its probability exceeds the base's.
    """

    raised: Raised
    gain: float
    excess: float
    error: float
    first_gaps: Floats
    first_rises: Floats


def sweep(shape: tuple[int, int, int], trees: int, seed: int) -> dict[Case, list[Outcome]]:
    """The optimum of every constraint on random trees of the shape (A, O, H); every other base asks for help."""
    found: dict[Case, list[Outcome]] = {case: [] for case in CASES}
    with progress_bar() as bar:
        for number in bar.track(range(trees), description="random trees"):
            rng = np.random.default_rng([seed, number])
            budget, asks = rng.uniform(*BUDGETS), number % 2 == 1
            determined = random_tree(rng, (shape[0], 1, shape[2]), asks=asks)
            observed = random_tree(rng, shape, asks=asks)
            for case in CASES:
                tree = determined if case.observations == "determined" else observed
                found[case].append(_outcome(case, tree, budget))
    return found


def _outcome(case: Case, tree: Tree, budget: float) -> Outcome:
    kind, observer = case.divergence, OBSERVERS[case.observations]
    found = optimum(tree, kind, observer, budget)
    first, start = outcomes(found.policy[0])[0], outcomes(tree.base[0])[0]
    spent = [divergence(kind, each, found.policy, tree) for each in ("open_loop", "adaptive")]
    return Outcome(
        raised(tree, found.policy),
        found.value - value(tree, tree.base),
        spent[0] - spent[1],
        abs(found.value - _independent(case, tree, budget)),
        gaps(tree)[0][0][start > 0],
        (first - start)[start > 0],
    )


def _independent(case: Case, tree: Tree, budget: float) -> float:
    """The optimum's value by closed form or dynamic programming, NaN where there is neither."""
    if case == Case("kl", "average"):
        return soft_optimum(tree, budget).value
    if case.observations != "determined":
        return float("nan")
    base, utility = endings_of(tree)
    best = (tilted if case.divergence == "kl" else moved)(base, utility, budget)
    return float(best @ utility)


def endings_of(tree: Tree) -> tuple[Floats, Floats]:
    """[X] base probability and [X] utility of everything that ends a tree without surprises."""
    values = action_values(tree, lambda _, each: np.zeros(len(each)))
    pairs = list(zip(joint(tree.base), values, strict=True))
    parts: Sequence[tuple[Floats, Floats]] = [
        *((base[:, -1], utility[:, -1]) for base, utility in pairs),
        (pairs[-1][0][:, :-1].ravel(), pairs[-1][1][:, :-1].ravel()),
    ]
    return np.concatenate([base for base, _ in parts]), np.concatenate([u for _, u in parts])
