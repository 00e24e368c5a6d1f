"""The policy under a hard KL budget: the mixture of proposal and base at an exact KL, differentiable.

Source: Cohen, Hutter, Bengio, Russell, "RL, but don't do anything I wouldn't do", UAI 2025 (arXiv 2410.06213);
the solver is our own. Letters: N rows, V vocabulary. Units: nats.
"""

from __future__ import annotations

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
    """x = alpha a + (1 - alpha) beta with the largest alpha in [0, 1] such that KL(x||beta) <= target.

    Args:
        log_proposal: log a, [N, V] float32 or float64 (half precision is upcast to float32)
        log_base: log beta, [N, V], frozen: no gradient flows to it
        kl_target: [N, 1] nats; NaN, negative and below `MIN_TARGET` count as 0
        alpha_init: [N, 1] first guess of alpha, for instance from the rollout; changes speed only

    Returns:
        The `Mixture`. Its `kl` lies in [target (1 - 1e-4), target], or alpha is 1 and KL(a||beta) <= target,
        or alpha is 0: target zero, or a proposal with a NaN, a +inf or no mass where the base has some.

    Raises:
        ValueError: shapes do not fit, or `log_base` requires a gradient.
    """
    _check(log_proposal, log_base, kl_target, alpha_init)
    dtype = torch.float64 if torch.float64 in (log_proposal.dtype, log_base.dtype) else torch.float32
    log_proposal, log_base = log_proposal.to(dtype), log_base.to(dtype)
    out: tuple[Tensor, Tensor, Tensor] = _FixedKl.apply(log_proposal, log_base, kl_target, alpha_init)  # type: ignore[no-untyped-call]
    return Mixture(*out)


def _check(log_proposal: Tensor, log_base: Tensor, kl_target: Tensor, alpha_init: Tensor | None) -> None:
    rows = (log_proposal.shape[0], 1)
    if log_proposal.dim() != 2 or log_proposal.shape != log_base.shape:
        raise ValueError(f"log_proposal {tuple(log_proposal.shape)} and log_base {tuple(log_base.shape)} must both be [N, V]")
    if kl_target.shape != rows or (alpha_init is not None and alpha_init.shape != rows):
        raise ValueError(f"kl_target and alpha_init must be [N, 1] = {rows}, found kl_target {tuple(kl_target.shape)}")
    if torch.is_grad_enabled() and log_base.requires_grad:
        raise ValueError("log_base requires a gradient, but the base is frozen here: detach it")


class _Solved(NamedTuple):
    """The solver's answer for all rows: `log_x` [N, V] in the dtype of the inputs, the rest [N, 1] float64."""

    log_x: Tensor
    kl: Tensor
    alpha: Tensor
    slope: Tensor
    mean_log: Tensor
    regular: bool


def _solve(log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None) -> _Solved:
    """Chunk by chunk, so that the buffers of the search stay in the cache."""
    target = target.double()
    starts = None if alpha_init is None else alpha_init.double()
    log_x, found, regular = torch.empty_like(log_b), [], True
    step = chunk_rows(*log_a.shape, log_a.device)
    for i in range(0, log_a.shape[0], step):
        part = slice(i, i + step)
        start = None if starts is None else starts[part]
        here, clean_here = _solve_chunk(log_a[part], log_b[part], target[part], start, log_x[part])
        found.append(here)
        regular = regular and clean_here
    columns = found[0] if len(found) == 1 else [torch.cat(column) for column in zip(*found, strict=True)]
    alpha, kl, slope, mean_log = columns
    return _Solved(log_x, kl, alpha, slope, mean_log, regular)


def _solve_chunk(
    log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None, log_x: Tensor
) -> tuple[_solver.Found, bool]:
    rows, kl_proposal = _solver.load(log_a, log_b, cleaned=False)
    if _solver.is_regular(rows, kl_proposal, log_b):
        found = _solver.solve(rows, kl_proposal, target, alpha_init, None)
        log_x.copy_(rows.log_w).add_(log_b)
        return found, True
    clean_a, clean_b, broken = _solver.clean(log_a, log_b)
    found = _solver.solve(*_solver.load(clean_a, clean_b, cleaned=True), target, alpha_init, broken)
    log_x.copy_(rows.log_w).add_(clean_b).masked_fill_(clean_b == -torch.inf, -torch.inf)
    return found, False


class _FixedKl(torch.autograd.Function):
    """Forward by the solver, backward by the implicit function theorem: no tape through the iterations."""

    @staticmethod
    def forward(
        ctx: Any, log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        solved = _solve(log_a, log_b, target, alpha_init)
        ctx.regular, ctx.target_dtype = solved.regular, target.dtype
        ctx.save_for_backward(log_a, log_b, solved.log_x, solved.alpha, solved.slope, solved.mean_log)
        ctx.mark_non_differentiable(solved.alpha)
        return solved.log_x, solved.kl, solved.alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_log_x: Tensor, grad_kl: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        log_a, log_b, log_x, alpha, slope, mean_log = ctx.saved_tensors
        grad_a, grad_target = _gradients(log_a, log_b, log_x, grad_log_x, grad_kl, alpha, slope, mean_log, ctx.regular)
        return grad_a, None, grad_target.to(ctx.target_dtype), None


def _gradients(
    log_a: Tensor, log_b: Tensor, log_x: Tensor, grad: Tensor, grad_kl: Tensor,
    alpha: Tensor, slope: Tensor, mean_log: Tensor, regular: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients in log a [N, V] and in the target [N, 1].

    With p = alpha a / x, q = (a - beta) / x, L = log(x / beta), g the incoming gradient and G = sum g q:
    dtarget = G / KL', dlog a = p g - a (sum p g + k (L - sum a L)) with k = alpha G / KL', or k = -grad_kl
    where alpha is 1 by saturation.
    """
    if not regular:
        log_a, log_b, _ = _solver.clean(log_a, log_b)
        log_a, log_b = log_a.to(log_x.dtype), log_b.to(log_x.dtype)
    log_ratio_x = log_x - log_b
    p = torch.exp(log_a - log_x)
    v = torch.exp(-log_ratio_x)
    if not regular:
        off = log_x == -torch.inf
        grad, p, v, log_ratio_x = (t.masked_fill(off, 0.0) for t in (grad, p, v, log_ratio_x))
    pg = p * grad
    total_p = pg.sum(-1, keepdim=True)
    total_q = total_p - torch.linalg.vecdot(v, grad).unsqueeze(-1)
    saturated, dead = alpha == 1, alpha == 0
    solved = ~(saturated | dead)
    dtarget = torch.where(solved, total_q / slope, 0.0)
    k = torch.where(saturated, -grad_kl, alpha * dtarget)
    offset = alpha * total_p - k * mean_log
    dtype = log_x.dtype
    inner = torch.addcmul(offset.to(dtype), log_ratio_x, k.to(dtype)).mul_(log_a.exp())
    grad_a = pg.mul_(alpha.to(dtype)).sub_(inner)
    if bool(dead.any()):
        grad_a = grad_a.masked_fill(dead, 0.0)
    return grad_a, dtarget + torch.where(solved, grad_kl, 0.0)
