"""Finite-horizon tabular oracle: counts, bonuses, backward induction. The readable reference.

The one recursion behind estimate and argmax, from the last stage h = H-1 backwards, with weights v
and u of value and uncertainty:

    Q_h(s, a) = clip_h(v r_h(s, a) + u b_h(s, a) + sum_s' P^_h(s' | s, a) V_{h+1}(s'))

V_h is the policy's mean of Q_h (estimate) or its maximum (argmax). V^ has weights (1, 0), U^ has
(0, 1). Without clipping Q is exactly v V^ + u U^; with it, (1, 1) and (1, -1) are bounds on the
value that are at least as tight. The sum runs over next states in ascending order, so that
compiled code can follow it bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays, bonuses
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.oracles.base import Estimate, Oracle
from kl_derail.hybrid.oracles.counts import TransitionCounts
from kl_derail.hybrid.policies import as_stochastic, greedy

UNIT_REWARDS = (0.0, 1.0)

Bonus = Callable[[TransitionCounts], Floats]
"""Counts to the bonus of every (h, s, a), [H, S, A]. One that is `Valid` also bounds the error of
first states' frequencies, where their distribution is not known."""


class TabularOracle(Oracle):
    """Counts of transitions, a bonus on each (h, s, a), an estimated model.

    Attributes:
        counts: what was seen.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        bonus: Bonus,
        *,
        rewards: Floats | None = None,
        initial: Floats | None = None,
        reward_range: tuple[float, float] | None = None,
        running: bool = False,
        unseen_uniform: bool = True,
    ) -> None:
        """An oracle that has seen nothing.

        Args:
            shape: H, S, A.
            bonus: see `published`, `hoeffding`, `bernstein`.
            rewards: [H, S, A] mean rewards where they are known; otherwise they are estimated, and
                0 where nothing was seen.
            initial: [S] distribution of the first state where it is known; otherwise as observed.
            reward_range: smallest reward <= 0 and largest >= 0; values are then clipped to the
                range attainable from each stage on. None: no clipping.
            running: pessimistic values never fall: each is the maximum of itself and what it was
                when pessimism was last asked for, and at least 0 (the published rule).
            unseen_uniform: whether (h, s, a) never visited lead to all states alike; otherwise
                nothing is earned after them.

        Raises:
            UserError: arrays or a range that do not fit.
        """
        self.shape = shape
        self.counts = TransitionCounts(shape)
        if isinstance(bonus, Valid):
            bonus = replace(bonus, known_initial=initial is not None)
        self._bonus, self._running, self._unseen_uniform = bonus, running, unseen_uniform
        self._rewards, self._initial = rewards, initial
        self._reward_sums: Floats = np.zeros(shape)
        self._starts: Floats = np.zeros(shape[1])
        self._floor: Floats = np.zeros(shape)
        self._bonuses: Floats | None = None  # until something more is seen
        self._check(reward_range)
        self._range = reward_range or (-np.inf, np.inf)

    def _check(self, reward_range: tuple[float, float] | None) -> None:
        if self._rewards is not None:
            arrays.check_shape("rewards", self._rewards, self.shape)
        if self._initial is not None:
            arrays.check_shape("initial", self._initial, self.shape[1:2])
            arrays.check_rows("initial", self._initial)
        if reward_range and not reward_range[0] <= 0 <= reward_range[1]:
            raise UserError(f"reward_range: low <= 0 <= high expected, found {reward_range}")

    def update(self, step: Step) -> None:
        """Count one more step."""
        self.counts.add(step.stage, step.state, step.action, step.next_state)
        self._reward_sums[step.stage, step.state, step.action] += step.reward
        self._starts[step.state] += step.stage == 0
        self._bonuses = None

    def learn(self, data: OfflineData) -> Self:
        """Count all steps of a data set at once.

        Raises:
            UserError: the data are of another shape.
        """
        data.check_shape(self.shape)
        cells = (data.stage, data.state, data.action)
        self.counts.add_all(*cells, data.next_state)
        np.add.at(self._reward_sums, cells, data.reward)
        self._starts += np.bincount(data.state[data.stage == 0], minlength=len(self._starts))
        self._bonuses = None
        return self

    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of a policy, [H, S, A] or int [H, S], in expectation over the first state.

        Where first states are as observed, U^ of a valid bonus counts their error too.
        """
        policy_HSA = as_stochastic(policy, self.shape)
        value_HSA = self.action_values(1, 0, policy_HSA)
        uncertainty_HSA = self.action_values(0, 1, policy_HSA)
        weights_SA = self._first_states()[:, None] * policy_HSA[0]
        uncertainty = float((weights_SA * uncertainty_HSA[0]).sum()) + self._start_uncertainty()
        most = self.shape[0] * (self._range[1] - self._range[0])
        return Estimate(float((weights_SA * value_HSA[0]).sum()), min(uncertainty, most))

    def argmax(self, value_weight: float, uncertainty_weight: float) -> Ints:
        """The policy of the largest weighted sum; of equal actions the first; int [H, S]."""
        return greedy(self.action_values(value_weight, uncertainty_weight))

    def action_values(
        self, value_weight: float, uncertainty_weight: float, policy_HSA: Floats | None = None
    ) -> Floats:
        """Q of the module's recursion, [H, S, A]; of the greedy policy where none is given."""
        pessimistic = self._running and policy_HSA is None and uncertainty_weight < 0
        q_HSA = value_weight * self.rewards + uncertainty_weight * self.bonuses
        limits = list(self._limits(value_weight, uncertainty_weight))
        for h in reversed(range(len(q_HSA))):
            if h + 1 < len(q_HSA):
                q_HSA[h] += self._expectation(h, _state_values(q_HSA, policy_HSA, h + 1))
            np.clip(q_HSA[h], *limits[h], out=q_HSA[h])
            if pessimistic:
                np.maximum(q_HSA[h], self._floor[h], out=q_HSA[h])
        if pessimistic:
            self._floor = q_HSA
        return q_HSA

    @property
    def rewards(self) -> Floats:
        """Mean rewards, known or estimated, [H, S, A]."""
        if self._rewards is not None:
            return self._rewards
        return np.asarray(self._reward_sums / np.maximum(self.counts.visits, 1))

    @property
    def bonuses(self) -> Floats:
        """Bonus of every (h, s, a) on what was seen so far, [H, S, A]."""
        if self._bonuses is None:
            self._bonuses = self._bonus(self.counts)
        return self._bonuses

    def _expectation(self, stage: int, values_S: Floats) -> Floats:
        expected_SA = self.counts.expectation(stage, values_S)
        if self._unseen_uniform:
            uniform = np.cumsum(values_S * (1 / len(values_S)))[-1]
            expected_SA[self.counts.visits[stage] == 0] = uniform
        return expected_SA

    def _limits(
        self, value_weight: float, uncertainty_weight: float
    ) -> Iterator[tuple[float, float]]:
        """What v V^ + u U^ can attain from each stage on; a sum with the value stays in its range."""
        low, high = self._range
        if value_weight == 0:
            low, high = 0.0, high - low
        weight = value_weight or uncertainty_weight
        for left in range(self.shape[0], 0, -1):
            ends = (0.0, 0.0) if weight == 0 else (left * weight * low, left * weight * high)
            yield min(ends), max(ends)

    def _first_states(self) -> Floats:
        if self._initial is not None:
            return self._initial
        if not self._starts.any():
            return np.full(len(self._starts), 1 / len(self._starts))
        return np.asarray(self._starts / self._starts.sum())

    def _start_uncertainty(self) -> float:
        if not isinstance(self._bonus, Valid):
            return 0.0
        return self._bonus.first_states(self._starts, self.shape[0])


