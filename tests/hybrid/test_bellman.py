from __future__ import annotations

import numpy as np
import pytest

from kl_derail.hybrid import bellman
from kl_derail.hybrid.policies import as_stochastic
from tests.hybrid import truth


@pytest.mark.parametrize("seed", range(3))
def test_values_equal_the_sum_over_all_paths(seed: int) -> None:
    mdp = truth.tiny_mdp(seed, horizon=3, states=2, actions=2)
    policy = np.random.default_rng(seed).dirichlet(np.ones(2), size=(3, 2))
    expected = truth.path_value(mdp.transitions, mdp.rewards, mdp.initial, policy)
    q = bellman.action_values(mdp.transitions, mdp.rewards, policy)
    assert mdp.initial @ (policy[0] * q[0]).sum(-1) == pytest.approx(expected, abs=1e-9)
    visits = bellman.occupancy(mdp.transitions, mdp.initial, policy)
    assert (visits * mdp.rewards).sum() == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(visits.sum(axis=(1, 2)), 1, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_optimum_equals_the_best_of_all_policies(seed: int) -> None:
    mdp = truth.tiny_mdp(seed)
    values = [
        truth.path_value(
            mdp.transitions, mdp.rewards, mdp.initial, as_stochastic(policy, mdp.shape)
        )
        for policy in truth.deterministic_policies(mdp.shape)
    ]
    best = bellman.optimal_action_values(mdp.transitions, mdp.rewards)[0].max(-1) @ mdp.initial
    assert best == pytest.approx(max(values), abs=1e-9)


def test_softmax_plays_by_its_own_values() -> None:
    mdp = truth.tiny_mdp(1, horizon=3)
    policy, q = bellman.softmax_action_values(mdp.transitions, mdp.rewards, 2.0)
    np.testing.assert_allclose(
        q, bellman.action_values(mdp.transitions, mdp.rewards, policy), atol=1e-12
    )
    weights = np.exp(2 * q)
    np.testing.assert_allclose(policy, weights / weights.sum(-1, keepdims=True), atol=1e-12)


def test_softmax_does_not_overflow() -> None:
    np.testing.assert_array_equal(bellman.softmax(np.array([0.0, 1.0]), 1e6), [0, 1])
    np.testing.assert_array_equal(bellman.softmax(np.array([0.0, 1.0]), -1e6), [1, 0])
