"""How offline policies are spelt: optimal, uniform, softmax:SCALE."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import TabularMDP

E = TypeVar("E", bound=TabularMDP | LinearBandit | ArmsBandit)


def policy(environment: E, spelt: str, softmax: Callable[[E, float], Floats]) -> Floats:
    """The policy [.., S, A] that `spelt` names.

    Args:
        environment: it is a policy of.
        spelt: optimal, uniform, or softmax:SCALE.
        softmax: the environment's softmax policy of a scale.

    Raises:
        UserError: another word, or a scale that is no number.
    """
    name, _, scale = spelt.partition(":")
    if spelt == "optimal":
        return policies.as_stochastic(policies.optimal(environment), environment.shape)
    if spelt == "uniform":
        return policies.uniform(environment)
    if name == "softmax" and _is_number(scale):
        return softmax(environment, float(scale))
    raise UserError(f"behaviours: found {spelt}, allowed optimal, uniform, softmax:SCALE")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
