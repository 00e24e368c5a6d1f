"""The policy under a hard KL budget: the mixture of proposal and base at an exact KL, differentiable.

Source: Cohen, Hutter, Bengio, Russell, "RL, but don't do anything I wouldn't do", UAI 2025 (arXiv 2410.06213);
the solver is our own. Letters: N rows (n in a chunk), V vocabulary. Units: nats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kl_derail.budget import _solver
from kl_derail.budget._solver import MIN_LOG_BASE, MIN_TARGET
from kl_derail.budget._workspace import buffers, chunk_rows

__all__ = ["MIN_LOG_BASE", "MIN_TARGET", "Mixture", "complete_with_help", "kl_fixed_mixture"]


class Mixture(NamedTuple):
    """The mixture x = alpha a + (1 - alpha) beta.

    Args:
        log_probs: log x, [N, V], float32 (float64 for float64 inputs)
        kl: KL(x||beta) in nats, [N, 1] float64, at most the target
        alpha: weight of the proposal, [N, 1] float64, not differentiable
    """

    log_probs: Tensor
    kl: Tensor
    alpha: Tensor


def complete_with_help(log_base: Tensor) -> Tensor:
    """Add the missing mass of a defective base as one more outcome, "ask for help".

    Args:
        log_base: [N, V] log-probabilities whose exp may sum to less than 1

    Returns:
        [N, V + 1], same dtype: the base and then log(1 - sum), computed in float64; -inf where nothing is missing.

    >>> complete_with_help(torch.tensor([[0.5, 0.25]]).log()).exp()
    tensor([[0.5000, 0.2500, 0.2500]])
    """
    missing = torch.log1p(-log_base.double().exp().sum(-1, keepdim=True).clamp(max=1.0))
    return torch.cat([log_base, missing.to(log_base.dtype)], -1)


def kl_fixed_mixture(
    log_proposal: Tensor, log_base: Tensor, kl_target: Tensor, *, alpha_init: Tensor | None = None
) -> Mixture:
    """X = alpha a + (1 - alpha) beta with the largest alpha in [0, 1] such that KL(x||beta) <= target.

    Both are first normalised over the support of the base, the tokens with log beta >= `MIN_LOG_BASE`; x is 0
    elsewhere. `divergence.mixture_kl` recomputes the KL under the same definition.

    Args:
        log_proposal: log a, [N, V] float32 or float64 (half precision is upcast to float32)
        log_base: log beta, [N, V], frozen: no gradient flows to it
        kl_target: [N, 1] nats; NaN, negative and below `MIN_TARGET` count as 0
        alpha_init: [N, 1] first guess of alpha, for instance from the rollout; changes speed only

    Returns:
        The `Mixture`. Its `kl` lies in [target (1 - 1e-4), target]; or alpha is 1 and KL(a||beta) <= target;
        or alpha is 0: a target of 0, or a proposal with a NaN, a +inf or no mass on the support of the base.

    Gradients, by implicit differentiation, flow from `log_probs` and `kl` to the proposal and the target. Where
    alpha is 1 the target gets none; where alpha is 0 neither gets any.

    Raises:
        ValueError: shapes do not fit, or `log_base` requires a gradient.
    """
    _check(log_proposal, log_base, kl_target, alpha_init)
    dtype = (
        torch.float64 if torch.float64 in (log_proposal.dtype, log_base.dtype) else torch.float32
    )
    log_a, log_b = log_proposal.to(dtype), log_base.to(dtype)
    if torch.is_grad_enabled() and (log_a.requires_grad or kl_target.requires_grad):
        return Mixture(*_FixedKl.apply(log_a, log_b, kl_target, alpha_init))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        solved = _solve(log_a, log_b, kl_target, alpha_init)
    return Mixture(solved.log_x, solved.kl, solved.alpha)


def _check(
    log_proposal: Tensor, log_base: Tensor, kl_target: Tensor, alpha_init: Tensor | None
) -> None:
    shape, column = tuple(log_proposal.shape), (log_proposal.shape[0], 1)
    if log_proposal.dim() != 2 or tuple(log_base.shape) != shape:
        raise ValueError(
            f"log_proposal {shape} and log_base {tuple(log_base.shape)} must have one shape, [N, V]"
        )
    for name, value in (("kl_target", kl_target), ("alpha_init", alpha_init)):
        if value is not None and tuple(value.shape) != column:
            raise ValueError(f"{name} must be [N, 1] = {column}, found {tuple(value.shape)}")
    if torch.is_grad_enabled() and log_base.requires_grad:
        raise ValueError("log_base requires a gradient, but the base is frozen here: detach it")


class _Solved(NamedTuple):
    """The solver's answer for all rows: `log_x` [N, V] in the dtype of the inputs, the rest [N, 1] float64."""

    log_x: Tensor
    alpha: Tensor
    kl: Tensor
    elasticity: Tensor
    mean_log: Tensor
    regular: bool


def _chunks(like: Tensor) -> Iterator[slice]:
    """Row ranges small enough that the buffers of the search stay in the cache."""
    step = chunk_rows(*like.shape, like.device)
    return (slice(i, i + step) for i in range(0, like.shape[0], step))


