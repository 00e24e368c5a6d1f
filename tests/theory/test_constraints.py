"""Constraints against every observation sequence and every observer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.theory.constraints import (
    divergence,
    kl_adaptive,
    kl_costs,
    kl_open_loop,
    tvd_adaptive,
    tvd_open_loop,
)
from kl_derail.theory.trees import Policy, chances, random_policy, random_tree
from tests.theory import brute

FAST = settings(max_examples=25)
shapes = st.sampled_from([(3, 2, 1), (3, 1, 2), (2, 2, 2), (3, 2, 2), (2, 2, 3)])
NAMED = ((kl_open_loop, kl_adaptive, brute.kl), (tvd_open_loop, tvd_adaptive, brute.tvd))


@given(shapes, st.booleans(), st.integers(0, 10**6))
@FAST
def test_both_maxima(shape: tuple[int, int, int], asks: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree, policy = random_tree(rng, shape, asks=asks), random_policy(rng, shape, asks=asks)
    for open_loop, adaptive, slow in NAMED:
        fixed = max(slow(policy, tree.base, each) for each in brute.open_loop_observers(tree))
        seeing = max(slow(policy, tree.base, each) for each in brute.adaptive_observers(tree))
        assert open_loop(policy, tree.base) == pytest.approx(fixed, abs=1e-10)
        assert adaptive(policy, tree.base) == pytest.approx(seeing, abs=1e-10)
        assert open_loop(policy, tree.base) <= adaptive(policy, tree.base) + 1e-12


@given(st.booleans(), st.integers(0, 10**6))
@FAST
def test_determined_observations_make_them_one(asks: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree, policy = random_tree(rng, (3, 1, 3), asks=asks), random_policy(rng, (3, 1, 3), asks=asks)
    for kind in ("kl", "tvd"):
        found = [
            divergence(kind, each, policy, tree) for each in ("open_loop", "adaptive", "average")
        ]
        assert np.ptp(found) < 1e-12


@given(shapes, st.booleans(), st.integers(0, 10**6))
@FAST
def test_the_average_is_at_most_the_adaptive_maximum(
    shape: tuple[int, int, int], asks: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tree, policy = random_tree(rng, shape, asks=asks), random_policy(rng, shape, asks=asks)
    for kind in ("kl", "tvd"):
        average = divergence(kind, "average", policy, tree)
        assert average <= divergence(kind, "adaptive", policy, tree) + 1e-12


def differing() -> tuple[Policy, Policy]:
    """After action 0 the agent strays if it observes 0, after action 1 if it observes 1."""
    base = [np.array([[0.5, 0.5]]), np.full((4, 2), 0.5)]
    stray = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    return [base[0], stray], base


def test_where_they_differ() -> None:
    policy, base = differing()
    assert kl_open_loop(policy, base) == pytest.approx(math.log(2) / 2)
    assert kl_adaptive(policy, base) == pytest.approx(math.log(2))
    assert tvd_open_loop(policy, base) == pytest.approx(0.25)
    assert tvd_adaptive(policy, base) == pytest.approx(0.5)


def test_a_world_that_answers_to_actions_averages_more_than_the_open_loop_maximum() -> None:
    policy, base = differing()
    tree = random_tree(np.random.default_rng(0), (2, 2, 2), asks=False)
    world = [np.array([[[1.0, 0.0], [0.0, 1.0]]]), tree.world[1]]
    answering = type(tree)(base, world, tree.utility, tree.help_utility)
    assert divergence("kl", "average", policy, answering) == pytest.approx(math.log(2))


def test_following_a_base_that_asks_costs_nothing_and_never_asking_does() -> None:
    base = [np.array([[0.3, 0.3]])]
    assert kl_adaptive(base, base) == 0
    assert tvd_adaptive(base, base) == 0
    never = [np.array([[0.5, 0.5]])]
    assert kl_open_loop(never, base) == pytest.approx(-math.log(0.6))
    assert tvd_open_loop(never, base) == pytest.approx(0.4)
    assert kl_open_loop(base, never) == math.inf


def test_a_ledger_on_every_path_keeps_the_adaptive_one() -> None:
    rng = np.random.default_rng(5)
    tree, policy = (make(rng, (2, 2, 3), asks=True) for make in (random_tree, random_policy))
    reached = [np.ones(1)]
    for rows in policy[:-1]:
        reached.append(np.repeat((reached[-1][:, None] * rows).ravel(), 2))
    steps = [cost / x for cost, x in zip(kl_costs(policy, tree.base), reached, strict=True)]
    paths = steps[0]
    for step in steps[1:]:
        paths = np.repeat(paths, 4) + step
    assert kl_adaptive(policy, tree.base) <= paths.max()
    assert len(chances(tree)[2]) == len(paths)
