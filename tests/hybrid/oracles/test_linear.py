from __future__ import annotations

import math

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.data import OfflineData, Step, collect
from kl_derail.hybrid.environments.bandit import random_bandit
from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.oracles.linear import LinearOracle, constant, elliptical
from tests.hybrid import truth

BANDIT = random_bandit(np.random.default_rng(0), contexts=3, arms=4, dimension=3)
BETA = 1.7


def some_data(n: int, seed: int = 0) -> OfflineData:
    return collect(BANDIT, policies.uniform(BANDIT), n, np.random.default_rng(seed))


def oracle_of(data: OfflineData, exploration: float | None = None) -> LinearOracle:
    oracle = LinearOracle(BANDIT.features, BANDIT.contexts, constant(BETA), exploration=exploration)
    return oracle.learn(data)


def dense(data: OfflineData) -> tuple[np.ndarray, np.ndarray]:
    """V^ and ||phi|| by plain linear algebra, [S, A] each."""
    phi = BANDIT.features[data.state, data.action]
    moment = np.eye(3) + sum((np.outer(x, x) for x in phi), np.zeros((3, 3)))
    target = sum((x * r for x, r in zip(phi, data.reward, strict=True)), np.zeros(3))
    theta, inverse = np.linalg.solve(moment, target), np.linalg.inv(moment)
    norms = np.sqrt(np.einsum("sad,de,sae->sa", BANDIT.features, inverse, BANDIT.features))
    return BANDIT.features @ theta, norms


@pytest.mark.parametrize("n", [0, 1, 50])
def test_estimates_equal_dense_algebra(n: int) -> None:
    data = some_data(n)
    oracle, (values, norms) = oracle_of(data), dense(data)
    policy = np.random.default_rng(1).dirichlet(np.ones(4), size=3)
    everywhere = [(policy * x).sum(axis=1).mean() for x in (values, BETA * norms)]
    np.testing.assert_allclose(oracle.estimate(policy), everywhere, atol=1e-9)
    here = [policy[1] @ x[1] for x in (values, BETA * norms)]
    np.testing.assert_allclose(oracle.estimate(policy, context=1), here, atol=1e-9)


@pytest.mark.parametrize("n", [1, 50])
@pytest.mark.parametrize("weights", [(1, 1), (0, 1), (1, -1)])
def test_argmax_is_the_best_of_all_policies(n: int, weights: tuple[float, float]) -> None:
    oracle = oracle_of(some_data(n))

    def score(policy: np.ndarray) -> float:
        return float(np.dot(weights, oracle.estimate(policy)))

    best = max(map(score, truth.deterministic_policies(BANDIT.shape)))
    assert score(oracle.argmax(*weights)) == pytest.approx(best, abs=1e-9)


def test_one_by_one_is_all_at_once() -> None:
    data = some_data(30)
    one_by_one = LinearOracle(BANDIT.features, BANDIT.contexts, constant(BETA))
    for step in data.steps():
        one_by_one.update(step)
    policy = policies.uniform(BANDIT)
    np.testing.assert_allclose(
        one_by_one.estimate(policy), oracle_of(data).estimate(policy), atol=1e-9
    )


def test_published_bonus_is_renewed_at_its_context_alone() -> None:
    data = some_data(50)
    oracle, (values, norms) = oracle_of(data, exploration=2.0), dense(data)
    np.testing.assert_array_equal(oracle.uncertainties(), np.ones((3, 4)))
    oracle.visit(1)
    expected = np.ones((3, 4))
    expected[1] = np.minimum(1, 2 * norms[1])
    np.testing.assert_allclose(oracle.uncertainties(), expected, atol=1e-12)
    np.testing.assert_array_equal(oracle.argmax(1, 1), (values + expected).argmax(axis=1))
    np.testing.assert_array_equal(oracle.argmax(0, 1), expected.argmax(axis=1))
    np.testing.assert_array_equal(oracle.argmax(1, -1), (values - BETA * norms).argmax(axis=1))


def test_published_bonus_is_a_running_minimum() -> None:
    oracle = oracle_of(some_data(0), exploration=1.0)
    last = oracle.uncertainties().copy()
    for step in some_data(20, seed=3).steps():
        oracle.visit(step.state)
        assert (oracle.uncertainties() <= last).all()
        last = oracle.uncertainties().copy()
        oracle.update(step)


def test_first_of_equal_arms() -> None:
    features = np.tile(np.eye(2)[0], (1, 3, 1))
    oracle = LinearOracle(features, np.ones(1), constant(1.0))
    oracle.update(Step(0, 0, 2, 1.0, NO_STATE))
    assert oracle.argmax(1, 1).tolist() == [0]


def test_elliptical_radius_covers_all_arms_at_all_times() -> None:
    delta, failed = 0.2, 0
    for run in range(60):
        oracle = LinearOracle(BANDIT.features, BANDIT.contexts, elliptical(1.0, 1.0, delta))
        outside = False
        for step in some_data(60, seed=run).steps():
            oracle.update(step)
            error = np.abs(oracle.values() - BANDIT.rewards)
            outside |= bool((error > oracle.uncertainties()).any())
        failed += outside
    assert failed <= 60 * delta


def test_elliptical_radius_follows_the_determinant() -> None:
    data = some_data(50)
    oracle = LinearOracle(BANDIT.features, BANDIT.contexts, elliptical(0.5, 2.0, 0.1)).learn(data)
    phi = BANDIT.features[data.state, data.action]
    ratio = math.log(np.linalg.det(np.eye(3) + phi.T @ phi))
    radius = 0.5 * math.sqrt(2 * math.log(10) + ratio) + 2.0
    np.testing.assert_allclose(oracle.uncertainties(), radius * dense(data)[1], atol=1e-9)


def test_data_of_another_shape_are_refused() -> None:
    mdp = truth.tiny_mdp(0)
    data = collect(mdp, policies.uniform(mdp), 1, np.random.default_rng(0))
    with pytest.raises(UserError, match=r"\(2, 2, 3\) do not fit one of \(3, 4\)"):
        LinearOracle(BANDIT.features, BANDIT.contexts, constant(BETA)).learn(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delta": 0.0}, "delta: a number > 0 and < 1 expected, found 0.0"),
        ({"noise": -1.0}, "noise: a finite number >= 0 expected, found -1.0"),
        ({"norm": np.nan}, "norm: a finite number >= 0 expected, found nan"),
    ],
)
def test_radii_without_meaning_are_one_line(change: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        elliptical(**{"noise": 1.0, "norm": 1.0, "delta": 0.1, **change})
    with pytest.raises(UserError, match=r"^scale: a finite number >= 0 expected, found inf$"):
        constant(np.inf)
