"""Gradient of the mixture by the implicit function theorem: alpha moves so that KL stays at its target."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.budget._support import clean
from kl_derail.budget._workspace import buffers


class Implicit(NamedTuple):
    """What the gradient in the proposal is made of; [n, V] and, from alpha on, [n, 1].

    `k_factor` is alpha / KL' where alpha is solved for, `k_saturated` minus the gradient of KL where it is 1,
    both 0 elsewhere.
    """

    log_a: Tensor
    log_b: Tensor
    log_x: Tensor
    grad: Tensor
    alpha: Tensor
    k_factor: Tensor
    k_saturated: Tensor
    mean_log: Tensor

    def part(self, rows: slice) -> Implicit:
        """The rows of a chunk."""
        return Implicit(*[field[rows] for field in self])

    def masked(self) -> Implicit:
        """Clean logarithms; tokens that x cannot emit get a = 0, log(x / beta) = 0 and no gradient."""
        log_a, log_b, _ = clean(self.log_a, self.log_b)
        off = self.log_x == -torch.inf
        return self._replace(
            log_a=log_a.to(self.log_x.dtype).masked_fill(off, -torch.inf),
            log_b=log_b.to(self.log_x.dtype).masked_fill(off, 0.0),
            log_x=self.log_x.masked_fill(off, 0.0),
            grad=self.grad.masked_fill(off, 0.0),
        )


def proposal_gradient(rows: Implicit, out: Tensor) -> Tensor:
    """Write dlog a [n, V] to `out` and return G = sum g q [n, 1], the gradient in alpha.

    With g the incoming gradient, p = a / x, q = (a - beta) / x and L = log(x / beta),
    dlog a = alpha p g - a (alpha sum p g + k (L - sum a L)), where k = alpha G / KL' for solved rows
    and minus the gradient of KL where alpha is 1.
    """
    first, second, third = buffers(3, out.shape, out.dtype, out.device).unbind()
    torch.sub(rows.log_a, rows.log_x, out=first).exp_().mul_(rows.grad)
    minus_log_w = torch.sub(rows.log_b, rows.log_x, out=second)
    total_p = first.sum(-1, keepdim=True)
    total_q = total_p - torch.exp(minus_log_w, out=third).mul_(rows.grad).sum(-1, keepdim=True)
    total_q.masked_fill_(rows.k_factor == 0, 0.0)
    k = torch.addcmul(rows.k_saturated, rows.k_factor, total_q)
    offset = torch.addcmul(rows.alpha * total_p, k, rows.mean_log, value=-1)
    inner = minus_log_w.mul_(-k).add_(offset).mul_(torch.exp(rows.log_a, out=third))
    torch.mul(first, rows.alpha, out=out).sub_(inner)
    return total_q
