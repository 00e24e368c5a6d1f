"""Finding the mixing weight: bracketed Newton steps on log KL against log alpha, in float64, rows side by side.

Nothing here is differentiable and nothing keeps a tape; `mixture` wraps it. Letters: n rows of a chunk,
V vocabulary. Both distributions are normalised over the SUPPORT of the base, the tokens whose log-probability
is at least `MIN_LOG_BASE`; with r = a / beta and w = x / beta = 1 - alpha + alpha r, the mixture costs

    KL(alpha) = sum x log w = (1 - alpha) sum beta log w + alpha sum a log w,
    KL'(alpha) = sum a log w - sum beta log w,

so one logarithm and two dot products a token give the value and the slope. In float64 the value is good to
about 3e-16 nats absolute, which is why no series is needed where the terms cancel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MIN_LOG_BASE = -700.0
"""Base log-probabilities below this count as impossible (exp of it is about the least float64 to divide by)."""

MIN_TARGET = 1e-14
"""Targets below this many nats count as zero: float64 could not tell their mixtures from the base."""

_AIM, _WINDOW, _GUARD = 5e-5, 4.5e-5, 2e-15
_NEWTON_STEPS, _MAX_STEPS = 12, 60
_COMPACT_BELOW = 0.7


class Rows(NamedTuple):
    """What the iterations read, for n rows: `base` and `proposal` [n, V] float64 with their sums, r = a / beta.

    The first three are as given, not normalised; `base_mass` and `proposal_mass` [n, 1] say by how much.
    """

    base: Tensor
    proposal: Tensor
    ratio: Tensor
    base_mass: Tensor
    proposal_mass: Tensor

    def take(self, rows: Tensor) -> Rows:
        """The rows named by an index tensor [k]."""
        return Rows(*(field.index_select(0, rows) for field in self))


class Solved(NamedTuple):
    """A chunk's solution: `log_w` = log(x / beta) [n, V], the rest [n, 1], all float64.

    `slope` is dKL/dalpha and `mean_log` is sum a log w, both at `alpha`.
    """

    log_w: Tensor
    alpha: Tensor
    kl: Tensor
    slope: Tensor
    mean_log: Tensor


class _Search(NamedTuple):
    """Where the search stands, all [k, 1]: the root lies in (low, high); `frozen` rows have their final alpha."""

    alpha: Tensor
    low: Tensor
    high: Tensor
    aim: Tensor
    frozen: Tensor

    def take(self, rows: Tensor) -> _Search:
        return _Search(*(field.index_select(0, rows) for field in self))


def clean(log_proposal: Tensor, log_base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise both over the support of the base, whatever they hold.

    Returns (log a, log beta, broken): [n, V] float64 twice, and [n, 1] bool for rows whose proposal has a NaN,
    a +inf or no mass on the support; their log a is log beta. Off the support both are -inf.
    """
    log_a, log_b = log_proposal.double(), log_base.double()
    off = ~(log_b >= MIN_LOG_BASE)
    broken = ~(log_a < torch.inf).all(-1, keepdim=True)
    log_a = log_a.masked_fill(off, -torch.inf)
    broken = broken | ~(log_a.amax(-1, keepdim=True) > -torch.inf)
    log_b = torch.log_softmax(log_b.masked_fill(off, -torch.inf), -1)
    log_a = torch.where(broken, log_b, torch.log_softmax(log_a.masked_fill(broken, 0.0), -1))
    return log_a, log_b, broken


def prepare(log_a: Tensor, log_b: Tensor) -> tuple[Rows, Tensor]:
    """The rows for the search, and KL(a||beta) [n, 1]; not finite or off where a row needs `clean` first."""
    log_b = log_b.double()
    log_ratio = log_a.double() - log_b
    return _rows(log_b, log_ratio, log_ratio)


def prepare_clean(log_a: Tensor, log_b: Tensor) -> tuple[Rows, Tensor]:
    """As `prepare`, for the output of `clean`: 0 times infinity counts as 0."""
    log_ratio = torch.where(log_b > -torch.inf, log_a - log_b, 0.0)
    return _rows(log_b, log_ratio, log_ratio.clamp(min=MIN_LOG_BASE))


def _rows(log_b: Tensor, log_ratio: Tensor, finite_ratio: Tensor) -> tuple[Rows, Tensor]:
    base, ratio = log_b.exp(), log_ratio.exp()
    proposal = base * ratio
    base_mass, proposal_mass = base.sum(-1, keepdim=True), proposal.sum(-1, keepdim=True)
    kl = _dot(proposal, finite_ratio) / proposal_mass + torch.log(base_mass / proposal_mass)
    return Rows(base, proposal, ratio, base_mass, proposal_mass), kl


