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

MIN_TARGET = 1e-10
"""Targets below this many nats count as zero: float64 could not place their mixtures to 1e-4."""

_AIM, _WINDOW, _GUARD, _TINY = 5e-5, 4e-5, 2e-15, 1e-300
_BELOW_ONE, _LEAST_LOG, _FITS = 1 - 1e-12, -745.0, 1e3
_FREE_STEPS, _NEWTON_STEPS, _MAX_STEPS, _COMPACT_BELOW = 5, 12, 60, 0.6


class Rows(NamedTuple):
    """What the search reads and writes, for n rows, float64.

    Args:
        base: [n, V] as given, not normalised
        ratio: [n, V] proposal as given / base
        log_w: [n, V] log x minus log beta as given, of the last evaluation
        scratch: [n, V]
        spare: [8, n, V], [4, n, V] or nothing, for those rows that need more steps than the others
        base_scale, proposal_scale: [n, 1] one over the sums of base and proposal
        log_mass: [n, 1] log of the sum of the base
    """

    base: Tensor
    ratio: Tensor
    log_w: Tensor
    scratch: Tensor
    spare: Tensor
    base_scale: Tensor
    proposal_scale: Tensor
    log_mass: Tensor


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
    """The search wants alpha [n, 1] in [low, high] whose KL is within a small window of `aim` nats, [n, 1]."""

    aim: Tensor
    low: Tensor
    high: Tensor


def load(log_a: Tensor, log_b: Tensor, *, cleaned: bool) -> tuple[Rows, Tensor, bool]:
    """Fill the buffers for log a, log beta [n, V], and leave the proposal in `scratch`.

    Returns them, KL(a||beta) [n, 1], and whether that can be used as it is: False where a row has an impossible
    token, a NaN, or sums far from 1, and needs `_support.clean` first.
    """
    count = 12 if log_a.device.type == "cpu" else 4
    whole = buffers(count, log_a.shape, torch.float64, log_a.device)
    base, ratio, log_ratio, proposal = whole[:4].unbind()
    log_ratio.copy_(log_a).sub_(base.copy_(log_b))
    if cleaned:
        log_ratio.nan_to_num_(nan=0.0, neginf=-torch.inf)
    torch.exp(log_ratio, out=ratio)
    torch.mul(base.exp_(), ratio, out=proposal)
    base_mass, proposal_mass = base.sum(-1, keepdim=True), proposal.sum(-1, keepdim=True)
    scales = base_mass.reciprocal(), proposal_mass.reciprocal()
    if cleaned:
        log_ratio.clamp_(min=MIN_LOG_BASE)
    mean = log_ratio.mul_(proposal).sum(-1, keepdim=True)
    kl = torch.log(base_mass * scales[1]).addcmul_(mean, scales[1])
    largest = torch.cat([base_mass, proposal_mass, *scales, kl], -1).amax()
    regular = float(largest) < _FITS and float(log_b.amin()) >= MIN_LOG_BASE
    rows = Rows(base, ratio, log_ratio, proposal, whole[4:], *scales, base_mass.log_())
    return rows, kl.clamp_(min=0.0), regular


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
    goal = Goal(aim, aim / kl_proposal, torch.full_like(aim, _BELOW_ONE))
    if count == len(still):
        return _search(rows, goal, _first_guess(rows, goal, alpha_init))
    settled = _settle(rows, kl_proposal, (~still).logical_and_(alive).double())
    if count == 0:
        return settled
    start = torch.full_like(aim, torch.nan) if alpha_init is None else alpha_init
    few = _take(rows, goal, start, still)
    torch.mul(few.rows.base, few.rows.ratio, out=few.rows.scratch)
    alpha = _first_guess(few.rows, few.goal, few.alpha)
    return _merge(rows, settled, few, _search(few.rows, few.goal, alpha))


def _settle(rows: Rows, kl_proposal: Tensor, alpha: Tensor) -> Found:
    """Where alpha is 0 or 1 without a search."""
    _mix(rows, alpha)
    rows.log_w.clamp_(min=_LEAST_LOG)
    sum_log = (kl_proposal - rows.log_mass).div_(rows.proposal_scale)
    return Found(alpha, kl_proposal * alpha, torch.ones_like(alpha), sum_log, *rows[5:7])


