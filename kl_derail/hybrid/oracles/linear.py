"""Oracle of a linear contextual bandit: ridge regression and elliptical bonuses.

S contexts, A actions, D dimensions. V^(s, a) = phi . theta^, U^(s, a) = radius ||phi|| in the
inverse of Lambda.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from kl_derail.hybrid import arrays, bonuses
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.oracles.base import Estimate, Oracle, contextual_estimate
from kl_derail.hybrid.oracles.ridge import Ridge
from kl_derail.hybrid.policies import greedy

Radius = Callable[[Ridge], float]
"""What the regression has seen to the radius of its confidence ellipsoid."""


def constant(scale: float) -> Radius:
    """The published radius: a constant beta.

    Raises:
        UserError: beta is negative or not finite.
    """
    arrays.check_not_negative("scale", scale)
    return lambda regression: scale


def elliptical(noise: float, norm: float, delta: float) -> Radius:
    """The valid radius, with probability 1 - delta for all (s, a) and times at once.

    Args:
        noise: sub-Gaussian scale of the rewards; the half-width of uniform noise will do.
        norm: upper bound on ||theta||.
        delta: probability of failure.

    Raises:
        UserError: one of them is no finite number, or out of its range.
    """
    arrays.check_delta(delta)
    arrays.check_not_negative("noise", noise)
    arrays.check_not_negative("norm", norm)
    return lambda regression: bonuses.elliptical_radius(
        regression.log_det_ratio, noise, regression.ridge, norm, delta
    )


class LinearOracle(Oracle):
    """One linear model for all contexts and actions, with known features.

    Attributes:
        regression: what was learnt.
    """

    def __init__(
        self,
        features: Floats,
        contexts: Floats,
        radius: Radius,
        *,
        ridge: float = 1.0,
        exploration: float | None = None,
    ) -> None:
        """An oracle that has seen nothing.

        Args:
            features: [S, A, D].
            contexts: [S] distribution of the context.
            radius: see `constant` and `elliptical`.
            ridge: weight of the squared norm.
            exploration: None: one U^ for all purposes. A scale: the published rule. U^ starts at 1
                and is the smallest scale x ||phi|| found at visits to its context; pessimism alone
                (weight < 0) goes by radius x ||phi||, as it is now.
        """
        self.shape = (features.shape[0], features.shape[1])
        self.regression = Ridge(features.shape[2], ridge)
        self._features_SAD, self._contexts_S = features, contexts
        self._features_DN = np.ascontiguousarray(features.reshape(-1, features.shape[2]).T)
        self._radius, self._exploration = radius, exploration
        self._smallest_SA: Floats = np.ones(self.shape)

    def update(self, step: Step) -> None:
        """Learn from one more reward."""
        self.regression.update(self._features_SAD[step.state, step.action], step.reward)

    def learn(self, data: OfflineData) -> Self:
        """Learn from all rewards of a data set at once.

        Raises:
            UserError: the data are of another shape.
        """
        data.check_shape(self.shape)
        self.regression.update_all(self._features_SAD[data.state, data.action], data.reward)
        return self

    def visit(self, start: int) -> None:
        """Renew the published bonus of this context."""
        if self._exploration is not None:
            norms_A = self.regression.norms(self._features_SAD[start].T)
            found_A = self._exploration * norms_A
            self._smallest_SA[start] = np.minimum(self._smallest_SA[start], found_A)

    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of a policy, [S, A] or int [S], over contexts or at one of them."""
        tables = (self.values(), self.uncertainties())
        return contextual_estimate(policy, *tables, self._contexts_S, context)

    def argmax(self, value_weight: float, uncertainty_weight: float) -> Ints:
        """The best action of every context, of equals the first; int [S]."""
        uncertainties = self.penalties if uncertainty_weight < 0 else self.uncertainties
        return greedy(value_weight * self.values() + uncertainty_weight * uncertainties())

    def values(self) -> Floats:
        """V^(s, a), [S, A]."""
        return np.asarray(self._features_SAD @ self.regression.theta, dtype=np.float64)

    def uncertainties(self) -> Floats:
        """U^(s, a), [S, A]."""
        return self.penalties() if self._exploration is None else self._smallest_SA

    def penalties(self) -> Floats:
        """Radius x ||phi||, [S, A]: what pessimism subtracts."""
        norms_N = self.regression.norms(self._features_DN)
        return self._radius(self.regression) * norms_N.reshape(self.shape)