def is_regular(rows: Rows, kl_proposal: Tensor, log_b: Tensor) -> bool:
    """Whether the rows can be solved as they are: no masked token, no NaN, sums of probabilities near 1."""
    off = (rows.base_mass - 1).abs() + (rows.proposal_mass - 1).abs()
    return bool(((off < 0.5) & (kl_proposal.abs() < torch.inf)).all() & (log_b.amin() >= MIN_LOG_BASE))


def solve(rows: Rows, kl_proposal: Tensor, target: Tensor, alpha_init: Tensor | None, broken: Tensor | None) -> Solved:
    """The largest alpha in [0, 1] whose KL is at most `target` [n, 1] nats, within a relative 1e-4 of it."""
    search, saturated = _start(rows, kl_proposal, target, alpha_init, broken)
    found = _iterate(rows, search)
    kl = torch.where(saturated, kl_proposal, found.kl)
    kl = torch.where(found.alpha == 0, 0.0, kl).clamp(min=0.0)
    return found._replace(kl=kl, mean_log=torch.where(saturated, kl_proposal, found.mean_log))


def _start(
    rows: Rows, kl_proposal: Tensor, target: Tensor, alpha_init: Tensor | None, broken: Tensor | None
) -> tuple[_Search, Tensor]:
    dead = ~(target >= MIN_TARGET)
    if broken is not None:
        dead = dead | broken
    saturated = (kl_proposal * (1 + 1e-12) + _GUARD <= target) & ~dead
    aim = target * (1 - _AIM) - _GUARD
    low, high = aim / kl_proposal, torch.ones_like(aim)
    guess = _guess(rows, aim, low)
    if alpha_init is not None:
        guess = torch.where((alpha_init > low) & (alpha_init < high), alpha_init, guess)
    frozen = saturated | dead
    alpha = torch.where(frozen, saturated.double(), guess)
    return _Search(alpha, low, high, aim, frozen), saturated


def _guess(rows: Rows, aim: Tensor, low: Tensor) -> Tensor:
    chi2 = _dot(rows.proposal, rows.ratio) * rows.base_mass / rows.proposal_mass**2 - 1
    return torch.sqrt(low * torch.sqrt(2 * aim / chi2).clamp(max=1.0)).maximum(low)


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.vecdot(left, right).unsqueeze(-1)


def _evaluate(rows: Rows, alpha: Tensor) -> Solved:
    scale = alpha * (rows.base_mass / rows.proposal_mass)
    log_w = torch.addcmul(1 - alpha, rows.ratio, scale).log_()
    under_base = _dot(rows.base, log_w) / rows.base_mass
    mean_log = _dot(rows.proposal, log_w) / rows.proposal_mass
    slope = mean_log - under_base
    return Solved(log_w, alpha, under_base + alpha * slope, slope, mean_log)


def _iterate(rows: Rows, search: _Search) -> Solved:
    found = _evaluate(rows, search.alpha)
    active, here = None, found
    for step in range(_MAX_STEPS):
        frozen = search.frozen | ((here.kl - search.aim).abs() <= _WINDOW * search.aim)
        search = _advance(search._replace(frozen=frozen), here, step)
        pending = int((~frozen).sum())
        if pending == 0:
            break
        if pending < _COMPACT_BELOW * frozen.shape[0] and rows.base.device.type == "cpu":
            keep = (~frozen).squeeze(-1).nonzero().squeeze(-1)
            rows, search = rows.take(keep), search.take(keep)
            active = keep if active is None else active.index_select(0, keep)
        here = _evaluate(rows, search.alpha)
        found = here if active is None else _write(found, active, here)
    return found


def _write(found: Solved, active: Tensor, here: Solved) -> Solved:
    for field, value in zip(found, here, strict=True):
        field.index_copy_(0, active, value)
    return found


def _advance(search: _Search, here: Solved, step: int) -> _Search:
    below = here.kl < search.aim
    low, high = torch.where(below, search.alpha, search.low), torch.where(below, search.high, search.alpha)
    newton = search.alpha * torch.exp(-torch.log(here.kl / search.aim) * here.kl / (search.alpha * here.slope))
    inside = (newton > low) & (newton < high) & (step < _NEWTON_STEPS)
    alpha = torch.where(inside, newton, torch.sqrt(low * high))
    if step == _MAX_STEPS - 1:
        alpha = low
    return _Search(torch.where(search.frozen, search.alpha, alpha), low, high, search.aim, search.frozen)
