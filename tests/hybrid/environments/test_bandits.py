"""Linear bandits and bandits with a model per arm: the same promises."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit, random_bandit
from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.environments.contextual import ContextualBandit

RNG = np.random.default_rng(0)
CONTEXTS = np.array([0.2, 0.3, 0.5])
LINEAR = LinearBandit(RNG.random((3, 4, 2)), np.array([0.3, -0.7]), CONTEXTS, 0.5)
ARMS = ArmsBandit(RNG.random((3, 2)), RNG.random((4, 2)), CONTEXTS, 0.5)
BANDITS = pytest.mark.parametrize("bandit", [LINEAR, ARMS], ids=["linear", "arms"])


def test_rewards_by_hand() -> None:
    for s, a in np.ndindex(3, 4):
        phi = LINEAR.features[s, a]
        assert LINEAR.rewards[s, a] == pytest.approx(0.3 * phi[0] - 0.7 * phi[1])
        expected = sum(ARMS.users[s, d] * ARMS.items[a, d] for d in range(2))
        assert ARMS.rewards[s, a] == pytest.approx(expected)


def test_random_bandit_is_the_published_one() -> None:
    bandit = random_bandit(np.random.default_rng(0))
    assert bandit.features.shape == (20, 100, 10)
    assert bandit.features[..., 0].min() > 0
    np.testing.assert_allclose(np.linalg.norm(bandit.features, axis=-1), 1, atol=1e-12)
    np.testing.assert_array_equal(bandit.theta, [1, *[0] * 9])
    np.testing.assert_array_equal(bandit.rewards, bandit.features[..., 0])


@BANDITS
def test_values_and_gaps_by_hand(bandit: ContextualBandit) -> None:
    policy = np.random.default_rng(1).dirichlet(np.ones(4), size=3)
    value = sum(CONTEXTS[s] * policy[s, a] * bandit.rewards[s, a] for s, a in np.ndindex(3, 4))
    best = sum(CONTEXTS[s] * max(bandit.rewards[s]) for s in range(3))
    assert bandit.value(policy) == pytest.approx(value, abs=1e-12)
    assert bandit.gap(policy) == pytest.approx(best - value, abs=1e-12)
    assert bandit.gap(policies.optimal(bandit)) == pytest.approx(0, abs=1e-12)
    assert (bandit.occupancy(policy) * bandit.rewards).sum() == pytest.approx(value, abs=1e-12)


@BANDITS
def test_regret_is_that_of_the_context_drawn(bandit: ContextualBandit) -> None:
    policy = np.array([0, 1, 2])
    regrets = np.array([bandit.regret(policy, s) for s in range(3)])
    expected = bandit.rewards.max(axis=1) - bandit.rewards[np.arange(3), policy]
    np.testing.assert_allclose(regrets, expected, atol=1e-12)
    assert CONTEXTS @ regrets == pytest.approx(bandit.gap(policy), abs=1e-12)


@BANDITS
def test_draws_follow_contexts_and_noise(bandit: ContextualBandit) -> None:
    rng = np.random.default_rng(0)
    contexts = np.bincount([bandit.reset(rng) for _ in range(5000)], minlength=3) / 5000
    np.testing.assert_allclose(contexts, CONTEXTS, atol=0.03)
    rewards, following = zip(*(bandit.step(0, 1, 2, rng) for _ in range(5000)), strict=True)
    assert set(following) == {NO_STATE}
    assert np.mean(rewards) == pytest.approx(bandit.rewards[1, 2], abs=0.02)
    assert np.ptp(rewards) == pytest.approx(1, abs=0.01)


@BANDITS
def test_shapes(bandit: ContextualBandit) -> None:
    assert (bandit.horizon, bandit.states, bandit.actions) == (1, 3, 4)
    assert policies.uniform(bandit).shape == (3, 4)


def test_fingerprints_tell_bandits_apart() -> None:
    quiet = LinearBandit(LINEAR.features, LINEAR.theta, CONTEXTS, 0.0)
    assert len({LINEAR.fingerprint, ARMS.fingerprint, quiet.fingerprint}) == 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LinearBandit(LINEAR.features, np.ones(3), CONTEXTS, 1.0), "theta: shape"),
        (lambda: LinearBandit(LINEAR.features, LINEAR.theta, np.ones(3), 1.0), "contexts: rows"),
        (lambda: LinearBandit(LINEAR.features, LINEAR.theta, CONTEXTS, -1.0), "noise: .* found -1"),
        (lambda: ArmsBandit(ARMS.users, np.ones((4, 3)), CONTEXTS, 1.0), "items: shape"),
        (lambda: ArmsBandit(ARMS.users, ARMS.items, np.full(2, 0.5), 1.0), "contexts: shape"),
        (lambda: ArmsBandit(ARMS.users, ARMS.items, CONTEXTS, np.nan), "noise: .* found nan"),
    ],
)
def test_impossible_bandits_are_one_line(build: object, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        build()
