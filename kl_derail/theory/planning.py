"""Expectimax over the continuations that a mixture foresees.

Values are those of chats that go on: where the mixture may halt instead of observing, observations
are given that one comes; an action after which none can come is not possible; and a history
without a possible action is a dead end, where both actions, and all that follows, are even.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kl_derail.theory.compiled import Floats
from kl_derail.theory.programs.utilities import Utility


def observation_chances(log_masses: Floats) -> list[Floats]:
    """M arrays [4^j, 2, 2]: probability of each observation after history j and action.

    Even, where the mixture holds the action to be impossible.

    Args:
        log_masses: heap [2^(2 m + 1)], as `mixture.continuations` gives it.
    """
    turns = (len(log_masses).bit_length() - 2) // 2
    return [
        given(log_masses[4**turn : 2 * 4**turn].reshape(-1, 2, 2)) for turn in range(1, turns + 1)
    ]


def given(log_masses: Floats) -> Floats:
    """Probabilities along the last axis, from logs of masses with any sum; even where all are -inf."""
    top = log_masses.max(axis=-1, keepdims=True)
    masses = np.where(top > -np.inf, np.exp(log_masses - np.where(top > -np.inf, top, 0)), 1.0)
    return np.asarray(masses / masses.sum(axis=-1, keepdims=True))


def action_values(log_masses: Floats, utility: Utility) -> list[Floats]:
    """M arrays [4^j, 2]: best expected utility of the turns to come after history j and each action.

    Minus infinity for an action that is not possible, unless neither is.

    Args:
        log_masses: heap [2^(2 m + 1)], as `mixture.continuations` gives it.
        utility: its rewards count in each of the m turns.
    """
    chances = observation_chances(log_masses)
    ahead, found = np.zeros(4 ** len(chances)), list[Floats]()
    for turn, chance in reversed(list(enumerate(chances))):
        values = (chance * (utility.rewards() + ahead.reshape(chance.shape))).sum(axis=2)
        seen = log_masses[4 ** (turn + 1) : 2 * 4 ** (turn + 1)].reshape(-1, 2, 2)
        possible = seen.max(axis=2) > -np.inf
        found.insert(0, np.where(possible | ~possible.any(axis=1, keepdims=True), values, -np.inf))
        ahead = best_possible(values, possible)
    return found


def best_possible(values: Floats, possible: npt.NDArray[np.bool_]) -> Floats:
    """[N] the best of the possible actions' values [N, 2]; the mean at a dead end."""
    best = np.where(possible, values, -np.inf).max(axis=1)
    return np.asarray(np.where(possible.any(axis=1), best, values.mean(axis=1)))


def best_action(log_masses: Floats, utility: Utility) -> int:
    """The first action of the best plan; 0 where both are as good."""
    return int(np.argmax(action_values(log_masses, utility)[0][0]))
