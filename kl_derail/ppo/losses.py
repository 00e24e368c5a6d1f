"""The terms of the loss, one value a sample, so that a minibatch may be worked through in pieces."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PolicyLoss(NamedTuple):
    """All [N].

    Attributes:
        loss: clipped surrogate, to be minimised.
        clipped: whether the ratio lies outside the clip range.
        approx_kl: the k3 estimate of KL(old || new) in nats, without gradient.
    """

    loss: Tensor
    clipped: Tensor
    approx_kl: Tensor


def clipped_surrogate(
    log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float
) -> PolicyLoss:
    """PPO's pessimistic surrogate (Schulman et al., "Proximal policy optimization algorithms", 2017, eq. 7).

    Args:
        log_prob: [N] log-probability of the token now.
        old_log_prob: [N] when it was drawn.
        advantage: [N].
        clip: the ratio counts only between 1 - clip and 1 + clip.
    """
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    loss = -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    with torch.no_grad():
        approx_kl = (ratio - 1) - log_ratio
        clipped = (ratio - 1).abs() > clip
    return PolicyLoss(loss, clipped, approx_kl)


def target_tracking(kl: Tensor, kl_target: Tensor) -> Tensor:
    """[N] (KL achieved - KL target)^2, the achieved KL held fixed.

    Where the proposal is too close to the base to spend its target, the mixture no longer depends on the target; this
    term moves the target back to where it does (study A, "extra loss").
    """
    return (kl.detach() - kl_target).square()


def value_error(value: Tensor, target: Tensor) -> Tensor:
    """[N] squared error of the critic."""
    return (value - target).square()
