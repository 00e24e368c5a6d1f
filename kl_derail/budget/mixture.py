"""The policy under a hard KL budget: the mixture of proposal and base at an exact KL, differentiable.

Source: Cohen, Hutter, Bengio, Russell, "RL, but don't do anything I wouldn't do", UAI 2025 (arXiv 2410.06213);
the solver is our own. Letters: N rows (n in a chunk), V vocabulary. Units: nats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kl_derail.budget import _solver
from kl_derail.budget._implicit import Factors, Implicit, implicit_factors, proposal_gradient
from kl_derail.budget._solver import MIN_TARGET
from kl_derail.budget._support import MIN_LOG_BASE, clean
from kl_derail.budget._workspace import chunks

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
    """Mix x = alpha a + (1 - alpha) beta with the largest alpha in [0, 1] such that KL(x||beta) <= target.

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
    wide = torch.float64 in (log_proposal.dtype, log_base.dtype)
    dtype = torch.float64 if wide else torch.float32
    log_a, log_b = log_proposal.to(dtype), log_base.to(dtype)
    if len(log_a) == 0:
        nothing = torch.zeros(0, 1, dtype=torch.float64, device=log_a.device)
        return Mixture(log_a, nothing, nothing)
    if torch.is_grad_enabled() and (log_a.requires_grad or kl_target.requires_grad):
        return Mixture(*_FixedKl.apply(log_a, log_b, kl_target, alpha_init))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        log_x, found, _ = _solve(log_a, log_b, kl_target, alpha_init)
    return Mixture(log_x, found.kl, found.alpha)


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


def _solve(
    log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None
) -> tuple[Tensor, _solver.Found, list[bool]]:
    """Give log x [N, V], the rest [N, 1], and for each chunk whether its rows could be taken as they were."""
    target, start = target.double(), None if alpha_init is None else alpha_init.double()
    log_x, found, regular = torch.empty_like(log_b), [], []
    for part in chunks(log_b):
        start_here = None if start is None else start[part]
        here = _solve_chunk(log_a[part], log_b[part], target[part], start_here, log_x[part])
        found.append(here[0])
        regular.append(here[1])
    if len(found) > 1:
        found = [_solver.Found(*(torch.cat(column) for column in zip(*found, strict=True)))]
    return log_x, found[0], regular


def _solve_chunk(
    log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None, log_x: Tensor
) -> tuple[_solver.Found, bool]:
    """Writes log_x; returns the rest, and whether the rows could be taken as they are."""
    rows, kl_proposal, regular = _solver.load(log_a, log_b, cleaned=False)
    if regular:
        found = _solver.solve(rows, kl_proposal, target, alpha_init, None)
        log_x.copy_(rows.log_w).add_(log_b)
        return found, True
    log_a, log_b, broken = clean(log_a, log_b)
    rows, kl_proposal, _ = _solver.load(log_a, log_b, cleaned=True)
    found = _solver.solve(rows, kl_proposal, target, alpha_init, broken)
    impossible = (log_b == -torch.inf) | ((log_a == -torch.inf) & (found.alpha == 1))
    log_x.copy_(rows.log_w.add_(log_b).masked_fill_(impossible, -torch.inf))
    return found, False


class _FixedKl(torch.autograd.Function):
    """Forward by the solver, backward by the implicit function theorem: no tape through the iterations."""

    @staticmethod
    def forward(
        ctx: Any, log_a: Tensor, log_b: Tensor, target: Tensor, alpha_init: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        log_x, found, ctx.regular = _solve(log_a, log_b, target, alpha_init)
        ctx.save_for_backward(log_a, log_b, log_x, *found)
        ctx.target_dtype = target.dtype
        ctx.mark_non_differentiable(found.alpha)
        return log_x, found.kl, found.alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_kl: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        log_a, log_b, log_x, *columns = ctx.saved_tensors
        found = _solver.Found(*columns)
        factors, per_elasticity = implicit_factors(found, grad_kl, log_x.dtype)
        grad_a, total_q = torch.empty_like(log_x), []
        for part, regular in zip(chunks(log_x), ctx.regular, strict=True):
            rows = Implicit(log_a[part], log_b[part], log_x[part], grad[part])
            here = Factors(*(factor[part] for factor in factors))
            rows = rows if regular else rows.masked()
            total_q.append(proposal_gradient(rows, here, grad_a[part]))
        dead = (found.alpha == 0).squeeze(-1)
        if bool(dead.any()):
            grad_a[dead] = 0.0
        solved = per_elasticity != 0
        grad_target = torch.where(solved, torch.cat(total_q) * per_elasticity + grad_kl, 0.0)
        return grad_a, None, grad_target.to(ctx.target_dtype), None
