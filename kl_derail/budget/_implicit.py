"""Gradient of the mixture by the implicit function theorem: alpha moves so that KL stays at its target."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.budget._solver import Found
from kl_derail.budget._support import clean
from kl_derail.budget._workspace import buffers


class Implicit(NamedTuple):
    """Rows of a chunk, [n, V]: log a, log beta as given, log x, and the gradient that comes in at log x."""

    log_a: Tensor
    log_b: Tensor
    log_x: Tensor
    grad: Tensor

    def masked(self) -> Implicit:
        """Clean logarithms; tokens that x cannot emit get a = 0, log(x / beta) = 0 and no gradient."""
        log_a, log_b, _ = clean(self.log_a, self.log_b)
        off = self.log_x == -torch.inf
        return Implicit(
            log_a.to(self.log_x.dtype).masked_fill(off, -torch.inf),
            log_b.to(self.log_x.dtype).masked_fill(off, 0.0),
            self.log_x.masked_fill(off, 0.0),
            self.grad.masked_fill(off, 0.0),
        )


class Factors(NamedTuple):
    """What multiplies them, [n, 1].

    Args:
        alpha: weight of the proposal
        k_solved: alpha / KL' where alpha was solved for, else 0
        k_saturated: minus the incoming gradient of KL where alpha is 1 by saturation, else 0
        mean_log: sum a log(x / beta as given)
        base_scale, proposal_scale: one over the sums of beta and a as given
    """

    alpha: Tensor
    k_solved: Tensor
    k_saturated: Tensor
    mean_log: Tensor
    base_scale: Tensor
    proposal_scale: Tensor


def implicit_factors(found: Found, grad_kl: Tensor, dtype: torch.dtype) -> tuple[Factors, Tensor]:
    """The factors of all rows in the dtype of the gradient, and 1 / KL' [N, 1] float64, 0 where not solved for."""
    solved = (found.alpha > 0) & (found.alpha < 1)
    per_slope = torch.where(solved, found.alpha / found.elasticity, 0.0)
    k_saturated = torch.where(found.alpha == 1, -grad_kl, 0.0)
    mean_log = found.sum_log * found.proposal_scale
    columns = (found.alpha, found.alpha * per_slope, k_saturated, mean_log, *found[4:])
    return Factors(*(column.to(dtype) for column in columns)), per_slope


def proposal_gradient(rows: Implicit, by: Factors, out: Tensor) -> Tensor:
    """Write dlog a [n, V] to `out` and return G = sum g q [n, 1], the gradient in alpha.

    With g the incoming gradient, p = a / x, q = (a - beta) / x and L = log(x / beta),
    dlog a = alpha p g - a (alpha sum p g + k (L - sum a L)), where k = alpha G / KL' for solved rows
    and minus the gradient of KL where alpha is 1.
    """
    first, second, third = buffers(3, out.shape, out.dtype, out.device).unbind()
    torch.sub(rows.log_a, rows.log_x, out=first).exp_().mul_(rows.grad)
    minus_log_w = torch.sub(rows.log_b, rows.log_x, out=second)
    torch.exp(minus_log_w, out=third).mul_(rows.grad)
    total_p = first.sum(-1, keepdim=True).mul_(by.proposal_scale)
    total_q = torch.addcmul(total_p, third.sum(-1, keepdim=True), by.base_scale, value=-1)
    total_q.masked_fill_(by.k_solved == 0, 0.0)
    k = torch.addcmul(by.k_saturated, by.k_solved, total_q)
    offset = torch.addcmul(by.alpha * total_p, k, by.mean_log, value=-1).mul_(by.proposal_scale)
    inner = minus_log_w.mul_(k.mul_(by.proposal_scale).neg_()).add_(offset)
    inner.mul_(torch.exp(rows.log_a, out=third))
    torch.mul(first, by.alpha * by.proposal_scale, out=out).sub_(inner)
    return total_q
