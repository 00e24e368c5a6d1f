"""Finding the mixing weight: bracketed Newton steps on log KL against log alpha, in float64, rows side by side.

Nothing here is differentiable and nothing keeps a tape; `mixture` wraps it. Letters: n rows of a chunk,
V vocabulary. Both distributions are normalised over the SUPPORT of the base, the tokens whose log-probability
is at least `MIN_LOG_BASE`. With r = a / beta and w = x / beta = 1 - alpha + alpha r the mixture costs

    KL(alpha) = sum x log w = (1 - alpha) sum beta log w + alpha sum a log w,
    KL'(alpha) = sum a log w - sum beta log w,

so a value and its slope take one logarithm and two products a token. In float64 the value is good to about
4e-16 nats absolute, which is why no series is needed where the terms cancel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.budget._support import MIN_LOG_BASE
from kl_derail.budget._workspace import buffers

MIN_TARGET = 1e-14
"""Targets below this many nats count as zero: float64 could not tell their mixtures from the base."""

_AIM, _WINDOW, _GUARD, _ROUNDING = 5e-5, 4.5e-5, 2e-15, 1e-15
_FREE_STEPS, _NEWTON_STEPS, _MAX_STEPS = 5, 12, 60
_COMPACT_BELOW, _BELOW_ONE, _TINY, _MASS_OFF = 0.6, 1 - 1e-12, 1e-300, 0.5
_LEAST_LOG = -745.0


class Rows(NamedTuple):
    """What the search reads and writes, for n rows, float64.

    Args:
        base: [n, V] as given, not normalised
        ratio: [n, V] proposal as given / base
        base_scale, proposal_scale: [n, 1] one over the sums of base and proposal
        log_mass: [n, 1] log of the sum of the base
        log_w: [n, V] log x minus log beta as given, of the last evaluation
        scratch: [n, V]
        spare: [4, n, V] for the rows that need more steps than the others; or nothing, [0, n, V]
    """

    base: Tensor
    ratio: Tensor
    base_scale: Tensor
    proposal_scale: Tensor
    log_mass: Tensor
    log_w: Tensor
    scratch: Tensor
    spare: Tensor


class Found(NamedTuple):
    """An evaluation at `alpha`, all [n, 1].

    Args:
        alpha: weight of the proposal
        kl: KL(x||beta)
        elasticity: alpha dKL/dalpha
        sum_log: sum a (log x - log beta), both a and beta as given
        base_scale, proposal_scale: one over the sums of base and proposal
    """

    alpha: Tensor
    kl: Tensor
    elasticity: Tensor
    sum_log: Tensor
    base_scale: Tensor
    proposal_scale: Tensor


class Goal(NamedTuple):
    """What the search aims at, [n, 1]: alpha in [low, high] whose log KL is within `window` of log `aim`.

    Where alpha is settled beforehand, aim and window are NaN and both bounds are that alpha.
    """

    low: Tensor
    high: Tensor
    aim: Tensor
    window: Tensor


def load(log_a: Tensor, log_b: Tensor, *, cleaned: bool) -> tuple[Rows, Tensor]:
    """Fill the buffers for log a, log beta [n, V]; returns them and KL(a||beta) [n, 1].

    Without `cleaned` that KL is NaN or infinite where a row needs `_support.clean` first. The proposal is left in
    `scratch`.
    """
    count = 8 if log_a.device.type == "cpu" else 4
    whole = buffers(count, log_a.shape, torch.float64, log_a.device)
    base, ratio, log_ratio, proposal = whole[:4].unbind()
    log_ratio.copy_(log_a).sub_(base.copy_(log_b))
    if cleaned:
        log_ratio.nan_to_num_(nan=0.0, neginf=-torch.inf)
    torch.exp(log_ratio, out=ratio)
    torch.mul(base.exp_(), ratio, out=proposal)
    base_scale = base.sum(-1, keepdim=True).reciprocal_()
    proposal_scale = proposal.sum(-1, keepdim=True).reciprocal_()
    if cleaned:
        log_ratio.clamp_(min=MIN_LOG_BASE)
    mean = log_ratio.mul_(proposal).sum(-1, keepdim=True)
    kl = torch.log(proposal_scale / base_scale).addcmul_(mean, proposal_scale)
    columns = (base_scale, proposal_scale, base_scale.log().neg_())
    return Rows(base, ratio, *columns, log_ratio, proposal, whole[4:]), kl


def is_regular(rows: Rows, kl_proposal: Tensor, log_b: Tensor) -> bool:
    """Whether the rows can be solved as they are: no impossible token, no NaN, sums near 1."""
    off = torch.maximum(rows.log_mass.abs(), (rows.proposal_scale - 1).abs_())
    off.add_(kl_proposal, alpha=1e-4)
    worst, low = torch.stack([off.amax(), log_b.amin()]).tolist()
    return bool(worst < _MASS_OFF and low >= MIN_LOG_BASE)


def solve(
    rows: Rows,
    kl_proposal: Tensor,
    target: Tensor,
    alpha_init: Tensor | None,
    broken: Tensor | None,
) -> Found:
    """The largest alpha in [0, 1] whose KL is at most `target` [n, 1] nats, within a relative 1e-4 of it.

    Leaves log x - log beta in `rows.log_w`.
    """
    alive = target >= MIN_TARGET if broken is None else (target >= MIN_TARGET) & ~broken
    still = (kl_proposal * (1 + 1e-12) > target - _GUARD).logical_and_(alive)
    count = int(torch.count_nonzero(still))
    aim = (target * (1 - _AIM)).sub_(_GUARD)
    window = torch.div(_ROUNDING, aim).add_(_WINDOW)
    goal = Goal(aim / kl_proposal, torch.full_like(aim, _BELOW_ONE), aim, window)
    if count == len(still):
        return _search(rows, goal, _first_guess(rows, goal, alpha_init))
    settled = _settled(rows, kl_proposal, (~still).logical_and_(alive).double())
    if count == 0:
        _mix(rows, settled.alpha)
        rows.log_w.clamp_(min=_LEAST_LOG)
        return settled
    low, high = (torch.where(still, bound, settled.alpha) for bound in goal[:2])
    goal = Goal(low, high, *(column.masked_fill_(~still, torch.nan) for column in goal[2:]))
    found = _search(rows, goal, _first_guess(rows, goal, alpha_init))
    rows.log_w.clamp_(min=_LEAST_LOG)
    return Found(*(torch.where(still, *pair) for pair in zip(found, settled, strict=True)))


def _settled(rows: Rows, kl_proposal: Tensor, alpha: Tensor) -> Found:
    """What is known without a search where alpha is 0 or 1."""
    kl, sum_log = (kl_proposal * alpha).clamp_(min=0.0), kl_proposal - rows.log_mass
    sum_log.div_(rows.proposal_scale)
    return Found(alpha, kl, torch.ones_like(kl), sum_log, rows.base_scale, rows.proposal_scale)


def _first_guess(rows: Rows, goal: Goal, alpha_init: Tensor | None) -> Tensor:
    """Root of 1/KL = c1/alpha + c2/alpha^2, right near 0, where KL = alpha^2 chi^2 / 2, and at alpha = 1."""
    if alpha_init is not None:
        known = ((alpha_init >= goal.low) & (alpha_init < 1)).logical_or_(goal.aim.isnan())
        if bool(known.all()):
            return torch.clamp(alpha_init, goal.low, goal.high)
    scale = rows.proposal_scale.square().div_(rows.base_scale)
    chi2 = rows.scratch.mul_(rows.ratio).sum(-1, keepdim=True).mul_(scale).sub_(1)
    square = torch.div(goal.aim, chi2).mul_(2)
    half = (goal.low - square).mul_(0.5)
    guess = torch.addcmul(square, half, half).sqrt_().add_(half).nan_to_num_()
    if alpha_init is not None:
        guess = torch.where(known, alpha_init, guess)
    return torch.clamp(guess, goal.low, goal.high)


def _mix(rows: Rows, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Put log w into its buffer; returns the weights of base and proposal as given, [n, 1] each."""
    rest = torch.addcmul(rows.base_scale, alpha, rows.base_scale, value=-1)
    weight = alpha * rows.proposal_scale
    torch.mul(rows.ratio, weight, out=rows.log_w).add_(rest).log_()
    return rest, weight