def _state_values(q_HSA: Floats, policy_HSA: Floats | None, stage: int) -> Floats:
    q_SA = q_HSA[stage]
    best = q_SA.max(axis=-1) if policy_HSA is None else (policy_HSA[stage] * q_SA).sum(axis=-1)
    return np.asarray(best, dtype=np.float64)


def no_bonus(counts: TransitionCounts) -> Floats:
    """No uncertainty at all."""
    return np.zeros(counts.visits.shape)


def published(scale: float) -> Bonus:
    """The published bonus min(1, scale / sqrt(n)); not clipped, with running pessimistic values.

    Raises:
        UserError: the scale is negative or not finite.
    """
    arrays.check_not_negative("scale", scale)
    return lambda counts: bonuses.published(counts.visits, scale)


@dataclass(frozen=True)
class Valid:
    """Bonuses for which |V^ - V| <= U^ with probability 1 - delta: all policies, cells and n at once.

    Attributes:
        transitions: (counts, spans [H, 1, 1], delta) to the bound on the error of transitions.
        delta: probability of failure, shared equally among what is not known.
        known_rewards: whether rewards need no bound.
        reward_range: smallest and largest reward.
        known_initial: whether first states need no bound; an oracle sets it to what it knows.

    Raises:
        UserError: delta is not between 0 and 1.
    """

    transitions: Callable[[TransitionCounts, Floats, float], Floats]
    delta: float
    known_rewards: bool
    reward_range: tuple[float, float]
    known_initial: bool = True

    def __post_init__(self) -> None:
        arrays.check_delta(self.delta)

    @property
    def span(self) -> float:
        """Of a reward."""
        return self.reward_range[1] - self.reward_range[0]

    @property
    def share(self) -> float:
        """Of delta, for each of transitions and what else is not known."""
        return self.delta / (1 + (not self.known_rewards) + (not self.known_initial))

    def __call__(self, counts: TransitionCounts) -> Floats:
        """Bonus of transitions, by the span of the values of the next stage, plus that of rewards."""
        left = np.arange(len(counts.visits))[::-1, None, None]
        bonus_HSA = self.transitions(counts, self.span * left.astype(np.float64), self.share)
        if self.known_rewards:
            return bonus_HSA
        cells = counts.visits.size
        return bonus_HSA + bonuses.hoeffding_rewards(counts.visits, self.span, cells, self.share)

    def first_states(self, seen_S: Floats, horizon: int) -> float:
        """Bound on the error of the mean, over first states as seen, of any values they may have."""
        if self.known_initial:
            return 0.0
        span = self.span * horizon
        return float(bonuses.hoeffding(seen_S.sum(), span, len(seen_S), 1, self.share))


def hoeffding(
    delta: float, *, known_rewards: bool = True, reward_range: tuple[float, float] = UNIT_REWARDS
) -> Valid:
    """Valid bonuses by Hoeffding's inequality."""

    def transitions(counts: TransitionCounts, span_H11: Floats, share: float) -> Floats:
        states, cells = counts.visits.shape[1], counts.visits.size
        return bonuses.hoeffding(counts.visits, span_H11, states, cells, share)

    return Valid(transitions, delta, known_rewards, reward_range)


def bernstein(
    delta: float, *, known_rewards: bool = True, reward_range: tuple[float, float] = UNIT_REWARDS
) -> Valid:
    """As `hoeffding`, by the empirical variance of each transition: narrower for many visits."""

    def transitions(counts: TransitionCounts, span_H11: Floats, share: float) -> Floats:
        outcomes, cells = counts.visits.shape[1] + 1, counts.visits.size
        deviation_HSA = np.stack([counts.deviation(h) for h in range(len(counts.visits))])
        return bonuses.bernstein(counts.visits, deviation_HSA, span_H11, outcomes, cells, share)

    return Valid(transitions, delta, known_rewards, reward_range)
