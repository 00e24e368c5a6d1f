"""Sparse counts of transitions: memory grows with what was seen, not with H x S x A x S."""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.base import NO_STATE


class TransitionCounts:
    """How often each (h, s, a) was visited, and what followed.

    Attributes:
        visits: [H, S, A].
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.visits: Floats = np.zeros(shape)
        self._stages = [_Followers(shape[1]) for _ in range(shape[0])]

    def add(self, stage: int, state: int, action: int, next_state: int) -> None:
        """Count one step; NO_STATE counts as a visit that nothing followed."""
        self.visits[stage, state, action] += 1
        if next_state != NO_STATE:
            self._stages[stage].add(state * self.visits.shape[2] + action, next_state)

    def add_all(self, stage: Ints, state: Ints, action: Ints, next_state: Ints) -> None:
        """Count many steps, all [N]."""
        np.add.at(self.visits, (stage, state, action), 1)
        row = state * self.visits.shape[2] + action
        for h, followers in enumerate(self._stages):
            chosen = (stage == h) & (next_state != NO_STATE)
            followers.add_all(row[chosen], next_state[chosen])

    def expectation(self, stage: int, values_S: Floats) -> Floats:
        """P^_h V, [S, A], summed over next states in ascending order; 0 where n = 0."""
        visits_SA = self.visits[stage]
        rows, next_states, counts = self._stages[stage].entries()
        terms = counts / visits_SA.ravel()[rows] * values_S[next_states]
        sums = np.bincount(rows, terms, visits_SA.size).astype(np.float64)  # of nothing: integers
        return sums.reshape(visits_SA.shape)

    def deviation(self, stage: int) -> Floats:
        """Sum of sqrt(p^ (1 - p^)) over next states and the end of the episode, [S, A]."""
        visits = self.visits[stage].ravel()
        rows, _, counts = self._stages[stage].entries()
        shares = counts / visits[rows]
        followed = np.bincount(rows, counts, visits.size) / np.maximum(visits, 1)
        sums = np.bincount(rows, np.sqrt(shares * (1 - shares)), visits.size)
        ended = np.sqrt(followed * np.maximum(1 - followed, 0))
        return np.asarray((sums + ended).reshape(self.visits.shape[1:]), dtype=np.float64)


class _Followers:
    """Counts of (row, next state) as sorted keys: row x S + next state."""

    def __init__(self, states: int) -> None:
        self._states = states
        self._keys: Ints = np.empty(0, dtype=np.int64)
        self._counts: Floats = np.empty(0)

    def add(self, row: int, next_state: int) -> None:
        key = row * self._states + next_state
        at = int(np.searchsorted(self._keys, key))
        if at < len(self._keys) and self._keys[at] == key:
            self._counts[at] += 1
        else:
            self._keys = np.insert(self._keys, at, key)
            self._counts = np.insert(self._counts, at, 1)

    def add_all(self, rows: Ints, next_states: Ints) -> None:
        keys = np.concatenate([self._keys, rows * self._states + next_states])
        counts = np.concatenate([self._counts, np.ones(len(rows))])
        self._keys, group = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(group, counts, len(self._keys)).astype(np.float64)

    def entries(self) -> tuple[Ints, Ints, Floats]:
        rows, next_states = np.divmod(self._keys, self._states)
        return rows, next_states, self._counts
