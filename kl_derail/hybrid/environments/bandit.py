"""Linear contextual bandits with known features. S contexts, A actions, D dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.environments.contextual import ContextualBandit


@dataclass(frozen=True, eq=False)
class LinearBandit(ContextualBandit):
    """Mean reward phi(s, a) . theta.

    Attributes:
        features: [S, A, D], known to the learner.
        theta: [D], unknown.
        contexts: [S] distribution of the context, i.i.d.
        noise: half-width of the uniform noise of a reward.

    Raises:
        UserError: shapes that do not fit, values that are not finite, rows that do not sum to 1.
    """

    features: Floats
    theta: Floats
    contexts: Floats
    noise: float

    def __post_init__(self) -> None:
        for name, dimensions in (("features", 3), ("theta", 1), ("contexts", 1)):
            array = arrays.finite(name, getattr(self, name), dimensions)
            object.__setattr__(self, name, array)
        arrays.check_shape("theta", self.theta, self.features.shape[2:])
        arrays.check_shape("contexts", self.contexts, self.features.shape[:1])
        arrays.check_rows("contexts", self.contexts)
        arrays.check_not_negative("noise", self.noise)

    @cached_property
    def rewards(self) -> Floats:
        """Mean rewards phi . theta, [S, A]."""
        return np.asarray(self.features @ self.theta, dtype=np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """Digits that tell this bandit from others."""
        return arrays.fingerprint(
            "linear bandit", self.features, self.theta, self.contexts, [self.noise]
        )


def random_bandit(
    rng: np.random.Generator,
    contexts: int = 20,
    arms: int = 100,
    dimension: int = 10,
    noise: float = 1.0,
) -> LinearBandit:
    """Unit features, uniform on the half sphere with a positive first coordinate; theta = e1."""
    features = rng.standard_normal((contexts, arms, dimension))
    features /= np.linalg.norm(features, axis=-1, keepdims=True)
    features[..., 0] = np.abs(features[..., 0])
    return LinearBandit(
        features=features,
        theta=np.eye(dimension)[0],
        contexts=np.full(contexts, 1 / contexts),
        noise=noise,
    )
