"""Oracle of a bandit with one linear model per arm. S users, A items, D factors."""

from __future__ import annotations

from typing import Self

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.oracles.base import Estimate, Oracle, contextual_estimate
from kl_derail.hybrid.oracles.linear import Radius
from kl_derail.hybrid.oracles.ridge import Ridge
from kl_derail.hybrid.policies import greedy


class ArmsOracle(Oracle):
    """A ridge regression per arm on the factors of the user.

    V^(s, a) = u_s . theta^_a, U^(s, a) = radius_a ||u_s|| in the inverse of Lambda_a. An arm's
    column is renewed for all users once the arm was played.

    Attributes:
        regressions: one per arm.
        values: V^, [S, A].
        uncertainties: U^, [S, A].
    """

    def __init__(
        self,
        users: Floats,
        arms: int,
        contexts: Floats,
        radius: Radius,
        *,
        ridge: float = 1.0,
        running: bool = False,
    ) -> None:
        """An oracle that has seen nothing.

        Args:
            users: [S, D] known factors.
            arms: A.
            contexts: [S] distribution of the user.
            radius: see `linear.constant` and `linear.elliptical`; the latter with delta / A.
            ridge: weight of the squared norm.
            running: the published rule: U^ starts at 1 and never rises, V^ - U^ starts at 0 and
                never falls.
        """
        self.shape = (len(users), arms)
        self.regressions = [Ridge(users.shape[1], ridge) for _ in range(arms)]
        self._users_SD, self._contexts_S = users, contexts
        self._users_DS = np.ascontiguousarray(users.T)
        self._radius, self._running = radius, running
        self.values: Floats = np.zeros(self.shape)
        self.uncertainties: Floats = np.ones(self.shape)
        self._floor_SA: Floats = np.zeros(self.shape)
        if not running:
            self._renew(range(arms))

    def update(self, step: Step) -> None:
        """Learn from one more reward."""
        self.regressions[step.action].update(self._users_SD[step.state], step.reward)
        self._renew([step.action])

    def learn(self, data: OfflineData) -> Self:
        """Learn from all rewards of a data set at once.

        Raises:
            UserError: the data are of another shape.
        """
        data.check_shape(self.shape)
        played = np.unique(data.action).tolist()
        for arm in played:
            chosen = data.action == arm
            self.regressions[arm].update_all(
                self._users_SD[data.state[chosen]], data.reward[chosen]
            )
        self._renew(played)
        return self

    def _renew(self, arms: range | list[int]) -> None:
        for arm in arms:
            regression = self.regressions[arm]
            found_S = self._radius(regression) * regression.norms(self._users_DS)
            if self._running:
                found_S = np.minimum(self.uncertainties[:, arm], found_S)
            self.values[:, arm] = self._users_SD @ regression.theta
            self.uncertainties[:, arm] = found_S
            certain_S = self.values[:, arm] - found_S
            self._floor_SA[:, arm] = np.maximum(self._floor_SA[:, arm], certain_S)

    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of a policy, [S, A] or int [S], over users or of one of them."""
        tables = (self.values, self.uncertainties)
        return contextual_estimate(policy, *tables, self._contexts_S, context)

    def argmax(self, value_weight: float, uncertainty_weight: float) -> Ints:
        """The best item of every user, of equals the first; int [S]."""
        if self._running and uncertainty_weight < 0:
            return greedy(self._floor_SA)
        return greedy(value_weight * self.values + uncertainty_weight * self.uncertainties)
