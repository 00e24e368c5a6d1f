"""Trees against loops over every history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.theory.trees import (
    Tree,
    best_values,
    chances,
    conditional,
    joint,
    observations,
    outcomes,
    random_policy,
    random_tree,
    value,
)
from tests.theory import brute

shapes = st.sampled_from([(2, 1, 1), (3, 2, 1), (3, 1, 2), (2, 2, 2), (2, 3, 2), (2, 2, 3)])


@given(shapes, st.booleans(), st.integers(0, 10**6))
@settings(max_examples=40)
def test_value_and_joint(shape: tuple[int, int, int], asks: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree, policy = random_tree(rng, shape, asks=asks), random_policy(rng, shape, asks=asks)
    assert value(tree, policy) == pytest.approx(brute.value(tree, policy), abs=1e-12)
    again = conditional(joint(policy), tree.base)
    for one, other in zip(policy, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_joint_is_the_probability_of_the_outcomes() -> None:
    rng = np.random.default_rng(1)
    policy = random_policy(rng, (2, 2, 3), asks=True)
    found = joint(policy)
    # actions 1, 0, then help; observations 1, 0: the history (1 1 0 0) has the number 3 * 4 + 0
    assert found[2][12, 2] == pytest.approx(
        brute.probability(policy, (1, 0, brute.HELP), lambda actions: (1, 0)[len(actions) - 1])
    )
    assert observations(policy) == 2


def test_chances_of_a_depth_sum_to_one_for_every_way_to_act() -> None:
    tree = random_tree(np.random.default_rng(2), (2, 3, 2), asks=False)
    assert chances(tree)[2].reshape(2, 3, 2, 3).sum(axis=(1, 3)) == pytest.approx(1)


def test_best_values_are_those_of_the_best_deterministic_policy() -> None:
    tree = random_tree(np.random.default_rng(3), (2, 2, 2), asks=True)
    choices = np.vstack([np.eye(2), np.zeros(2)])  # the last one: help
    values = [
        brute.value(tree, [choices[[place[0]]], choices[list(place[1:])]])
        for place in np.ndindex(*[3] * 5)
    ]
    assert best_values(tree)[0].max() == pytest.approx(max(values), abs=1e-12)


def test_conditional_follows_the_fallback_where_it_never_comes() -> None:
    base = [np.array([[0.5, 0.5]]), np.array([[0.1, 0.9], [0.7, 0.2]])]
    never = joint([np.array([[1.0, 0.0]]), base[1]])
    assert conditional(never, base)[1][1].tolist() == [0.7, 0.2]


def test_rounding_asks_for_no_help() -> None:
    assert outcomes(np.array([[0.27, 0.27, 0.36, 0.1], [0.2, 0.2, 0.2, 0.2]]))[
        :, 4
    ] == pytest.approx([0, 0.2])
    assert outcomes(np.array([[0.1] * 10]))[0, 10] == 0


def test_refusals() -> None:
    base, world = [np.array([[0.5, 0.5]])], [np.ones((1, 2, 1))]
    good = (base, world, np.zeros(2), [np.zeros(1)])
    assert Tree(*good).horizon == 1
    for place, wrong, word in (
        (0, [np.array([[0.6, 0.5]])], "no policy"),
        (0, [np.array([[1.5, -0.5]])], "no policy"),
        (0, [np.ones((1, 3)) / 3], "shapes"),
        (1, [np.full((1, 2, 1), 0.5)], "sum to 1"),
        (2, np.zeros(3), "utility"),
    ):
        parts = [wrong if number == place else part for number, part in enumerate(good)]
        with pytest.raises(ValueError, match=word):
            Tree(*parts)  # type: ignore[arg-type]
