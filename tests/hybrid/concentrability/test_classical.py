"""Classical coefficients against enumeration and numbers worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.hybrid.concentrability import (
    best_split,
    bounds,
    directions,
    partial_ratio,
    problem,
    ratio,
    relative_condition_number,
    splits,
)
from kl_derail.hybrid.environments.bandit import LinearBandit
from tests.hybrid.concentrability import worlds


def test_the_largest_ratio() -> None:
    assert ratio(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.75, 0.0])) == 2
    assert ratio(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf


def test_reach_is_the_largest_over_all_policies() -> None:
    mdp = worlds.mdp()
    every = np.max([mdp.occupancy(each) for each in worlds.deterministic(mdp.shape)], axis=0)
    reach = problem(mdp).reach
    assert reach is not None
    np.testing.assert_allclose(reach, every, rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(0, 0.9))
@settings(max_examples=30)
def test_the_partial_ratio_is_that_of_the_best_set(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    target, data = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    target[0] = 0.0
    subsets = itertools.chain.from_iterable(
        itertools.combinations(range(6), size) for size in range(1, 7)
    )
    enough = (1 - missing) * target.sum() * (1 - 1e-12)
    expected = min(
        ratio(target[list(kept)], data[list(kept)])
        for kept in subsets
        if target[list(kept)].sum() >= enough
    )
    assert partial_ratio(target, data, missing) == pytest.approx(expected)


def test_leaving_nothing_out_is_the_largest_ratio() -> None:
    rng = np.random.default_rng(0)
    target, data = rng.dirichlet(np.ones(9)).reshape(3, 3), rng.dirichlet(np.ones(9)).reshape(3, 3)
    assert partial_ratio(target, data, 0.0) == ratio(target, data)


@given(st.integers(0, 10_000), st.integers(0, 5000), st.integers(1, 5000))
@settings(max_examples=30)
def test_the_best_split_is_the_best_of_all_subsets(
    seed: int, n_offline: int, n_online: int
) -> None:
    rng = np.random.default_rng(seed)
    reach, data = np.full(5, 0.5), rng.dirichlet(np.ones(5))
    data[0] = 0.0
    found = best_split(splits(reach, data), n_offline, n_online)
    every = []
    for offline in itertools.product([False, True], repeat=5):
        left = np.array(offline)
        worst = ratio(reach[left], data[left]) / 5 if left.any() else 0.0
        every.append(bounds.earlier_hybrid(n_offline, n_online, worst, 1 - left.mean()))
    assert bounds.earlier_hybrid(n_offline, n_online, *found) == pytest.approx(min(every))


def test_without_offline_data_everything_is_left_to_online_interaction() -> None:
    every = splits(np.full(4, 1.0), np.full(4, 0.25))
    assert best_split(every, 0, 100) == (0.0, 1.0)
    assert best_split(every, 10**9, 1) == (1.0, 0.0)


def test_relative_condition_number_is_the_largest_eigenvalue() -> None:
    bandit = worlds.linear()
    target, data = (bandit.occupancy(worlds.policy(bandit.shape, seed)) for seed in (1, 2))
    moments = [
        np.einsum("sa,sad,sae->de", each, bandit.features, bandit.features)
        for each in (target, data)
    ]
    expected = np.linalg.eigvals(np.linalg.solve(moments[1], moments[0])).real.max()
    found = relative_condition_number(bandit.features, target, data)
    assert found == pytest.approx(expected, rel=1e-9)
    assert relative_condition_number(bandit.features, data, data) == pytest.approx(1, abs=1e-12)


def test_one_hot_features_have_the_largest_ratio_as_condition_number() -> None:
    features = np.eye(3)[None]
    target, data = np.array([[0.5, 0.5, 0.0]]), np.array([[0.1, 0.6, 0.3]])
    assert relative_condition_number(features, target, data) == pytest.approx(ratio(target, data))
    assert relative_condition_number(features, data, target) == np.inf


def test_data_spread_evenly_over_what_is_in_reach_are_worth_as_much_as_online_interaction() -> None:
    pairs = np.full((3, 2, 5), 0.1)
    every = splits(np.ones((3, 2, 5)), pairs, stages=3)
    assert every.c_offline[-1] == pytest.approx(1)
    assert every.c_online[0] == 1
    assert every.c_online[10] == pytest.approx(2 / 3)
    scarce = splits(np.ones((3, 2, 5)), pairs / 4, stages=3)
    assert scarce.c_offline[-1] == pytest.approx(4)


def test_one_hot_directions_are_the_pairs() -> None:
    rng = np.random.default_rng(0)
    bandit = LinearBandit(np.eye(6).reshape(2, 3, 6), np.ones(6), np.array([0.3, 0.7]), 1.0)
    data = bandit.occupancy(rng.dirichlet(np.ones(3), size=2))
    found = directions(bandit, data)
    reach = np.repeat(bandit.contexts[:, None], 3, axis=1)
    expected = splits(reach, data)
    np.testing.assert_allclose(splits(*found).c_offline, expected.c_offline)
    np.testing.assert_allclose(splits(*found).c_online, expected.c_online)


def test_directions_of_arms_are_those_of_one_linear_model_with_blocks() -> None:
    arms = worlds.arms()
    blocks = np.einsum("sd,ab->sabd", arms.users, np.eye(3)).reshape(4, 3, 6)
    linear = LinearBandit(blocks, np.ones(6), arms.contexts, 1.0)
    data = arms.occupancy(worlds.policy(arms.shape))
    pairs = [directions(each, data) for each in (arms, linear)]
    ratios = [np.sort((each.reach / each.data).ravel()) for each in pairs]
    np.testing.assert_allclose(*ratios, rtol=1e-9)


def test_a_direction_that_data_leave_out_cannot_be_left_to_them() -> None:
    bandit = worlds.linear()
    one = np.zeros((3, 4))
    one[0, 1] = 1.0  # one pair alone: one direction of two
    every = splits(*directions(bandit, one))
    assert np.isfinite(every.c_offline[1])
    assert every.c_offline[2] == np.inf
