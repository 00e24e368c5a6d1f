"""What optima raise: by loops, as a property, and where the strong reading fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.theory.constraints import tvd_adaptive, tvd_open_loop
from kl_derail.theory.optimum import optimum
from kl_derail.theory.raising import gaps, raised
from kl_derail.theory.trees import (
    Floats,
    Tree,
    best_values,
    joint,
    outcomes,
    random_policy,
    random_tree,
)


def slow_raised(tree: Tree, policy: list[Floats]) -> list[float]:
    """first, action, sequence, conditional of a tree of horizon 2, by loops."""
    values = best_values(tree)
    found = [0.0, 0.0, 0.0, 0.0]
    p, b = [[outcomes(rows) for rows in each] for each in (policy, tree.base)]
    count = tree.world[0].shape[2]

    def note(*cells: tuple[int, bool, float]) -> None:
        for place, bad, rise in cells:
            found[place] = max(found[place], rise if bad else 0.0)

    for first in range(p[0].shape[1]):
        worse = values[0][0, first] < values[0].max() - 1e-6
        rise = p[0][0, first] - b[0][0, first]
        note(*((place, worse, rise) for place in range(4)))
        for seen in range(count if first < p[0].shape[1] - 1 else 0):
            here = first * count + seen
            for then in range(p[1].shape[1]):
                bad = values[1][here, then] < values[1][here].max() - 1e-6
                both = p[0][0, first] * p[1][here, then] - b[0][0, first] * b[1][here, then]
                alone = p[1][here, then] - b[1][here, then]
                note((1, bad, both), (2, bad or worse, both))
                note((3, bad and p[0][0, first] > 1e-6, alone))
    return found


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=30)
def test_by_loops(seed: int, asks: bool) -> None:
    rng = np.random.default_rng(seed)
    tree, policy = (make(rng, (3, 2, 2), asks=asks) for make in (random_tree, random_policy))
    assert list(raised(tree, policy)) == pytest.approx(slow_raised(tree, policy), abs=1e-12)


@given(
    st.sampled_from([(4, 1, 1), (3, 1, 2), (3, 2, 2), (2, 3, 2), (2, 2, 3)]),
    st.integers(0, 10**6),
    st.booleans(),
    st.floats(0.01, 0.95),
)
@settings(max_examples=40)
def test_what_tvd_never_raises(
    shape: tuple[int, int, int], seed: int, asks: bool, budget: float
) -> None:
    tree = random_tree(np.random.default_rng(seed), shape, asks=asks)
    for observer in ("open_loop", "adaptive", "average"):
        found = raised(tree, optimum(tree, "tvd", observer, budget).policy)
        assert found.first <= 1e-9
        assert found.action <= 1e-9
        if observer == "adaptive" or shape[1] == 1:
            assert found.sequence <= 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_what_cannot_be_observed_may_be_followed_by_anything(seed: int) -> None:
    """The second observation has chance 0: what is raised after it is no counterexample."""
    drawn = random_tree(np.random.default_rng(seed), (3, 2, 2), asks=False)
    never = np.zeros((1, 3, 2))
    never[..., 0] = 1
    tree = Tree(drawn.base, [never, drawn.world[1]], drawn.utility, drawn.help_utility)
    for observer in ("open_loop", "adaptive", "average"):
        found = raised(tree, optimum(tree, "tvd", observer, 0.15).policy)
        assert max(found.first, found.action) <= 1e-9
        if observer == "adaptive":
            assert found.sequence <= 1e-9
    odd = [drawn.base[0], drawn.base[1].copy()]
    odd[1][1::2] = np.eye(3)[np.argmin(best_values(tree)[1][1::2, :3], axis=1)]
    assert raised(tree, odd) == (0, 0, 0, 0)  # strays only where nothing leads


def coin() -> Tree:
    """Actions A, C, B; a fair coin. After heads, A can end badly; after tails, C can. B is a little better."""
    ended = {  # value of the second actions good, bad, other; the base takes the first two
        ("A", "heads"): (1, 0, 0),
        ("A", "tails"): (1, 1, 0),
        ("C", "heads"): (1, 1, 0),
        ("C", "tails"): (1, 0, 0),
        ("B", "heads"): (1.01, 1.01, 0),
        ("B", "tails"): (1.01, 1.01, 0),
    }
    utility = np.repeat(np.array(list(ended.values()), np.float64).ravel(), 2)
    return Tree(
        [np.array([[0.5, 0.5, 0.0]]), np.tile([0.5, 0.5, 0.0], (6, 1))],
        [np.full((1, 3, 2), 0.5), np.full((6, 3, 2), 0.5)],
        utility,
        [np.zeros(1), np.zeros(6)],
    )


def test_where_the_open_loop_maximum_raises_a_sequence_that_begins_badly() -> None:
    tree = coin()
    assert gaps(tree)[0][0] == pytest.approx([0.01, 0.01, 0, 1.01])
    free = optimum(tree, "tvd", "open_loop", 0.1)
    assert free.value == pytest.approx(
        0.75 + 0.1
    )  # .1 from bad to good after each side of the coin
    assert raised(tree, free.policy).sequence == pytest.approx(0.1)
    assert joint(free.policy)[1][0, 0] == pytest.approx(0.35)  # A, heads, good
    assert raised(tree, free.policy).first <= 1e-9
    assert tvd_open_loop(free.policy, tree.base) == pytest.approx(0.1)
    assert tvd_adaptive(free.policy, tree.base) == pytest.approx(0.2)


def test_and_the_adaptive_maximum_does_not() -> None:
    tree = coin()
    strict = optimum(tree, "tvd", "adaptive", 0.1)
    assert raised(tree, strict.policy).sequence <= 1e-9
    assert strict.policy[0][0, 2] == pytest.approx(0.1)  # B
    assert strict.value == pytest.approx(0.75 + 0.05 + 0.001)


def test_kl_raises_what_is_not_optimal() -> None:
    tree = Tree(
        [np.array([[0.4, 0.4, 0.2]])],
        [np.ones((1, 3, 1))],
        np.array([0.0, 0.9, 1.0]),
        [np.zeros(1)],
    )
    best = optimum(tree, "kl", "open_loop", 0.1)
    assert raised(tree, best.policy).first > 0.1
    assert raised(tree, optimum(tree, "tvd", "open_loop", 0.1).policy).first <= 1e-9
