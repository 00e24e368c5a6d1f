"""Bandits with one unknown linear model per arm. S users, A items, D factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.environments.contextual import ContextualBandit


@dataclass(frozen=True, eq=False)
class ArmsBandit(ContextualBandit):
    """Mean reward u_s . v_a: the user's factors are known, those of the item are not.

    Attributes:
        users: [S, D], known to the learner.
        items: [A, D], unknown.
        contexts: [S] distribution of the user, i.i.d.
        noise: half-width of the uniform noise of a reward.

    Raises:
        UserError: shapes that do not fit, values that are not finite, rows that do not sum to 1.
    """

    users: Floats
    items: Floats
    contexts: Floats
    noise: float

    def __post_init__(self) -> None:
        for name, dimensions in (("users", 2), ("items", 2), ("contexts", 1)):
            array = arrays.finite(name, getattr(self, name), dimensions)
            object.__setattr__(self, name, array)
        arrays.check_shape("items", self.items, (len(self.items), self.users.shape[1]))
        arrays.check_shape("contexts", self.contexts, self.users.shape[:1])
        arrays.check_rows("contexts", self.contexts)
        arrays.check_not_negative("noise", self.noise)

    @cached_property
    def rewards(self) -> Floats:
        """Mean rewards u . v, [S, A]."""
        return np.asarray(self.users @ self.items.T, dtype=np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """Digits that tell this bandit from others."""
        return arrays.fingerprint("arms", self.users, self.items, self.contexts, [self.noise])
