"""Exact divergences between rows of log-probabilities, and what one sampled token says about them.

Everything is in nats and reduced in float64; a token of probability 0 is written -inf and contributes 0.
Letters: N rows, V vocabulary. "kl" always means the exact one, over the whole vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kl_derail.budget import _solver


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p||q) = sum p log(p / q) of normalised [N, V] log-probabilities: [N] float64, inf where p leaves q's support.

    >>> kl_divergence(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log())
    tensor([0.1438], dtype=torch.float64)
    """
    log_p, log_q = log_p.double(), log_q.double()
    possible = log_p > -torch.inf
    log_w = torch.where(possible, log_p - log_q, 0.0)
    excess = log_p.exp().sum(-1) - torch.where(possible, log_q, -torch.inf).exp().sum(-1)
    cost = (log_p.exp() * log_w).sum(-1)
    return torch.where(excess == 0, cost, cost).clamp(min=0.0)


def mixture_kl(log_proposal: Tensor, log_base: Tensor, alpha: Tensor) -> Tensor:
    """KL(alpha a + (1 - alpha) beta || beta), recomputed in float64: the check of every promise about the budget.

    Args:
        log_proposal: log a [N, V]
        log_base: log beta [N, V]
        alpha: [N, 1] in [0, 1]

    Returns:
        [N] float64 nats. Both distributions are first normalised over the support of the base (log beta >=
        MIN_LOG_BASE), as `kl_fixed_mixture` does; a row with an unusable proposal is the base: 0.
    """
    log_a, log_b, broken = _solver.clean(log_proposal, log_base)
    alpha = torch.where(broken, 0.0, alpha.double())
    on = log_b > -torch.inf
    excess = alpha * torch.where(on, torch.expm1((log_a - log_b).masked_fill(~on, 0.0)), 0.0)
    log_w = torch.where(
        on, torch.logaddexp(log_a + alpha.log(), log_b + torch.log1p(-alpha)) - log_b, 0.0
    )
    small = excess.abs() < 0.03
    near = excess.clamp(-0.03, 0.03)
    powers = [near**n / (n * (n - 1)) * (-1) ** n for n in range(2, 12)]
    terms = torch.where(
        small, sum(powers[1:], powers[0]) * log_b.exp(), _far_terms(log_a, log_b, alpha, log_w)
    )
    return torch.where(on, terms, 0.0).sum(-1)


def _far_terms(log_a: Tensor, log_b: Tensor, alpha: Tensor, log_w: Tensor) -> Tensor:
    mass = alpha * log_a.exp() + (1 - alpha) * log_b.exp()
    return torch.where(mass > 0, mass * log_w, 0.0) - alpha * (log_a.exp() - log_b.exp())


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
    """Written out because a mask of the -inf entries costs more on a CPU than all the rest."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor) -> Tensor:
        ctx.save_for_backward(log_probs)
        finite = log_probs.clamp(min=_solver.MIN_LOG_BASE)
        return torch.linalg.vecdot(log_probs.exp(), finite).neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (log_probs,) = ctx.saved_tensors
        slope = log_probs.clamp(min=_solver.MIN_LOG_BASE).add_(1.0).mul_(log_probs.exp())
        return slope.mul_(-grad.unsqueeze(-1))