def _evaluate(rows: Rows, alpha: Tensor) -> Found:
    rest, weight = _mix(rows, alpha)
    under_base = torch.mul(rows.base, rows.log_w, out=rows.scratch).sum(-1, keepdim=True)
    under_proposal = rows.scratch.mul_(rows.ratio).sum(-1, keepdim=True)
    kl = torch.addcmul(rows.log_mass, rest, under_base).addcmul_(weight, under_proposal)
    kl.clamp_(min=_TINY)
    elasticity = torch.addcmul(kl - rows.log_mass, under_base, rows.base_scale, value=-1)
    return Found(alpha, kl, elasticity, under_proposal, rows.base_scale, rows.proposal_scale)


def _search(rows: Rows, goal: Goal, alpha: Tensor) -> Found:
    """Evaluate until every row is within the window of its aim; rows still open move to buffers of their own once."""
    here = found = _evaluate(rows, alpha)
    here_rows, active, bracket = rows, None, None
    for step in range(_MAX_STEPS):
        shortfall = torch.div(goal.aim, here.kl).log_()
        still = shortfall.abs() > goal.window
        count = int(torch.count_nonzero(still))
        if count == 0:
            break
        if step < _FREE_STEPS:
            alpha = torch.clamp(_newton(here, shortfall), goal.low, goal.high)
        else:
            bracket = _narrow(bracket or (goal.low, goal.high), here, shortfall)
            alpha = torch.where(still, _bracketed(bracket, here, shortfall, step), here.alpha)
        few = count < _COMPACT_BELOW * len(still) and step < _FREE_STEPS
        if few and active is None and len(rows.spare):
            found, active = here, still.squeeze(-1).nonzero().squeeze(-1)
            here_rows, goal, alpha = _take(rows, goal, alpha, active)
        here = _evaluate(here_rows, alpha)
    if active is None:
        return here
    rows.log_w.index_copy_(0, active, here_rows.log_w)
    table = torch.cat(found, -1).index_copy_(0, active, torch.cat(here, -1))
    return Found(*table.split(1, -1))


