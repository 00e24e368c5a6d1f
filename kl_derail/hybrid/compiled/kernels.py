"""What all kernels share: how they draw and what they log."""

from __future__ import annotations

from kl_derail.hybrid.arrays import Floats
from kl_derail.plumbing.compiled import kernel

GAP, GAP_MEAN, REGRET, UNCERTAINTY = range(4)
"""Rows of the curves [4, K] that a kernel gives back."""


@kernel
def draw(cumulative: Floats, row: int, uniform: float) -> int:
    """First index of a row of [R, N] whose cumulative probability exceeds `uniform`, by bisection.

    A row's number instead of a view of it: views cost a reference count each.
    """
    low, high = 0, cumulative.shape[1] - 1
    while low < high:
        middle = (low + high) // 2
        if uniform < cumulative[row, middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def note(curves: Floats, point: int, episode: int, totals: Floats, gap: float) -> None:
    """Write checkpoint `point` of `curves` [4, K] after `episode`; `totals` [4] are sums so far."""
    curves[GAP, point] = gap
    curves[GAP_MEAN, point] = totals[GAP] / episode
    curves[REGRET, point] = totals[REGRET]
    curves[UNCERTAINTY, point] = totals[UNCERTAINTY]
