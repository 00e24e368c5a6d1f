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

from kl_derail.budget._workspace import buffers

MIN_LOG_BASE = -700.0
"""Base log-probabilities below this count as impossible (exp of it is about the least float64 to divide by)."""

MIN_TARGET = 1e-14
"""Targets below this many nats count as zero: float64 could not tell their mixtures from the base."""

_AIM, _WINDOW, _GUARD = 5e-5, 4.5e-5, 2e-15
_FREE_STEPS, _NEWTON_STEPS, _MAX_STEPS = 4, 12, 60
_COMPACT_BELOW = 0.6


class Rows(NamedTuple):
    """What the search reads and writes, for n rows, float64.

    Args:
        pair: [2, n, V] beta and a, not normalised
        scale: [2, n, 1] one over their sums
        ratio: [n, V] a / beta of the two as they are
        log_w: [n, V] log(x / sum beta / beta) of the last evaluation, so that adding log beta gives log x
        scratch: [2, n, V]
    """

    pair: Tensor
    scale: Tensor
    ratio: Tensor
    log_w: Tensor
    scratch: Tensor


class Found(NamedTuple):
    """An evaluation, all [n, 1]: `slope` is dKL/dalpha and `mean_log` is sum a log w, at `alpha`."""

    alpha: Tensor
    kl: Tensor
    slope: Tensor
    mean_log: Tensor


class Goal(NamedTuple):
    """What the search aims at, all [n, 1]: the KL `aim`, NaN where alpha is settled; the root is above `low`."""

    aim: Tensor
    low: Tensor


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


def load(log_a: Tensor, log_b: Tensor, cleaned: bool) -> tuple[Rows, Tensor]:
    """Fill the buffers for log a, log beta [n, V]; returns them and KL(a||beta) [n, 1].

    Without `cleaned` that KL is NaN or infinite where a row needs `clean` first.
    """
    n, width = log_a.shape
    whole = buffers(12, n, width, torch.float64, log_a.device)
    pair, ratio, log_w, scratch = whole[0:2], whole[2], whole[3], whole[4:6]
    log_ratio = log_w.copy_(log_a).sub_(scratch[0].copy_(log_b))
    if cleaned:
        log_ratio.nan_to_num_(nan=0.0, neginf=-torch.inf)
    torch.exp(scratch[0], out=pair[0])
    torch.exp(log_ratio, out=ratio)
    torch.mul(pair[0], ratio, out=pair[1])
    mass = pair.sum(-1, keepdim=True)
    if cleaned:
        log_ratio.clamp_(min=MIN_LOG_BASE)
    kl = torch.mul(pair[1], log_ratio, out=scratch[0]).sum(-1, keepdim=True)
    scale = mass.reciprocal()
    kl = torch.addcmul(torch.log(mass[0] * scale[1]), kl, scale[1])
    return Rows(pair, scale, ratio, log_w, scratch), kl


def is_regular(rows: Rows, kl_proposal: Tensor, log_b: Tensor) -> bool:
    """Whether the rows can be solved as they are: no impossible token, no NaN, sums of probabilities near 1."""
    sums_fit = ((rows.scale - 1).abs_() < 0.5).all()
    return bool(sums_fit & (kl_proposal.abs() < torch.inf).all() & (log_b.amin() >= MIN_LOG_BASE))


def solve(rows: Rows, kl_proposal: Tensor, target: Tensor, alpha_init: Tensor | None, broken: Tensor | None) -> Found:
    """The largest alpha in [0, 1] whose KL is at most `target` [n, 1] nats, within a relative 1e-4 of it.

    Leaves log(x / beta) in `rows.log_w`.
    """
    usable = target >= MIN_TARGET if broken is None else (target >= MIN_TARGET) & ~broken
    saturated = (kl_proposal * (1 + 1e-12) + _GUARD <= target) & usable
    settled = saturated | ~usable
    aim = torch.where(settled, torch.nan, target * (1 - _AIM) - _GUARD)
    goal = Goal(aim, aim / kl_proposal)
    alpha = torch.where(settled, saturated.double(), _first_guess(rows, kl_proposal, goal, alpha_init))
    found = _search(rows, goal, alpha)
    kl = torch.where(saturated, kl_proposal, found.kl.mul_(usable)).clamp_(min=0.0)
    return found._replace(kl=kl, mean_log=torch.where(saturated, kl_proposal, found.mean_log))


def _first_guess(rows: Rows, kl_proposal: Tensor, goal: Goal, alpha_init: Tensor | None) -> Tensor:
    """Root of 1/KL = c1/alpha + c2/alpha^2, right at alpha = 1 and near 0, where KL = alpha^2 chi^2 / 2."""
    if alpha_init is not None:
        known = (alpha_init >= goal.low) & (alpha_init < 1)
        if bool((known | goal.aim.isnan()).all()):
            return alpha_init
    ratio_mean = torch.mul(rows.pair[1], rows.ratio, out=rows.scratch[0]).sum(-1, keepdim=True)
    chi2 = ratio_mean * rows.scale[1].square() / rows.scale[0] - 1
    c2 = 2 / chi2.clamp_(min=1e-300)
    half = (goal.aim * (1 / kl_proposal - c2)).clamp_(min=0.0) / 2
    guess = (half + torch.sqrt(half.square() + goal.aim * c2)).clamp_(max=1.0).maximum(goal.low)
    return guess if alpha_init is None else torch.where(known, alpha_init, guess)


def _evaluate(rows: Rows, alpha: Tensor) -> Found:
    weight = torch.mul(alpha, rows.scale[1])
    rest = (1 - alpha) * rows.scale[0]
    torch.addcmul(rest, rows.ratio, weight, out=rows.log_w).log_()
    log_base_mass = -rows.scale[0].log()
    ...
