"""The TVD optimum of horizon 3 against a linear programme over enumerated observers, of its own making."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import linprog

from kl_derail.theory.constraints import Observer
from kl_derail.theory.optimum import optimum
from kl_derail.theory.raising import raised
from kl_derail.theory.trees import (
    Floats,
    Tree,
    action_values,
    chances,
    joint,
    observations,
    random_tree,
)
from tests.theory import brute

BUDGET = 0.15


def columns(tree: Tree) -> tuple[list[int], int]:
    """First column of every depth, and A + 1: column off[d] + h (A + 1) + a is outcome a of history h."""
    sizes = [each.size for each in joint(tree.base)]
    return np.cumsum([0, *sizes]).tolist(), tree.base[0].size + 1


def flow(tree: Tree) -> Floats:
    """Rows that are 0: outcomes after a history, less the probability of coming there."""
    starts, width = columns(tree)
    rows = []
    for depth in range(1, tree.horizon):
        for history in range(len(tree.base[depth])):
            parent, action = divmod(history // observations(tree.base), width - 1)
            row = np.zeros(starts[-1])
            first = starts[depth] + history * width
            row[first : first + width] = 1
            row[starts[depth - 1] + parent * width + action] = -1
            rows.append(row)
    return np.array(rows)


def endings(tree: Tree, observe: brute.Observe) -> Iterator[int]:
    """Columns of the sequences that end the tree for one observer."""
    starts, width = columns(tree)
    for sequence in brute.sequences(width - 1, tree.horizon):
        history = 0
        for depth, action in enumerate(sequence[:-1]):
            seen = observe(sequence[: depth + 1])
            history = (history * (width - 1) + action) * observations(tree.base) + seen
        last = width - 1 if sequence[-1] == brute.HELP else sequence[-1]
        yield starts[len(sequence) - 1] + history * width + last


def best(tree: Tree, observers: list[brute.Observe]) -> float:
    """Greatest value with half the sum of |x - b| within the budget for every observer; |x - b| is unknown too."""
    starts, width = columns(tree)
    size, start = starts[-1], np.arange(starts[-1]) < width
    base = np.concatenate([each.ravel() for each in joint(tree.base)])
    identity, limits = np.eye(size), np.zeros((len(observers), 2 * size))
    for row, observe in zip(limits, observers, strict=True):
        row[[size + place for place in endings(tree, observe)]] = 0.5
    bounds = [np.block([[identity, -identity], [-identity, -identity]]), limits]
    equal = np.pad(np.vstack([start, flow(tree)]), ((0, 0), (0, size)))
    values = action_values(tree, lambda _, each: np.zeros(len(each)))
    pairs = zip(chances(tree)[:-1], values, strict=True)
    worth = np.concatenate([(chance[:, None] * each).ravel() for chance, each in pairs])
    found = linprog(
        -np.pad(worth, (0, size)),
        A_ub=np.vstack(bounds),
        b_ub=np.concatenate([base, -base, np.full(len(observers), BUDGET)]),
        A_eq=equal,
        b_eq=np.eye(len(equal))[0],
    )
    return float(-found.fun)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("observer", ["open_loop", "adaptive"])
def test_the_optimum_of_three_steps(seed: int, observer: Observer) -> None:
    tree = random_tree(np.random.default_rng(seed), (2, 2, 3), asks=seed % 2 == 1)
    every = {"open_loop": brute.open_loop_observers, "adaptive": brute.adaptive_observers}
    found = optimum(tree, "tvd", observer, BUDGET)
    assert found.value == pytest.approx(best(tree, list(every[observer](tree))), abs=1e-8)
    rises = raised(tree, found.policy)
    assert max(rises.first, rises.action) <= 1e-9