def _first_guess(rows: Rows, goal: Goal, alpha_init: Tensor | None) -> Tensor:
    """Root of 1/KL = c1/alpha + c2/alpha^2, right near 0, where KL = alpha^2 chi^2 / 2, and at alpha = 1."""
    if alpha_init is not None:
        known = (alpha_init >= goal.low) & (alpha_init < 1)
        if bool(known.all()):
            return torch.clamp(alpha_init, goal.low, goal.high)
    scale = rows.proposal_scale.square().div_(rows.base_scale)
    chi2 = rows.scratch.mul_(rows.ratio).sum(-1, keepdim=True).mul_(scale).sub_(1)
    square = torch.div(goal.aim, chi2).mul_(2)
    half = (goal.low - square).mul_(0.5)
    guess = torch.addcmul(square, half, half).sqrt_().add_(half)
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
    sum_base = torch.mul(rows.base, rows.log_w, out=rows.scratch).sum(-1, keepdim=True)
    sum_proposal = rows.scratch.mul_(rows.ratio).sum(-1, keepdim=True)
    kl = torch.addcmul(rows.log_mass, rest, sum_base).addcmul_(weight, sum_proposal)
    kl.clamp_(min=_TINY)
    elasticity = torch.addcmul(kl - rows.log_mass, sum_base, rows.base_scale, value=-1)
    return Found(alpha, kl, elasticity, sum_proposal, *rows[5:7])


def _search(rows: Rows, goal: Goal, alpha: Tensor) -> Found:
    """Evaluate until every row is near its aim; when few are not, they move to the spare buffers."""
    here = _evaluate(rows, alpha)
    bracket = goal.low, goal.high
    for step in range(_MAX_STEPS):
        shortfall = torch.div(goal.aim, here.kl).log_()
        still = shortfall.abs() > _WINDOW
        count = int(torch.count_nonzero(still))
        if count == 0:
            break
        if step >= _FREE_STEPS:
            bracket = _narrow(bracket, here, shortfall)
            alpha = torch.where(still, _inside(bracket, here, shortfall, step), here.alpha)
        else:
            alpha = torch.clamp(_newton(here, shortfall), goal.low, goal.high)
            if count < _COMPACT_BELOW * len(still) and len(rows.spare):
                few = _take(rows, goal, alpha, still)
                return _merge(rows, here, few, _search(few.rows, few.goal, few.alpha))
        here = _evaluate(rows, alpha)
    return here


def _newton(here: Found, shortfall: Tensor) -> Tensor:
    """Newton on log KL against log alpha; `shortfall` is log aim / KL."""
    return (here.kl / here.elasticity).mul_(shortfall).exp_().mul_(here.alpha)


def _narrow(
    bracket: tuple[Tensor, Tensor], here: Found, shortfall: Tensor
) -> tuple[Tensor, Tensor]:
    below = shortfall >= 0
    return torch.where(below, here.alpha, bracket[0]), torch.where(below, bracket[1], here.alpha)


def _inside(bracket: tuple[Tensor, Tensor], here: Found, shortfall: Tensor, step: int) -> Tensor:
    """Newton inside the bracket, its geometric middle otherwise; at the very end its lower bound, which is safe."""
    low, high = bracket
    if step == _MAX_STEPS - 1:
        return low
    newton = _newton(here, shortfall)
    inside = (newton > low) & (newton < high) & (step < _NEWTON_STEPS)
    return torch.where(inside, newton, torch.sqrt(low * high))


class _Few(NamedTuple):
    """Some rows of a chunk on their own: which they are [k], and what the search needs of them."""

    which: Tensor
    rows: Rows
    goal: Goal
    alpha: Tensor


def _take(rows: Rows, goal: Goal, alpha: Tensor, chosen: Tensor) -> _Few:
    """The rows where `chosen` [n, 1], copied into the spare buffers if there are any."""
    which = chosen.squeeze(-1).nonzero().squeeze(-1)
    if len(rows.spare):
        wide = rows.spare[:, : len(which)]
        for i in range(2):
            torch.index_select(rows[i], 0, which, out=wide[i])
    else:
        wide = torch.stack([rows[i][which] for i in (0, 1, 0, 0)])
    columns = torch.cat([*rows[5:], *goal, alpha], -1)[which].split(1, -1)
    few = Rows(wide[0], wide[1], wide[2], wide[3], wide[4:], *columns[:3])
    return _Few(which, few, Goal(*columns[3:6]), columns[6])


def _merge(rows: Rows, found: Found, few: _Few, better: Found) -> Found:
    """Put what was found for a few rows among the others."""
    rows.log_w.index_copy_(0, few.which, few.rows.log_w)
    table = torch.cat(found, -1).index_copy_(0, few.which, torch.cat(better, -1))
    return Found(*table.split(1, -1))
