"""Finite-horizon tabular MDPs. S states, A actions, H horizon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays, bellman
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.base import Environment
from kl_derail.hybrid.policies import as_stochastic
from kl_derail.hybrid.sampling import cumulative, draw


@dataclass(frozen=True, eq=False)
class TabularMDP(Environment):
    """A finite-horizon MDP given by its arrays.

    Attributes:
        transitions: [H, S, A, S] probabilities of the next state.
        rewards: [H, S, A] mean rewards; known to the learner unless said otherwise.
        initial: [S] distribution of the first state.
        bernoulli: whether a reward is drawn as 0 or 1 with its mean; otherwise it is its mean.

    Raises:
        UserError: shapes that do not fit, values that are not finite, rows that do not sum to 1.
    """

    transitions: Floats
    rewards: Floats
    initial: Floats
    bernoulli: bool = False

    def __post_init__(self) -> None:
        for name, dimensions in (("transitions", 4), ("rewards", 3), ("initial", 1)):
            array = arrays.finite(name, getattr(self, name), dimensions)
            object.__setattr__(self, name, array)
        arrays.check_shape("transitions", self.transitions, (*self.shape, self.states))
        arrays.check_shape("initial", self.initial, (self.states,))
        arrays.check_rows("transitions", self.transitions)
        arrays.check_rows("initial", self.initial)
        if self.bernoulli and (self.rewards.min() < 0 or self.rewards.max() > 1):
            raise UserError("rewards: means in [0, 1] expected where rewards are drawn as 0 or 1")

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, S, A."""
        horizon, states, actions = self.rewards.shape
        return horizon, states, actions

    @cached_property
    def fingerprint(self) -> str:
        """Digits that tell this MDP from others."""
        kind = "tabular, rewards drawn" if self.bernoulli else "tabular"
        return arrays.fingerprint(kind, self.transitions, self.rewards, self.initial)

    @cached_property
    def optimal_action_values(self) -> Floats:
        """Q*, [H, S, A]."""
        return bellman.optimal_action_values(self.transitions, self.rewards)

    @cached_property
    def optimal_value(self) -> float:
        """V*, in expectation over the first state."""
        return float(self.initial @ self.optimal_action_values[0].max(axis=-1))

    def value(self, policy: Floats | Ints) -> float:
        """V^pi, exact, in expectation over the first state. Policy [H, S, A], or int [H, S]."""
        policy_HSA = as_stochastic(policy, self.shape)
        values_HSA = bellman.action_values(self.transitions, self.rewards, policy_HSA)
        return float(self.initial @ (policy_HSA[0] * values_HSA[0]).sum(axis=-1))

    def occupancy(self, policy: Floats | Ints) -> Floats:
        """d^pi, [H, S, A]; sums to 1 in every stage."""
        policy_HSA = as_stochastic(policy, self.shape)
        return bellman.occupancy(self.transitions, self.initial, policy_HSA)

    def reset(self, rng: np.random.Generator) -> int:
        """The first state of an episode; one uniform number."""
        return draw(self._cumulative_initial, rng)

    def step(
        self, stage: int, state: int, action: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """Reward and next state. One uniform number, then one more for a reward that is drawn."""
        next_state = draw(self._cumulative_transitions[stage, state, action], rng)
        reward = float(self.rewards[stage, state, action])
        return (float(rng.random() < reward) if self.bernoulli else reward), next_state

    @cached_property
    def _cumulative_initial(self) -> Floats:
        return cumulative(self.initial)

    @cached_property
    def _cumulative_transitions(self) -> Floats:
        return cumulative(self.transitions)


def random_mdp(
    rng: np.random.Generator, horizon: int = 3, states: int = 5, actions: int = 10
) -> TabularMDP:
    """Transitions uniform on the simplex, rewards uniform in [0, 1], a uniform first state."""
    shape = (horizon, states, actions)
    return TabularMDP(
        transitions=rng.dirichlet(np.ones(states), size=shape),
        rewards=rng.random(shape),
        initial=np.full(states, 1 / states),
    )
