from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.environments.tabular import TabularMDP, random_mdp
from tests.hybrid import truth


def test_random_mdp_has_the_published_shape() -> None:
    mdp = random_mdp(np.random.default_rng(0))
    assert (mdp.horizon, mdp.states, mdp.actions) == (3, 5, 10)
    assert 0 <= mdp.rewards.min() < mdp.rewards.max() <= 1
    np.testing.assert_array_equal(mdp.initial, np.full(5, 0.2))


def test_transitions_are_uniform_on_the_simplex() -> None:
    # a coordinate of the uniform distribution on the simplex of 3 is Beta(1, 2): variance 1/18
    mdp = random_mdp(np.random.default_rng(0), horizon=20, states=3, actions=300)
    assert mdp.transitions.mean() == pytest.approx(1 / 3)
    assert mdp.transitions.var() == pytest.approx(1 / 18, rel=0.03)


def test_gaps_and_regrets_are_exact() -> None:
    mdp = truth.tiny_mdp(0)
    values = [
        truth.path_value(
            mdp.transitions, mdp.rewards, mdp.initial, policies.as_stochastic(policy, mdp.shape)
        )
        for policy in truth.deterministic_policies(mdp.shape)
    ]
    found = [mdp.gap(policy) for policy in truth.deterministic_policies(mdp.shape)]
    np.testing.assert_allclose(found, max(values) - np.array(values), atol=1e-9)
    assert mdp.regret(policies.uniform(mdp), start=1) == mdp.gap(policies.uniform(mdp))


def test_rewards_drawn_have_their_mean() -> None:
    sure = truth.tiny_mdp(0)
    mdp = TabularMDP(sure.transitions, sure.rewards, sure.initial, bernoulli=True)
    rng = np.random.default_rng(0)
    rewards = [mdp.step(1, 0, 2, rng)[0] for _ in range(4000)]
    assert set(rewards) == {0.0, 1.0}
    assert np.mean(rewards) == pytest.approx(mdp.rewards[1, 0, 2], abs=0.03)
    assert mdp.fingerprint != sure.fingerprint


def test_fingerprints_tell_environments_apart() -> None:
    assert truth.tiny_mdp(0).fingerprint == truth.tiny_mdp(0).fingerprint
    assert truth.tiny_mdp(0).fingerprint != truth.tiny_mdp(1).fingerprint


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("transitions", lambda x: x * 0.9, "transitions: rows must sum to 1"),
        ("transitions", lambda x: x[:1], r"transitions: shape \(2, 2, 3, 2\) expected"),
        ("rewards", lambda x: x * np.nan, "rewards: 12 values are not finite"),
        ("initial", lambda x: x[:1], r"initial: shape \(2,\) expected"),
        ("initial", lambda x: x + 0.1, "initial: rows must sum to 1"),
    ],
)
def test_impossible_arrays_are_one_line(name: str, change: object, message: str) -> None:
    mdp = truth.tiny_mdp(0)
    arrays = {key: getattr(mdp, key) for key in ("transitions", "rewards", "initial")}
    arrays[name] = change(arrays[name])
    with pytest.raises(UserError, match=f"^{message}"):
        TabularMDP(**arrays)


def test_chances_outside_0_and_1_cannot_be_drawn() -> None:
    mdp = truth.tiny_mdp(0)
    with pytest.raises(UserError, match=r"means in \[0, 1\]"):
        TabularMDP(mdp.transitions, mdp.rewards + 1, mdp.initial, bernoulli=True)