def _newton(here: Found, shortfall: Tensor) -> Tensor:
    """Newton on log KL against log alpha; stays where alpha is settled (NaN)."""
    return (here.kl / here.elasticity).mul_(shortfall).nan_to_num_().exp_().mul_(here.alpha)


def _narrow(
    bracket: tuple[Tensor, Tensor], here: Found, shortfall: Tensor
) -> tuple[Tensor, Tensor]:
    below = shortfall >= 0
    return torch.where(below, here.alpha, bracket[0]), torch.where(below, bracket[1], here.alpha)


def _bracketed(bracket: tuple[Tensor, Tensor], here: Found, shortfall: Tensor, step: int) -> Tensor:
    """Newton inside the bracket, its geometric middle otherwise; at the very end its lower bound, which is safe."""
    low, high = bracket
    if step == _MAX_STEPS - 1:
        return low
    newton = _newton(here, shortfall)
    inside = (newton > low) & (newton < high) & (step < _NEWTON_STEPS)
    return torch.where(inside, newton, torch.sqrt(low * high))


def _take(rows: Rows, goal: Goal, alpha: Tensor, active: Tensor) -> tuple[Rows, Goal, Tensor]:
    """The rows named by an index tensor [k], copied into the spare buffers, and their columns."""
    spare = rows.spare[:, : active.shape[0]]
    base, ratio = (torch.index_select(rows[i], 0, active, out=spare[i]) for i in range(2))
    columns = torch.cat([*rows[2:5], *goal, alpha], -1)[active].split(1, -1)
    few = Rows(base, ratio, *columns[:3], spare[2], spare[3], spare[4:])
    return few, Goal(*columns[3:-1]), columns[-1]
