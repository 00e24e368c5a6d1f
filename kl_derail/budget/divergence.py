"""Exact divergences between rows of log-probabilities, and what one sampled token says about them.

Everything is in nats and reduced in float64; a token of probability 0 is written -inf and contributes 0.
Letters: N rows, V vocabulary. "kl" always means the exact one, over the whole vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kl_derail.budget._support import MIN_LOG_BASE, clean
from kl_derail.budget._workspace import buffers, chunks

_SERIES_BELOW = 0.03


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p||q) = sum p log(p / q) of normalised [N, V] log-probabilities: [N] float64, inf where p leaves q's support.

    >>> kl_divergence(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log())
    tensor([0.1438], dtype=torch.float64)
    """
    log_p, log_q = log_p.double(), log_q.double()
    log_w = torch.where(log_p > -torch.inf, log_p - log_q, 0.0)
    return (log_p.exp() * log_w).sum(-1).clamp(min=0.0)


def mixture_kl(log_proposal: Tensor, log_base: Tensor, alpha: Tensor) -> Tensor:
    """KL(alpha a + (1 - alpha) beta || beta) recomputed in float64: the check of what was promised.

    Args:
        log_proposal: log a, [N, V]
        log_base: log beta, [N, V]
        alpha: weight of the proposal, [N, 1] in [0, 1]

    Returns:
        [N] float64 nats. As in `kl_fixed_mixture` both are first normalised over the support of the base, and a
        row whose proposal is unusable is the base: 0. Every term sum beta ((1 + z) log(1 + z) - z) is taken
        without cancellation, so it holds down to the smallest targets.

    >>> mixture_kl(torch.tensor([[1.0, 0.0]]).log(), torch.tensor([[0.5, 0.5]]).log(), torch.ones(1, 1))
    tensor([0.6931], dtype=torch.float64)
    """
    log_a, log_b, broken = clean(log_proposal, log_base)
    weight = torch.where(broken, 0.0, alpha.double())
    log_r = torch.where(log_b > -torch.inf, log_a - log_b, 0.0)
    base, z = log_b.exp(), weight * torch.expm1(log_r)
    far = torch.special.xlog1py(1 + z, z) - z
    return (base * torch.where(z.abs() < _SERIES_BELOW, _near(z), far)).sum(-1)


def _near(z: Tensor) -> Tensor:
    """(1 + z) log(1 + z) - z for small z: z^2 (1/(1 2) - z/(2 3) + z^2/(3 4) - ...)."""
    total = torch.zeros_like(z)
    for n in range(12, 0, -1):
        total = 1 / (n * (n + 1)) - z * total
    return z.square() * total


def log_ratio(log_p: Tensor, log_q: Tensor, token: Tensor) -> Tensor:
    """Log p(token) / q(token) of the sampled token [N] int64: [N] float64, the realised cost of the step."""
    index = token.unsqueeze(-1)
    return (log_p.gather(-1, index).double() - log_q.gather(-1, index).double()).squeeze(-1)


def k1(log_ratio: Tensor) -> Tensor:
    """Estimator of KL(p||q) from log p/q of samples of p: the log-ratio itself. Unbiased, may be negative."""
    return log_ratio


def k2(log_ratio: Tensor) -> Tensor:
    """Estimator of KL(p||q) from log p/q of samples of p: half its square. Never negative, biased."""
    return log_ratio.square() / 2


def k3(log_ratio: Tensor) -> Tensor:
    """Estimator of KL(p||q) from l = log p/q of samples of p: exp(-l) - 1 + l. Unbiased, never negative.

    Source: Schulman, "Approximating KL divergence" (2020).
    """
    return torch.expm1(-log_ratio) + log_ratio


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Half the sum of |p - q| over [N, V]: [N] float64 in [0, 1].

    >>> total_variation(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log())
    tensor([0.2500], dtype=torch.float64)
    """
    return (log_p.double().exp() - log_q.double().exp()).abs().sum(-1) / 2


def entropy(log_probs: Tensor) -> Tensor:
    """-sum p log p over [N, V] log-probabilities: [N] in their dtype, differentiable, -inf safe.

    >>> entropy(torch.tensor([[0.5, 0.5, 0.0]]).log())
    tensor([0.6931])
    """
    out: Tensor = _Entropy.apply(log_probs)  # type: ignore[no-untyped-call]
    return out


class _Entropy(torch.autograd.Function):
    """Written out, in chunks: a mask for the -inf entries and fresh memory cost more than the arithmetic."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor) -> Tensor:
        ctx.save_for_backward(log_probs)
        total = log_probs.new_empty(log_probs.shape[0])
        for part in chunks(log_probs):
            p, finite = _p_and_finite_log(log_probs[part])
            torch.sum(p.mul_(finite), -1, out=total[part])
        return total.neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (log_probs,) = ctx.saved_tensors
        slope = torch.empty_like(log_probs)
        for part in chunks(log_probs):
            p, finite = _p_and_finite_log(log_probs[part])
            torch.mul(finite.add_(1.0).mul_(p), -grad[part].unsqueeze(-1), out=slope[part])
        return slope


def _p_and_finite_log(log_probs: Tensor) -> Tensor:
    """Fill [2, n, V] buffers with p and log p, the latter finite where p is 0."""
    both = buffers(2, log_probs.shape, log_probs.dtype, log_probs.device)
    torch.exp(log_probs, out=both[0])
    torch.clamp(log_probs, min=MIN_LOG_BASE, out=both[1])
    return both
