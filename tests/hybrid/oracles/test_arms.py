from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.data import OfflineData, collect
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.oracles.arms import ArmsOracle
from kl_derail.hybrid.oracles.linear import constant, elliptical
from tests.hybrid import truth

RNG = np.random.default_rng(0)
BANDIT = ArmsBandit(RNG.random((3, 2)), RNG.random((4, 2)), np.array([0.2, 0.3, 0.5]), 1.0)
BETA = 1.7


def some_data(n: int, seed: int = 0) -> OfflineData:
    return collect(BANDIT, policies.uniform(BANDIT), n, np.random.default_rng(seed))


def new_oracle(running: bool = False) -> ArmsOracle:
    return ArmsOracle(BANDIT.users, 4, BANDIT.contexts, constant(BETA), running=running)


def dense(data: OfflineData) -> tuple[np.ndarray, np.ndarray]:
    """V^ and ||u|| by plain linear algebra, arm by arm, [S, A] each."""
    values, norms = np.zeros((3, 4)), np.zeros((3, 4))
    for arm in range(4):
        phi = BANDIT.users[data.state[data.action == arm]]
        moment = np.eye(2) + phi.T @ phi
        theta = np.linalg.solve(moment, phi.T @ data.reward[data.action == arm])
        for user, factors in enumerate(BANDIT.users):
            values[user, arm] = factors @ theta
            norms[user, arm] = np.sqrt(factors @ np.linalg.solve(moment, factors))
    return values, norms


@pytest.mark.parametrize("n", [0, 2, 60])
def test_estimates_equal_dense_algebra(n: int) -> None:
    data = some_data(n)
    oracle, (values, norms) = new_oracle().learn(data), dense(data)
    np.testing.assert_allclose(oracle.values, values, atol=1e-9)
    np.testing.assert_allclose(oracle.uncertainties, BETA * norms, atol=1e-9)
    policy = np.random.default_rng(1).dirichlet(np.ones(4), size=3)
    weights = BANDIT.contexts[:, None] * policy
    everywhere = [(weights * x).sum() for x in (values, BETA * norms)]
    np.testing.assert_allclose(oracle.estimate(policy), everywhere, atol=1e-9)
    here = [policy[2] @ x[2] for x in (values, BETA * norms)]
    np.testing.assert_allclose(oracle.estimate(policy, context=2), here, atol=1e-9)


@pytest.mark.parametrize("weights", [(1, 1), (0, 1), (1, -1)])
def test_argmax_is_the_best_of_all_policies(weights: tuple[float, float]) -> None:
    oracle = new_oracle().learn(some_data(60))

    def score(policy: np.ndarray) -> float:
        return float(np.dot(weights, oracle.estimate(policy)))

    best = max(map(score, truth.deterministic_policies(BANDIT.shape)))
    assert score(oracle.argmax(*weights)) == pytest.approx(best, abs=1e-9)


def test_one_by_one_is_all_at_once() -> None:
    data, one_by_one = some_data(40), new_oracle()
    for step in data.steps():
        one_by_one.update(step)
    at_once = new_oracle().learn(data)
    np.testing.assert_allclose(one_by_one.values, at_once.values, atol=1e-9)
    np.testing.assert_allclose(one_by_one.uncertainties, at_once.uncertainties, atol=1e-9)


def test_published_rule_written_out() -> None:
    """w = min(w, 1, beta ||u||) and v = max(v, 0, estimate - w), for the arm just played."""
    oracle, steps = new_oracle(running=True), list(some_data(40).steps())
    width, lower = np.ones((3, 4)), np.zeros((3, 4))
    for t, step in enumerate(steps, start=1):
        oracle.update(step)
        values, norms = dense(some_data(t))
        arm = step.action
        width[:, arm] = np.minimum(width[:, arm], BETA * norms[:, arm])
        lower[:, arm] = np.maximum(lower[:, arm], values[:, arm] - width[:, arm])
        np.testing.assert_allclose(oracle.uncertainties, width, atol=1e-12)
        np.testing.assert_array_equal(oracle.argmax(0, 1), width.argmax(axis=1))
        np.testing.assert_array_equal(oracle.argmax(1, -1), lower.argmax(axis=1))


def test_arms_without_data_keep_the_published_start() -> None:
    data = collect(BANDIT, np.zeros(3, dtype=int), 50, np.random.default_rng(0))
    oracle = new_oracle(running=True).learn(data)
    assert (oracle.uncertainties[:, 1:] == 1).all()
    assert (oracle.uncertainties[:, 0] < 1).all()
    assert (oracle.argmax(0, 1) == 1).all()


def test_elliptical_radius_covers_all_arms_at_all_times() -> None:
    delta, failed = 0.2, 0
    norm = float(np.linalg.norm(BANDIT.items, axis=1).max())
    for run in range(40):
        radius = elliptical(1.0, norm, delta / 4)
        oracle, outside = ArmsOracle(BANDIT.users, 4, BANDIT.contexts, radius), False
        for step in some_data(60, seed=run).steps():
            oracle.update(step)
            error = np.abs(oracle.values - BANDIT.rewards)
            outside |= bool((error > oracle.uncertainties).any())
        failed += outside
    assert failed <= 40 * delta


def test_data_of_another_shape_are_refused() -> None:
    mdp = truth.tiny_mdp(0)
    data = collect(mdp, policies.uniform(mdp), 1, np.random.default_rng(0))
    with pytest.raises(UserError, match=r"\(2, 2, 3\) do not fit one of \(3, 4\)"):
        new_oracle().learn(data)
