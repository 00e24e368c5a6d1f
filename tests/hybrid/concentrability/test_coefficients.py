"""U and C against sums over trajectories, brute force over mixtures of policies, and a general LP solver."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from kl_derail.hybrid import policies
from kl_derail.hybrid.concentrability import (
    Problem,
    concentrability,
    coverage,
    default_gap,
    discounted_problem,
    problem,
    suboptimal_uncertainty,
    uncertainty,
)
from kl_derail.hybrid.environments.tabular import TabularMDP
from tests.hybrid.concentrability import worlds

WORLDS = (worlds.mdp, worlds.linear, worlds.arms)


def by_trajectories(mdp: TabularMDP, policy: np.ndarray) -> np.ndarray:
    """[H, S, A] visits, one trajectory at a time."""
    visits = np.zeros(mdp.shape)
    steps = itertools.product(range(mdp.states), range(mdp.actions))
    for path in itertools.product(list(steps), repeat=mdp.horizon):
        chance = mdp.initial[path[0][0]]
        for stage, (state, action) in enumerate(path):
            chance *= policy[stage, state, action]
            if stage + 1 < mdp.horizon:
                chance *= mdp.transitions[stage, state, action, path[stage + 1][0]]
        for stage, (state, action) in enumerate(path):
            visits[stage, state, action] += chance
    return visits


def brute_force(asked: Problem, prices: np.ndarray, gap: float, shape: tuple[int, ...]) -> float:
    """The largest U: an optimum of one more constraint mixes at most two deterministic policies."""
    visits = [asked.occupancy(each) for each in worlds.deterministic(shape)]
    value = np.array([np.vdot(each, asked.rewards) for each in visits])
    price = np.array([uncertainty(each, prices) for each in visits])
    at_most = value.max() - gap
    fits = value <= at_most
    best = price[fits].max(initial=-np.inf)
    for low, high in itertools.product(np.flatnonzero(fits), np.flatnonzero(~fits)):
        share = (at_most - value[low]) / (value[high] - value[low])
        if share > 0:
            best = max(best, (1 - share) * price[low] + share * price[high])
    return best


def general_lp(mdp: TabularMDP, prices: np.ndarray, gap: float) -> float:
    """The linear programme over occupancies, written down row by row and given to HiGHS."""
    horizon, states, _actions = mdp.shape
    index = np.arange(prices.size).reshape(mdp.shape)
    equal, right = [], []
    for stage, state in itertools.product(range(horizon), range(states)):
        row = np.zeros(prices.size)
        row[index[stage, state]] = 1
        if stage:
            row[index[stage - 1].ravel()] = -mdp.transitions[stage - 1, :, :, state].ravel()
        equal.append(row)
        right.append(0.0 if stage else mdp.initial[state])
    found = linprog(
        -prices.ravel(),
        A_ub=mdp.rewards.reshape(1, -1),
        b_ub=[mdp.optimal_value - gap],
        A_eq=equal,
        b_eq=right,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return np.nan if found.status == 2 else -found.fun


def test_tabular_scale_is_the_sum_over_trajectories() -> None:
    mdp = worlds.mdp()
    rho, pi = worlds.policy(mdp.shape, 1), worlds.policy(mdp.shape, 2)
    asked = problem(mdp)
    prices = asked.prices(asked.occupancy(rho))
    expected = (by_trajectories(mdp, pi) / np.sqrt(by_trajectories(mdp, rho))).sum()
    assert uncertainty(asked.occupancy(pi), prices) == pytest.approx(expected, rel=1e-12)


def test_linear_scale_is_dense_linear_algebra() -> None:
    bandit = worlds.linear()
    rho, pi = worlds.policy(bandit.shape, 1), worlds.policy(bandit.shape, 2)
    moment, expected = np.zeros((2, 2)), 0.0
    for state, action in np.ndindex(*bandit.shape):
        phi = bandit.features[state, action]
        moment += bandit.contexts[state] * rho[state, action] * np.outer(phi, phi)
    for state, action in np.ndindex(*bandit.shape):
        phi = bandit.features[state, action]
        norm = np.sqrt(phi @ np.linalg.inv(moment) @ phi)
        expected += bandit.contexts[state] * pi[state, action] * norm
    asked = problem(bandit)
    prices = asked.prices(asked.occupancy(rho))
    assert uncertainty(asked.occupancy(pi), prices) == pytest.approx(expected, rel=1e-9)


def test_arms_scale_is_dense_linear_algebra() -> None:
    bandit = worlds.arms()
    rho, pi = worlds.policy(bandit.shape, 1), worlds.policy(bandit.shape, 2)
    expected = 0.0
    for action in range(bandit.actions):
        weights = bandit.contexts * rho[:, action]
        inverse = np.linalg.inv((bandit.users.T * weights) @ bandit.users)
        norms = [np.sqrt(u @ inverse @ u) for u in bandit.users]
        expected += float(np.sum(bandit.contexts * pi[:, action] * norms))
    asked = problem(bandit)
    prices = asked.prices(asked.occupancy(rho))
    assert uncertainty(asked.occupancy(pi), prices) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("world", WORLDS)
@given(st.integers(0, 1000), st.floats(0, 1.2))
@settings(max_examples=25)
def test_the_worst_policy_is_that_of_brute_force(world, seed: int, share: float) -> None:
    environment = world(seed)
    asked = problem(environment)
    prices = asked.prices(asked.occupancy(worlds.policy(asked.rewards.shape, seed + 1)))
    least = np.vdot(asked.best(-asked.rewards), asked.rewards)
    gap = share * (environment.optimal_value - least)
    found = suboptimal_uncertainty(asked, prices, gap)
    if share > 1 + 1e-9:
        assert np.isnan(found)
    elif share < 1 - 1e-9:
        expected = brute_force(asked, prices, gap, asked.rewards.shape)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.3, 1.0, 5.0])
def test_the_worst_policy_of_the_published_size_is_that_of_highs(gap: float) -> None:
    from kl_derail.hybrid.environments.tabular import random_mdp

    mdp = random_mdp(np.random.default_rng(7))
    asked = problem(mdp)
    prices = asked.prices(asked.occupancy(policies.softmax_values(mdp, 2.0)))
    found = suboptimal_uncertainty(asked, prices, gap)
    assert found == pytest.approx(general_lp(mdp, prices, gap), rel=1e-9, nan_ok=True)
    assert np.isnan(found) == (gap == 5.0)


def discounted(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3), size=(3, 2)), rng.random((3, 2)), np.array([0.5, 0.3, 0.2])


def test_discounted_visits_are_their_series() -> None:
    transitions, rewards, initial = discounted(0)
    pi = worlds.policy((3, 2))
    step = np.einsum("sa,sat->st", pi, transitions)
    expected, now = np.zeros((3, 2)), initial
    for power in range(400):
        expected += 0.1 * 0.9**power * now[:, None] * pi
        now = now @ step
    asked = discounted_problem(transitions, rewards, initial, 0.9)
    found = asked.occupancy(pi)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    value_S = np.linalg.solve(np.eye(3) - 0.9 * step, (pi * rewards).sum(axis=1))
    assert np.vdot(found, asked.rewards) == pytest.approx(initial @ value_S, rel=1e-12)
    assert concentrability(asked, found, found) == pytest.approx(1, abs=1e-12)
    prices = asked.prices(np.full((3, 2), 1 / 6))
    np.testing.assert_allclose(prices, np.sqrt(6))


@pytest.mark.parametrize("seed", range(5))
def test_the_worst_discounted_policy_is_that_of_brute_force(seed: int) -> None:
    asked = discounted_problem(*discounted(seed), 0.9)
    prices = asked.prices(worlds.policy((3, 2), seed) / 3)
    for gap in (0.0, 0.05, 0.5):
        expected = brute_force(asked, prices, gap, (3, 2))
        assert suboptimal_uncertainty(asked, prices, gap) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("world", WORLDS)
def test_the_behaviour_itself_has_c_1(world) -> None:
    environment = world()
    asked = problem(environment)
    data = asked.occupancy(worlds.policy(asked.rewards.shape))
    assert concentrability(asked, data, data) == pytest.approx(1, abs=1e-12)
    greedy = asked.best(asked.rewards)
    assert coverage(asked, greedy, 0.0).c_optimal == pytest.approx(1, abs=1e-12)


def test_uniform_over_one_state_covers_every_policy_alike() -> None:
    shape = (3, 1, 4)
    mdp = TabularMDP(np.ones((*shape, 1)), np.random.default_rng(0).random(shape), np.ones(1))
    asked = problem(mdp)
    found = coverage(asked, asked.occupancy(policies.uniform(mdp)), 0.1)
    assert found.behaviour_scale == pytest.approx(3 * 4 / np.sqrt(4))
    assert found.c_optimal == pytest.approx(1)
    assert found.c_suboptimal == pytest.approx(1)
    assert found.ratio_optimal == pytest.approx(4)
    assert found.ratio_any == pytest.approx(4)


def test_orthonormal_arms_have_the_closed_form() -> None:
    """One context, unit vectors: U(arm) = 1 / sqrt(p), U(rho) = sum sqrt(p)."""
    from kl_derail.hybrid.environments.bandit import LinearBandit

    bandit = LinearBandit(np.eye(3)[None], np.array([0.9, 0.5, 0.1]), np.ones(1), 1.0)
    shares = np.array([0.2, 0.3, 0.5])
    asked = problem(bandit)
    found = coverage(asked, asked.occupancy(shares[None]), 0.4)
    scale = np.sqrt(shares).sum()
    assert found.c_optimal == pytest.approx(1 / 0.2 / scale**2)
    # A gap of 0.4: arm 1, arm 2, or half of arm 0 with half of arm 2, which is the dearest.
    mixed = 0.5 / np.sqrt(0.2) + 0.5 / np.sqrt(0.5)
    assert found.c_suboptimal == pytest.approx((max(mixed, 1 / np.sqrt(0.3)) / scale) ** 2)


def test_what_data_never_visit_is_infinite() -> None:
    mdp = worlds.mdp()
    asked = problem(mdp)
    found = coverage(asked, asked.occupancy(policies.optimal(mdp)), 0.1)
    assert found.c_optimal == 1
    assert found.c_suboptimal == np.inf
    assert found.ratio_any == np.inf


def test_what_no_policy_can_reach_costs_nothing() -> None:
    transitions = np.zeros((2, 2, 2, 2))
    transitions[..., 0] = 1
    mdp = TabularMDP(transitions, np.array([[[1.0, 0.0]] * 2] * 2), np.array([1.0, 0.0]))
    asked = problem(mdp)
    found = coverage(asked, asked.occupancy(policies.uniform(mdp)), 0.5)
    assert np.isfinite([found.c_optimal, found.c_suboptimal, found.ratio_any]).all()


def test_features_that_data_leave_out_are_infinite() -> None:
    bandit = worlds.linear()
    asked = problem(bandit)
    one_context = np.zeros(bandit.shape)
    one_context[0, 0] = 1.0
    assert np.isinf(asked.prices(one_context)).sum() == one_context.size - 1


def test_default_gap() -> None:
    assert default_gap(1000, 20_000) == pytest.approx(21_000**-0.5)
