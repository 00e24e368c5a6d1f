"""Estimates by sampling against what they estimate."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.concentrability import (
    bandit_errors,
    concentrability,
    error_ratio,
    problem,
    sampled_concentrability,
    tabular_errors,
)
from kl_derail.hybrid.concentrability.sampled import Errors
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import TabularMDP
from tests.hybrid.concentrability import worlds


def episode_prices(mdp: TabularMDP, policy: np.ndarray, prices: np.ndarray, n: int, seed: int):
    data = collect(mdp, policy, n, np.random.default_rng(seed))
    each = prices[data.stage, data.state, data.action]
    return each.reshape(n, mdp.horizon).sum(axis=1)


def test_sampled_c_covers_the_exact_one_as_often_as_it_says() -> None:
    mdp = worlds.mdp()
    asked = problem(mdp)
    rho, pi = worlds.policy(mdp.shape, 1), worlds.policy(mdp.shape, 2)
    data = asked.occupancy(rho)
    exact = concentrability(asked, asked.occupancy(pi), data)
    prices = asked.prices(data)
    targets = episode_prices(mdp, pi, prices, 100 * 40, 0).reshape(100, 40)
    behaviours = episode_prices(mdp, rho, prices, 100 * 60, 1).reshape(100, 60)
    found = [sampled_concentrability(a, b) for a, b in zip(targets, behaviours, strict=True)]
    hits = np.mean([each.low <= exact <= each.high for each in found])
    assert hits >= 0.88
    assert found[0].n == 40


def test_sampled_c_is_infinite_where_data_never_were() -> None:
    assert sampled_concentrability([1.0, np.inf], [1.0, 2.0]).estimate == np.inf
    assert np.isnan(sampled_concentrability([2.0], [1.0]).low)
    assert sampled_concentrability([2.0], [1.0]).estimate == 4.0


def test_the_published_ratio_is_unsquared() -> None:
    errors = Errors(np.array([2.0, -4.0, 6.0]), np.array([-1.0, 2.0, 3.0]))
    assert error_ratio(errors).estimate == pytest.approx(2.0)


def test_the_behaviour_itself_has_ratio_1() -> None:
    mdp, rng = worlds.mdp(), np.random.default_rng(0)
    rho = worlds.policy(mdp.shape)
    found = error_ratio(tabular_errors(mdp, rho, rho, 30, 20, rng))
    assert found[:3] == (1.0, 1.0, 1.0)


def test_more_data_mean_smaller_errors_at_the_root() -> None:
    rng = np.random.default_rng(0)
    mdp, bandit, arms = worlds.mdp(), worlds.linear(), worlds.arms()
    for world, errors in ((mdp, tabular_errors), (bandit, bandit_errors), (arms, bandit_errors)):
        target, rho = policies.optimal(world), policies.uniform(world)
        few, many = (errors(world, target, rho, n, 300, rng).target for n in (500, 8000))
        assert few.std() / many.std() == pytest.approx(4, rel=0.25)


def test_one_state_has_the_binomial_error() -> None:
    """H = 2, one action, two states: the error of the value is that of a coin."""
    transitions = np.zeros((2, 2, 1, 2))
    transitions[:, :, 0] = 0.3, 0.7
    rewards = np.array([[[0.0], [0.0]], [[1.0], [0.0]]])
    mdp = TabularMDP(transitions, rewards, np.array([1.0, 0.0]))
    only = policies.uniform(mdp)
    errors = tabular_errors(mdp, only, only, 50, 2000, np.random.default_rng(0))
    assert errors.target.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 50), rel=0.07)
    assert abs(errors.target.mean()) < 4 * np.sqrt(0.3 * 0.7 / 50 / 2000)


def test_one_feature_has_the_error_of_a_mean() -> None:
    """D = 1: the ridge estimate is the mean reward of n uniform noises, shrunk a little."""
    linear = LinearBandit(np.ones((1, 1, 1)), np.array([0.5]), np.ones(1), noise=1.0)
    arms = ArmsBandit(np.ones((1, 1)), np.array([[0.5]]), np.ones(1), noise=1.0)
    for bandit in (linear, arms):
        only, rng = policies.uniform(bandit), np.random.default_rng(0)
        errors = bandit_errors(bandit, only, only, 100, 2000, rng, ridge=1e-9)
        assert errors.target.std() == pytest.approx(np.sqrt(1 / 3 / 100), rel=0.07)
        shrunk = bandit_errors(bandit, only, only, 100, 2000, rng, ridge=100.0)
        assert shrunk.target.mean() == pytest.approx(-0.25, abs=0.01)


def test_a_negative_number_of_episodes_is_refused() -> None:
    mdp, rng = worlds.mdp(), np.random.default_rng(0)
    with pytest.raises(UserError, match=r"episodes.*-1"):
        tabular_errors(mdp, policies.optimal(mdp), policies.uniform(mdp), -1, 2, rng)
