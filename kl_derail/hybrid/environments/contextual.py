"""What all contextual bandits share: an episode is one context, one action, one noisy reward."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.base import NO_STATE, Environment
from kl_derail.hybrid.policies import as_stochastic
from kl_derail.hybrid.sampling import cumulative, draw, uniform_noise


class ContextualBandit(Environment):
    """S contexts, A actions, horizon 1, uniform noise. Subclasses say what the mean rewards are."""

    contexts: Floats
    noise: float

    @property
    @abstractmethod
    def rewards(self) -> Floats:
        """Mean rewards, [S, A]."""

    @property
    def shape(self) -> tuple[int, int]:
        """S, A."""
        states, actions = self.rewards.shape
        return states, actions

    @property
    def optimal_action_values(self) -> Floats:
        """Q* is the mean reward, [S, A]."""
        return self.rewards

    @cached_property
    def optimal_value(self) -> float:
        """Mean reward of the best action, in expectation over contexts."""
        return float(self.contexts @ self.rewards.max(axis=-1))

    def value(self, policy: Floats | Ints) -> float:
        """Mean reward, exact, in expectation over contexts. Policy [S, A], or int [S]."""
        policy_SA = as_stochastic(policy, self.shape)
        return float(self.contexts @ (policy_SA * self.rewards).sum(axis=-1))

    def occupancy(self, policy: Floats | Ints) -> Floats:
        """How probable each context and action are, [S, A]; sums to 1."""
        return self.contexts[:, None] * as_stochastic(policy, self.shape)

    def regret(self, policy: Floats | Ints, start: int) -> float:
        """What the policy loses at the context that was drawn: max r - E_pi r."""
        row = as_stochastic(policy, self.shape)[start]
        return float(self.rewards[start].max() - row @ self.rewards[start])

    def reset(self, rng: np.random.Generator) -> int:
        """A context; one uniform number."""
        return draw(self._cumulative_contexts, rng)

    def step(
        self, stage: int, state: int, action: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """A noisy reward, and NO_STATE. One uniform number."""
        return float(self.rewards[state, action]) + uniform_noise(self.noise, rng), NO_STATE

    @cached_property
    def _cumulative_contexts(self) -> Floats:
        return cumulative(self.contexts)
