"""Policies as arrays, and the behaviours of the published study.

A policy is [..., S, A] with rows that sum to 1 ([H, S, A] for MDPs, [S, A] for bandits and
discounted MDPs), or an int array [..., S] of actions where it is deterministic.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays, bellman
from kl_derail.hybrid.arrays import Floats, Ints


class HasActionValues(Protocol):
    """An environment that knows Q*, [..., S, A]."""

    @property
    def optimal_action_values(self) -> Floats:
        """Q*, [..., S, A]."""


class HasModel(Protocol):
    """A finite-horizon MDP that knows its arrays."""

    @property
    def transitions(self) -> Floats:
        """[H, S, A, S]."""

    @property
    def rewards(self) -> Floats:
        """[H, S, A]."""


class HasRewards(Protocol):
    """A bandit that knows its mean rewards."""

    @property
    def rewards(self) -> Floats:
        """[S, A]."""


def as_stochastic(policy: Floats | Ints, shape: tuple[int, ...]) -> Floats:
    """The policy as probabilities [..., S, A]; actions [..., S] become rows with a single 1.

    Args:
        policy: probabilities, or actions (any integer type).
        shape: of the result, (H, S, A) or (S, A).

    Raises:
        UserError: another shape, actions outside 0..A-1, rows that do not sum to 1 within 1e-9.

    >>> as_stochastic(np.array([1, 0]), (2, 3))
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    given = np.asarray(policy)
    if np.issubdtype(given.dtype, np.integer):
        return _one_hot(given.astype(np.int64), shape)
    probabilities = arrays.finite("policy", given, len(shape))
    arrays.check_shape("policy", probabilities, shape)
    arrays.check_rows("policy", probabilities)
    return probabilities


def _one_hot(actions: Ints, shape: tuple[int, ...]) -> Floats:
    arrays.check_shape("policy", actions, shape[:-1])
    if actions.min() < 0 or actions.max() >= shape[-1]:
        found = f"{actions.min()}..{actions.max()}"
        raise UserError(f"policy: actions 0..{shape[-1] - 1} expected, found {found}")
    return np.eye(shape[-1])[actions]


def greedy(values: Floats) -> Ints:
    """The first best action of every state, int [..., S]."""
    return np.asarray(values.argmax(axis=-1), dtype=np.int64)


def optimal(environment: HasActionValues) -> Ints:
    """The optimal policy (of equals, the first action), int [..., S]."""
    return greedy(environment.optimal_action_values)


def uniform(environment: HasActionValues) -> Floats:
    """Every action alike, [..., S, A]."""
    shape = environment.optimal_action_values.shape
    return np.full(shape, 1 / shape[-1])


def softmax_rewards(bandit: HasRewards, scale: float) -> Floats:
    """Softmax of scale x mean reward, [S, A]; a negative scale prefers bad actions."""
    return bellman.softmax(bandit.rewards, scale)


def softmax_values(mdp: HasModel, scale: float) -> Floats:
    """Softmax of scale x Q, with Q the action values of this very policy, [H, S, A]."""
    return bellman.softmax_action_values(mdp.transitions, mdp.rewards, scale)[0]
