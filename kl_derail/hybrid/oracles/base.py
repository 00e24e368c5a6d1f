"""What an oracle is to an agent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.policies import as_stochastic


class Estimate(NamedTuple):
    """V^(pi) and U^(pi): with the valid bonuses, |V^ - V| <= U^ for all policies at once."""

    value: float
    uncertainty: float


def contextual_estimate(
    policy: Floats | Ints,
    values_SA: Floats,
    uncertainties_SA: Floats,
    contexts_S: Floats,
    context: int | None,
) -> Estimate:
    """Means of a bandit's tables [S, A] under a policy, [S, A] or int [S].

    Args:
        policy: to be judged.
        values_SA: V^(s, a).
        uncertainties_SA: U^(s, a).
        contexts_S: distribution of the context.
        context: the one to judge it at; None for all.
    """
    weights_S = contexts_S if context is None else np.eye(len(contexts_S))[context]
    weights_SA = weights_S[:, None] * as_stochastic(policy, values_SA.shape)
    return Estimate(
        float((weights_SA * values_SA).sum()), float((weights_SA * uncertainties_SA).sum())
    )


class Oracle(ABC):
    """Data in; value estimate and uncertainty for policies out. Subclass it for one of your own.

    Attributes:
        shape: of a stochastic policy, (H, S, A) or (S, A); empty where it does not matter.
    """

    shape: tuple[int, ...] = ()

    @abstractmethod
    def update(self, step: Step) -> None:
        """Learn from one more step."""

    @abstractmethod
    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of a policy, in expectation over first states; of a bandit, at a context named."""

    @abstractmethod
    def argmax(self, value_weight: float, uncertainty_weight: float) -> Floats | Ints:
        """The policy with the largest value_weight V^ + uncertainty_weight U^.

        Optimism asks for (1, 1), pure exploration for (0, 1), pessimism for (1, -1).
        """

    def visit(self, start: int) -> None:  # noqa: B027 (most oracles need not know)
        """An episode begins in this state; said before the policy for it is asked for."""

    def learn(self, data: OfflineData) -> Self:
        """Learn from all steps of a data set; returns itself."""
        for step in data.steps():
            self.update(step)
        return self
