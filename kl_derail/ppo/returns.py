"""Returns and advantages in the agent's own time: one step a decision of the agent, however long the others speak."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Advantages(NamedTuple):
    """Both [steps, B] float32, 0 where the agent did not choose.

    Attributes:
        advantage: how much better than the value the decision turned out.
        target: what the value should have been.
    """

    advantage: Tensor
    target: Tensor


def generalised_advantages(
    reward: Tensor, agent: Tensor, value: Tensor, *, gamma: float = 1.0, lam: float = 1.0
) -> Advantages:
    """Generalised advantage estimation over the agent's decisions.

    Schulman et al., "High-dimensional continuous control using generalized advantage estimation", 2016, eq. 16; `lam`
    = 1 is the Monte-Carlo return minus the value. What is rewarded while others speak belongs to the agent's decision
    before it; episodes end with the last step.

    Args:
        reward: [steps, B] float, reward received at each token.
        agent: [steps, B] bool, whether the agent chose the token.
        value: [steps, B] float, value before the decision; anything where the agent did not choose.
        gamma: discount from one decision to the next.
        lam: 1 is Monte Carlo, 0 one-step temporal difference.

    >>> reward = torch.tensor([[0.0], [0.0], [1.0], [0.0]])
    >>> agent = torch.tensor([[True], [True], [False], [True]])
    >>> generalised_advantages(reward, agent, torch.zeros(4, 1), gamma=0.5).target.squeeze(1).tolist()
    [0.5, 1.0, 0.0, 0.0]
    """
    zero = torch.zeros_like(reward[0])
    advantage, target = torch.zeros_like(reward), torch.zeros_like(reward)
    earned, next_value, next_advantage = zero, zero, zero
    for step in range(len(reward) - 1, -1, -1):
        earned = earned + reward[step]
        surprise = earned + gamma * next_value - value[step]
        here = surprise + gamma * lam * next_advantage
        advantage[step] = torch.where(agent[step], here, zero)
        target[step] = torch.where(agent[step], here + value[step], zero)
        next_advantage = torch.where(agent[step], here, next_advantage)
        next_value = torch.where(agent[step], value[step], next_value)
        earned = torch.where(agent[step], zero, earned)
    return Advantages(advantage, target)


def normalise(advantage: Tensor, epsilon: float = 1e-8) -> Tensor:
    """[N] advantages with mean 0 and standard deviation 1; all zero where they do not differ."""
    centred = advantage - advantage.mean()
    return centred / (centred.square().mean().sqrt() + epsilon)


def explained_variance(value: Tensor, target: Tensor) -> float:
    """1 - Var(target - value) / Var(target); NaN where the target does not vary."""
    spread = target.var(unbiased=False)
    return float(1 - (target - value).var(unbiased=False) / spread) if spread > 0 else float("nan")
