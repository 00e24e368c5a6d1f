"""What an environment is to an agent: first states, steps, and what a policy loses."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints

NO_STATE = -1
"""Next state of a step that ends the episode: nothing follows, and nothing more is earned."""


class Environment(ABC):
    """Episodes of at most H steps in S states with A actions. Subclass it for one of your own.

    `shape`, `fingerprint`, `reset` and `step` are needed. `value` and `optimal_value` where they
    are known: gaps and regrets are NaN otherwise.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of a stochastic policy: (H, S, A), or (S, A) for a bandit."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Digits that tell this environment from others, see `arrays.fingerprint`."""

    @abstractmethod
    def reset(self, rng: np.random.Generator) -> int:
        """Draw the first state (the context) of an episode."""

    @abstractmethod
    def step(
        self, stage: int, state: int, action: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """Draw the reward and the next state; NO_STATE where the episode ends."""

    @property
    def horizon(self) -> int:
        """Most steps of an episode."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def states(self) -> int:
        """How many states (contexts)."""
        return self.shape[-2]

    @property
    def actions(self) -> int:
        """How many actions."""
        return self.shape[-1]

    @property
    def optimal_value(self) -> float:
        """V*, in expectation over the first state."""
        return float("nan")

    def value(self, policy: Floats | Ints) -> float:
        """V^pi, in expectation over the first state."""
        return float("nan")

    def gap(self, policy: Floats | Ints) -> float:
        """Sub-optimality V* - V^pi."""
        return self.optimal_value - self.value(policy)

    def regret(self, policy: Floats | Ints, start: int) -> float:
        """What an episode by the policy loses in expectation; here V* - V^pi, whatever its start."""
        return self.gap(policy)
