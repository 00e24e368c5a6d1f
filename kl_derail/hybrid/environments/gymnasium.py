"""Any gymnasium environment with Discrete observations and actions, for finitely many steps."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.base import NO_STATE, Environment
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.policies import as_stochastic

SEEDS = 2**31
"""Every episode of a gymnasium environment is seeded anew with one of so many seeds."""


class GymnasiumEnvironment(Environment):
    """Episodes that end when the environment says so, or after H steps.

    Values, gaps and regrets are exact where the environment publishes its model (`P` and
    `initial_state_distrib`, as those of toy_text do), NaN elsewhere.
    """

    def __init__(
        self, environment: gymnasium.Env[Any, Any] | str, horizon: int | None = None
    ) -> None:
        """Play a gymnasium environment, or the one registered under this name.

        Args:
            environment: with Discrete spaces.
            horizon: H; None: that of its TimeLimit.

        Raises:
            UserError: unknown name, other spaces, or no time limit and no horizon.
        """
        self._env = _made(environment)
        self._name = self._env.spec.id if self._env.spec else type(self._env.unwrapped).__name__
        self._first = _offset(self._env.observation_space, f"{self._name}: observations")
        self._first_action = _offset(self._env.action_space, f"{self._name}: actions")
        self._horizon = _horizon(self._env, self._name, horizon)

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, S, A."""
        observations, actions = self._env.observation_space, self._env.action_space
        assert isinstance(observations, Discrete)
        assert isinstance(actions, Discrete)
        return self._horizon, int(observations.n), int(actions.n)

    @property
    def fingerprint(self) -> str:
        """Digits from the name, its arguments, the shape and, where it is known, the model."""
        kind = f"gymnasium {self._name} {self._env.spec.kwargs if self._env.spec else ''}"
        if self.model is None:
            return arrays.fingerprint(kind, list(self.shape))
        return arrays.fingerprint(f"{kind} {self.model.fingerprint}", list(self.shape))

    def reset(self, rng: np.random.Generator) -> int:
        """The first state. One uniform number seeds all chance of the episode."""
        state, _ = self._env.reset(seed=int(rng.random() * SEEDS))
        return int(state) - self._first

    def step(
        self, stage: int, state: int, action: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """Go on from where the environment is: steps follow each other, from `reset` on."""
        next_state, reward, terminated, _, _ = self._env.step(action + self._first_action)
        return float(reward), NO_STATE if terminated else int(next_state) - self._first

    @cached_property
    def model(self) -> TabularMDP | None:
        """The MDP behind, if published: one more state, the last, is where ended episodes rest."""
        inner = self._env.unwrapped
        if not (hasattr(inner, "P") and hasattr(inner, "initial_state_distrib")):
            return None
        return _model(inner.P, np.asarray(inner.initial_state_distrib), self.shape)

    @property
    def optimal_value(self) -> float:
        """V*, or NaN."""
        return self.model.optimal_value if self.model else float("nan")

    def value(self, policy: Floats | Ints) -> float:
        """V^pi, or NaN. Policy [H, S, A], or int [H, S]."""
        if self.model is None:
            return float("nan")
        policy_HSA = as_stochastic(policy, self.shape)
        return self.model.value(np.pad(policy_HSA, ((0, 0), (0, 1), (0, 0)), mode="edge"))


def _made(environment: gymnasium.Env[Any, Any] | str) -> gymnasium.Env[Any, Any]:
    if not isinstance(environment, str):
        return environment
    try:
        return gymnasium.make(environment)
    except (gymnasium.error.Error, ImportError) as error:
        raise UserError(f"gymnasium environment {environment}: {error}") from error


def _offset(space: gymnasium.Space[Any], where: str) -> int:
    if not isinstance(space, Discrete):
        raise UserError(f"{where}: a Discrete space expected, found {space}")
    return int(space.start)


def _horizon(env: gymnasium.Env[Any, Any], name: str, given: int | None) -> int:
    horizon = given if given is not None else (env.spec.max_episode_steps if env.spec else None)
    if horizon is None or horizon < 1:
        raise UserError(f"{name}: a horizon >= 1 expected, by TimeLimit or given; found {horizon}")
    return horizon


def _model(
    outcomes: dict[int, dict[int, list[tuple[float, int, float, bool]]]],
    initial_S: Floats,
    shape: tuple[int, int, int],
) -> TabularMDP:
    horizon, states, actions = shape
    transitions = np.zeros((states + 1, actions, states + 1))
    rewards = np.zeros((states + 1, actions))
    transitions[states, :, states] = 1
    for state, by_action in outcomes.items():
        for action, possible in by_action.items():
            for probability, next_state, reward, terminated in possible:
                transitions[state, action, states if terminated else next_state] += probability
                rewards[state, action] += probability * reward
    return TabularMDP(
        transitions=np.broadcast_to(transitions, (horizon, *transitions.shape)),
        rewards=np.broadcast_to(rewards, (horizon, *rewards.shape)),
        initial=np.append(initial_S, 0.0),
    )
