"""Oracle of a discounted stationary MDP whose rewards are known: the readable reference.

S states, A actions; gamma is the discount. Bonus and uniform rows are the published ones.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled.discounted import TIES
from kl_derail.hybrid.data import Step
from kl_derail.hybrid.oracles.base import Estimate, Oracle
from kl_derail.hybrid.policies import as_stochastic

Greedy = Literal["clipped", "unclipped"]
"""Whether a policy is greedy for action values that were raised to the floor, as published, or for
those before. At the floor the former are all equal, and the first action is taken."""


class Solution(NamedTuple):
    """Where value iteration ended.

    Attributes:
        values: V, [S].
        policy: greedy, of equal actions the first, int [S].
        sweeps: how many it took.
    """

    values: Floats
    policy: Ints
    sweeps: int


class DiscountedOracle(Oracle):
    """Transition counts, and value iteration to a tolerance from where the last one ended.

    Where pessimism is asked for, values are clipped at 0 from below, as published.

    Attributes:
        counts: transitions seen, [S, A, S].
    """

    def __init__(
        self,
        rewards: Floats,
        initial: Floats,
        discount: float,
        scale: float,
        tolerance: float,
        *,
        greedy: Greedy = "clipped",
        ties: float = TIES,
    ) -> None:
        """An oracle that has seen nothing.

        Args:
            rewards: [S, A], known.
            initial: [S] distribution of the first state, for `estimate`.
            discount: gamma.
            scale: beta of the bonus min(1, beta / sqrt(n)).
            tolerance: largest change of a value in the last sweep.
            greedy: what pessimistic policies are greedy for.
            ties: actions within it of the best are equal; 0 as published.
        """
        self.shape = rewards.shape
        self.counts: Floats = np.zeros((*self.shape, len(rewards)))
        self._rewards_SA, self._initial_S = rewards, initial
        self._discount, self._scale, self._tolerance = discount, scale, tolerance
        self._greedy, self._ties = greedy, ties
        self._ended: dict[tuple[float, float], Floats] = {}

    def update(self, step: Step) -> None:
        """Count a step; its stage and reward do not matter here."""
        self.counts[step.state, step.action, step.next_state] += 1

    def transitions(self) -> Floats:
        """P^, [S, A, S]; uniform where nothing was seen."""
        visits_SA1 = self.counts.sum(axis=2, keepdims=True)
        seen = self.counts / np.maximum(visits_SA1, 1)
        return np.where(visits_SA1 > 0, seen, 1 / len(self.counts))

    def bonuses(self) -> Floats:
        """Bonus b = min(1, beta / sqrt(n)), [S, A]; 1 where n = 0."""
        visits_SA = self.counts.sum(axis=2)
        scaled_SA = self._scale / np.sqrt(np.maximum(visits_SA, 1e-300))
        return np.asarray(np.minimum(1, scaled_SA), np.float64)

    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of a policy, from its linear equations; at the first state named, or on average."""
        policy_SA = as_stochastic(policy, self.shape)
        model_SS = np.einsum("sa,sat->st", policy_SA, self.transitions())
        gains_S2 = np.stack(
            [(policy_SA * each).sum(axis=1) for each in (self._rewards_SA, self.bonuses())], axis=1
        )
        both_S2 = np.linalg.solve(np.eye(len(model_SS)) - self._discount * model_SS, gains_S2)
        value, uncertainty = self._initial_S @ both_S2 if context is None else both_S2[context]
        return Estimate(float(value), float(uncertainty))

    def argmax(self, value_weight: float, uncertainty_weight: float) -> Ints:
        """The policy with the largest value_weight V^ + uncertainty_weight U^."""
        return self.solve(value_weight, uncertainty_weight).policy

    def solve(self, value_weight: float, uncertainty_weight: float) -> Solution:
        """Value iteration for the weighted sum of rewards and bonuses, warm-started."""
        gains_SA = value_weight * self._rewards_SA + uncertainty_weight * self.bonuses()
        floor = 0.0 if uncertainty_weight < 0 else -np.inf
        weights = value_weight, uncertainty_weight
        solution = value_iteration(
            gains_SA,
            self.transitions(),
            self._discount,
            self._tolerance,
            self._ended.get(weights, np.zeros(self.shape[0])),
            floor,
            greedy=self._greedy,
            ties=self._ties,
        )
        self._ended[weights] = solution.values
        return solution


def value_iteration(
    gains_SA: Floats,
    transitions_SAS: Floats,
    discount: float,
    tolerance: float,
    start_S: Floats,
    floor: float = -np.inf,
    *,
    greedy: Greedy = "clipped",
    ties: float = TIES,
) -> Solution:
    """Sweeps of Q = max(gains + gamma P V, floor), V = max_a Q, until no value changes by the tolerance.

    Values then lie within tolerance x gamma / (1 - gamma) of the fixed point.

    Args:
        gains_SA: rewards and bonuses.
        transitions_SAS: P.
        discount: gamma.
        tolerance: largest change of a value in the last sweep.
        start_S: values to begin with.
        floor: least action value.
        greedy: whether the policy goes by action values at least the floor, or by those before.
        ties: actions within it of the best are equal.
    """
    values_S, sweeps, change = start_S, 0, np.inf
    while change >= tolerance:
        # not a matrix product: equal rows must yield equal sums, bit by bit
        unclipped_SA = gains_SA + discount * (transitions_SAS * values_S).sum(axis=2)
        clipped_SA = np.maximum(unclipped_SA, floor)
        best_S = clipped_SA.max(axis=1)
        change, values_S, sweeps = float(np.abs(best_S - values_S).max()), best_S, sweeps + 1
    judged_SA = clipped_SA if greedy == "clipped" else unclipped_SA
    near_SA = judged_SA >= judged_SA.max(axis=1, keepdims=True) - ties
    return Solution(values_S, near_SA.argmax(axis=1).astype(np.int64), sweeps)
