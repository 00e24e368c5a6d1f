"""The actor under a budget: one linear layer that proposes logits and says how much of the budget this token may use.

Source: Cohen, Hutter, Bengio, Russell, "RL, but don't do anything I wouldn't do", UAI 2025 (arXiv 2410.06213).
Letters: N rows, F state features, V vocabulary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kl_derail.budget.mixture import Mixture, kl_fixed_mixture

FRACTION_OFFSET = math.log(16)
"""An untrained budget neuron spends sigmoid(-log 16) = 1/17 of what is left on each token."""


def kl_target(
    fraction: Tensor, left: Tensor, *, floor: float = 1e-6, overspend: bool = False
) -> Tensor:
    """KL target of a token: min(fraction x left + floor, left), in float64 so that it never exceeds what is left.

    Args:
        fraction: budget neuron in [0, 1], any shape
        left: remaining budget in nats, same shape
        floor: nats added so that a small fraction keeps a gradient
        overspend: leave out the minimum, as published

    >>> kl_target(torch.tensor([0.5, 1.0]), torch.tensor([8.0, 8.0])).tolist()
    [4.000001, 8.0]
    """
    left = left.double()
    wanted = fraction.double() * left + floor
    return wanted if overspend else torch.minimum(wanted, left)


class HeadOutput(NamedTuple):
    """What the head says for N rows.

    Args:
        mixture: the policy, `Mixture` of [N, V] and [N, 1]
        fraction: budget neuron, [N] in [0, 1]
        kl_target: [N] float64 nats
        log_proposal: log a, [N, V]
    """

    mixture: Mixture
    fraction: Tensor
    kl_target: Tensor
    log_proposal: Tensor


class BudgetHead(nn.Module):
    """ONE linear layer from state and remaining budget to V + 1 outputs, zero at first, so it starts as the base.

    Output 0 is the budget neuron, f = sigmoid(out0 - log 16). Outputs 1..V are added to the base
    log-probabilities and renormalised: the proposal.

    Args:
        state_features: F
        vocabulary: V (V + 1 of a defective base counts as V here)
        budget_scale: the budget input is `budget_left / budget_scale`; 1.0 is raw nats
        floor: see `kl_target`
        overspend: see `kl_target`
    """

    mean: Tensor
    std: Tensor
    budget_scale: Tensor

    def __init__(
        self,
        state_features: int,
        vocabulary: int,
        *,
        budget_scale: float = 1.0,
        floor: float = 1e-6,
        overspend: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(state_features + 1, vocabulary + 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("mean", torch.zeros(state_features))
        self.register_buffer("std", torch.ones(state_features))
        self.register_buffer("budget_scale", torch.tensor(budget_scale, dtype=torch.float64))
        self.floor, self.overspend = floor, overspend

    @torch.no_grad()
    def set_standardisation(self, mean: Tensor, std: Tensor) -> None:
        """From now on the layer sees (state - mean) / std; [F] each, saved with the weights.

        Raises:
            ValueError: a shape that is not [F], or a std that is not positive and finite.
        """
        if mean.shape != self.mean.shape or std.shape != self.std.shape:
            raise ValueError(
                f"mean and std must be [{self.mean.shape[0]}], found {tuple(mean.shape)}, {tuple(std.shape)}"
            )
        if not bool((torch.isfinite(mean) & torch.isfinite(std) & (std > 0)).all()):
            raise ValueError("mean must be finite, std finite and positive")
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(
        self, state: Tensor, budget_left: Tensor, log_base: Tensor, alpha_init: Tensor | None = None
    ) -> HeadOutput:
        """The policy for each row.

        Args:
            state: [N, F]
            budget_left: [N] nats, float64
            log_base: [N, V], frozen
            alpha_init: [N, 1] first guess for the solver
        """
        raw = self.linear(self.inputs(state, budget_left))
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        fraction = torch.sigmoid(raw[:, 0] - FRACTION_OFFSET)
        log_proposal = torch.log_softmax(log_base + raw[:, 1:], -1)
        target = kl_target(fraction, budget_left, floor=self.floor, overspend=self.overspend)
        mixture = kl_fixed_mixture(
            log_proposal, log_base, target.unsqueeze(-1), alpha_init=alpha_init
        )
        return HeadOutput(mixture, fraction, target, log_proposal)

    def inputs(self, state: Tensor, budget_left: Tensor) -> Tensor:
        """[N, F + 1]: the standardised state [N, F], then the budget left [N] (nats) over `budget_scale`."""
        budget = (budget_left / self.budget_scale).to(self.mean.dtype).unsqueeze(-1)
        return torch.cat([(state.to(self.mean.dtype) - self.mean) / self.std, budget], -1)