def _solve(log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None) -> _Solved:
    target, start = target.double(), None if alpha_init is None else alpha_init.double()
    log_x, found, regular = torch.empty_like(log_b), [], True
    for part in _chunks(log_b):
        start_here = None if start is None else start[part]
        here, regular_here = _solve_chunk(
            log_a[part], log_b[part], target[part], start_here, log_x[part]
        )
        found.append(here)
        regular = regular and regular_here
    columns = (
        found[0]
        if len(found) == 1
        else _solver.Found(*(torch.cat(c) for c in zip(*found, strict=True)))
    )
    return _Solved(log_x, *columns, regular)


def _solve_chunk(
    log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None, log_x: Tensor
) -> tuple[_solver.Found, bool]:
    """Writes log_x; returns the rest, and whether the rows could be taken as they are."""
    rows, kl_proposal = _solver.load(log_a, log_b, cleaned=False)
    if _solver.is_regular(rows, kl_proposal, log_b):
        found = _solver.solve(rows, kl_proposal, target, alpha_init, None)
        log_x.copy_(rows.log_w).add_(log_b)
        return found, True
    log_a, log_b, broken = _solver.clean(log_a, log_b)
    rows, kl_proposal = _solver.load(log_a, log_b, cleaned=True)
    found = _solver.solve(rows, kl_proposal, target, alpha_init, broken)
    log_x.copy_(rows.log_w.add_(log_b).masked_fill_(log_b == -torch.inf, -torch.inf))
    return found, False


class _FixedKl(torch.autograd.Function):
    """Forward by the solver, backward by the implicit function theorem: no tape through the iterations."""

    @staticmethod
    def forward(
        ctx: Any, log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        log_x, alpha, kl, elasticity, mean_log, ctx.regular = _solve(log_a, log_b, target, alpha_init)
        ctx.save_for_backward(log_a, log_b, log_x, alpha, elasticity, mean_log)
        ctx.target_dtype = target.dtype
        ctx.mark_non_differentiable(alpha)
        return log_x, kl, alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_kl: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        log_a, log_b, log_x, alpha, elasticity, mean_log = ctx.saved_tensors
        solved = (alpha > 0) & (alpha < 1)
        per_elasticity = torch.where(solved, alpha / elasticity, 0.0)
        k_saturated = torch.where(alpha == 1, -grad_kl, 0.0)
        columns = [c.to(log_x.dtype) for c in (alpha, alpha * per_elasticity, k_saturated, mean_log)]
        grad_a, total_q = torch.empty_like(log_x), []
        for part in _chunks(log_x):
            logs = log_a[part], log_b[part], log_x[part], grad[part]
            logs = logs if ctx.regular else _masked(*logs)
            total_q.append(_proposal_gradient(*logs, *(column[part] for column in columns), grad_a[part]))
        grad_target = torch.where(solved, torch.cat(total_q) * per_elasticity + grad_kl, 0.0)
        return grad_a, None, grad_target.to(ctx.target_dtype), None


def _masked(log_a: Tensor, log_b: Tensor, log_x: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    """Clean logarithms for `_proposal_gradient`, with tokens that x cannot emit at a, beta, x = 0 and no gradient."""
    clean_a, clean_b, _ = _solver.clean(log_a, log_b)
    off = log_x == -torch.inf
    fill = -torch.inf, 0.0, 0.0, 0.0
    logs = (clean_a.to(log_x.dtype), clean_b.to(log_x.dtype), log_x, grad)
    return tuple(log.masked_fill(off, value) for log, value in zip(logs, fill, strict=True))


def _proposal_gradient(
    log_a: Tensor, log_b: Tensor, log_x: Tensor, grad: Tensor,
    alpha: Tensor, k_factor: Tensor, k_saturated: Tensor, mean_log: Tensor, out: Tensor,
) -> Tensor:
    """Writes dlog a [n, V] to `out` and returns G = sum g q [n, 1], the gradient in alpha.

    With g the incoming gradient, p = a / x, q = (a - beta) / x and L = log(x / beta),
    dlog a = alpha p g - a (alpha sum p g + k (L - sum a L)), where k = alpha G / KL' for solved rows
    and minus the gradient of KL where alpha is 1 by saturation; `k_factor` is alpha / KL' or 0.
    """
    first, second, third = buffers(3, *log_x.shape, log_x.dtype, log_x.device).unbind()
    torch.sub(log_a, log_x, out=first).exp_().mul_(grad)
    minus_log_w = torch.sub(log_b, log_x, out=second)
    total_p = first.sum(-1, keepdim=True)
    total_q = total_p - torch.exp(minus_log_w, out=third).mul_(grad).sum(-1, keepdim=True)
    k = torch.addcmul(k_saturated, k_factor, total_q)
    offset = torch.addcmul(alpha * total_p, k, mean_log, value=-1)
    inner = minus_log_w.mul_(-k).add_(offset)
    torch.mul(first, alpha, out=out).sub_(inner.mul_(torch.exp(log_a, out=third)))
    return total_q
