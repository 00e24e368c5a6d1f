import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.ppo.returns import explained_variance, generalised_advantages, normalise


def slow_advantages(reward, agent, value, gamma, lam):
    """The definition, chat by chat, in the agent's own time."""
    advantage, target = np.zeros_like(reward), np.zeros_like(reward)
    for chat in range(reward.shape[1]):
        steps = np.flatnonzero(agent[:, chat])
        ends = [*steps, len(reward)][1:]
        earned = [reward[a:b, chat].sum() for a, b in zip(steps, ends, strict=True)]
        values = [*value[steps, chat], 0.0]
        deltas = [r + gamma * values[i + 1] - values[i] for i, r in enumerate(earned)]
        for i, step in enumerate(steps):
            total = sum((gamma * lam) ** k * delta for k, delta in enumerate(deltas[i:]))
            advantage[step, chat], target[step, chat] = total, total + values[i]
    return advantage, target


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 12),
    chats=st.integers(1, 4),
    gamma=st.sampled_from([1.0, 0.9, 0.3]),
    lam=st.sampled_from([1.0, 0.95, 0.0]),
)
def test_advantages_are_those_of_the_definition(seed, steps, chats, gamma, lam):
    rng = np.random.default_rng(seed)
    reward = rng.random((steps, chats)) * (rng.random((steps, chats)) < 0.3)
    agent = rng.random((steps, chats)) < 0.5
    value = rng.normal(size=(steps, chats))
    found = generalised_advantages(
        *map(torch.from_numpy, (reward, agent, value)), gamma=gamma, lam=lam
    )
    advantage, target = slow_advantages(reward, agent, value, gamma, lam)
    np.testing.assert_allclose(found.advantage, advantage, atol=1e-12)
    np.testing.assert_allclose(found.target, target, atol=1e-12)


def test_monte_carlo_target_is_the_reward_still_to_come():
    reward = torch.tensor([[0.0, 0.5], [0.25, 0.0], [0.0, 1.0]])
    found = generalised_advantages(reward, torch.ones(3, 2, dtype=torch.bool), torch.rand(3, 2))
    torch.testing.assert_close(found.target, torch.tensor([[0.25, 1.5], [0.25, 1.0], [0.0, 1.0]]))


def test_values_where_others_speak_do_not_matter():
    reward = torch.rand(6, 2)
    agent = torch.tensor([[True, False]] * 3 + [[False, True]] * 3)
    value = torch.rand(6, 2)
    changed = torch.where(agent, value, 1e6)
    for a, b in zip(
        generalised_advantages(reward, agent, value, lam=0.5),
        generalised_advantages(reward, agent, changed, lam=0.5),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_normalised_advantages_have_mean_zero_and_deviation_one():
    found = normalise(torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 7 + 3)
    assert float(found.mean()) == pytest.approx(0, abs=1e-5)
    assert float(found.std(unbiased=False)) == pytest.approx(1, abs=1e-5)


def test_equal_advantages_are_no_reason_to_move():
    assert normalise(torch.full((5,), 3.0)).tolist() == [0.0] * 5


def test_explained_variance():
    target = torch.tensor([1.0, 2.0, 3.0])
    assert explained_variance(target, target) == 1
    assert explained_variance(torch.zeros(3), target) == pytest.approx(0)
    assert math.isnan(explained_variance(target, torch.ones(3)))
