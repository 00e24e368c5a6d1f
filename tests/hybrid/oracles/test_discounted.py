"""The discounted reference against linear algebra and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kl_derail.hybrid.data import Step
from kl_derail.hybrid.oracles.discounted import DiscountedOracle, value_iteration

S, A, GAMMA = 4, 2, 0.9


def filled(rng, steps=40, tolerance=1e-12, scale=0.3):
    oracle = DiscountedOracle(rng.random((S, A)), np.full(S, 1 / S), GAMMA, scale, tolerance)
    for state, action, following in zip(
        *(rng.integers(n, size=steps) for n in (S - 1, A, S)), strict=True
    ):
        oracle.update(Step(0, int(state), int(action), 0.0, int(following)))
    return oracle


def policy_values(gains_SA, transitions_SAS, policy):
    rows = np.arange(S)
    return np.linalg.solve(
        np.eye(S) - GAMMA * transitions_SAS[rows, policy], gains_SA[rows, policy]
    )


@pytest.mark.parametrize(("value", "uncertainty"), [(1, 1), (0, 1), (1, 0)])
def test_argmax_is_the_best_of_all_policies(value, uncertainty):
    rng = np.random.default_rng(5)
    oracle = filled(rng)
    gains = value * oracle._rewards_SA + uncertainty * oracle.bonuses()
    everything = [
        policy_values(gains, oracle.transitions(), list(policy))
        for policy in itertools.product(range(A), repeat=S)
    ]
    solution = oracle.solve(value, uncertainty)
    np.testing.assert_allclose(solution.values, np.max(everything, axis=0), atol=1e-9)
    estimate = oracle.estimate(oracle.argmax(value, uncertainty))
    assert value * estimate.value + uncertainty * estimate.uncertainty == pytest.approx(
        np.max(everything, axis=0).mean(), abs=1e-9
    )


def test_rows_without_data_are_uniform_and_fully_uncertain():
    oracle = filled(np.random.default_rng(0))
    np.testing.assert_array_equal(oracle.transitions()[S - 1], np.full((A, S), 1 / S))
    np.testing.assert_array_equal(oracle.bonuses()[S - 1], 1)
    visits = oracle.counts.sum(axis=2)[: S - 1]
    np.testing.assert_allclose(oracle.bonuses()[: S - 1], np.minimum(1, 0.3 / np.sqrt(visits)))
    np.testing.assert_allclose(oracle.transitions().sum(axis=2), 1)


def test_pessimism_is_clipped_below_at_zero():
    oracle = DiscountedOracle(np.zeros((S, A)), np.full(S, 1 / S), GAMMA, 1.0, 1e-9)
    solution = oracle.solve(1, -1)
    np.testing.assert_array_equal(solution.values, 0)
    np.testing.assert_array_equal(solution.policy, 0)


def test_the_tolerance_bounds_the_error_and_a_warm_start_ends_at_once():
    rng = np.random.default_rng(1)
    gains, transitions = rng.random((S, A)), rng.dirichlet(np.ones(S), (S, A))
    exact = value_iteration(gains, transitions, GAMMA, 1e-13, np.zeros(S))
    coarse = value_iteration(gains, transitions, GAMMA, 1e-3, np.zeros(S))
    assert np.abs(coarse.values - exact.values).max() <= 1e-3 * GAMMA / (1 - GAMMA)
    assert coarse.sweeps < exact.sweeps
    assert value_iteration(gains, transitions, GAMMA, 1e-3, exact.values).sweeps == 1


def test_equal_actions_yield_the_first():
    transitions = np.full((S, A, S), 1 / S)
    gains = np.ones((S, A)) + np.array([0.0, 1e-12])
    assert not value_iteration(gains, transitions, GAMMA, 1e-9, np.zeros(S)).policy.any()
