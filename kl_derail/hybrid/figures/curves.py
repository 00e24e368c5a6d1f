"""Sub-optimality, regret and the Eluder-type sum against online episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from kl_derail.hybrid.estimates import (
    Band,
    Curve,
    paired,
    pointwise,
    simultaneous,
    tail_line,
    tail_slope,
)
from kl_derail.hybrid.experiment.settings import ONLINE
from kl_derail.hybrid.figures.looks import Looks, linear_axes, lines, log_axes, log_limits, looks
from kl_derail.hybrid.figures.study import Study, curves, trial_counts
from kl_derail.plumbing.statistics import Interval
from kl_derail.plumbing.style import caption, grid, no_data

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Averaging = Literal["pointwise", "running", "both"]

QUANTITIES = {
    "gap": "sub-optimality gap",
    "gap_mean": "running mean of the gap",
    "regret": "cumulative regret",
    "uncertainty": "sum of squared uncertainties",
}
"""What a field of the log is called at an axis."""

BANDS = (
    "Filled: 95 % interval at each point for itself (Student). Thin lines: simultaneous 95 % band, which"
    " holds the whole curve of means at once (sup-t). Both are symmetric and may reach below 0."
)
SETTLED, HEADROOM = 0.01, 1.2
"""Linear axes end at HEADROOM times the largest mean after that share of the episodes."""


class Drawn(NamedTuple):
    """A curve with what is drawn of it."""

    curve: Curve
    bands: tuple[Band, Band]
    slope: Interval


def fields(objective: str, averaging: Averaging) -> list[str]:
    """Fields of the log to draw for an objective."""
    if objective == "regret":
        return ["regret"]
    return {"pointwise": ["gap"], "running": ["gap_mean"], "both": ["gap", "gap_mean"]}[averaging]


def draw_curves(study: Study, wanted: Sequence[str]) -> Figure:
    """A row a field: linear axes, and logarithmic ones with the slopes fitted on the last decade."""
    rows = [(field, [_drawn(each) for each in curves(study, field)]) for field in wanted]
    rows = [(field, own) for field, own in rows if own]
    if not rows:
        return no_data(f"{study.name} has no {', '.join(wanted)}")
    figure, axes = grid([2] * len(rows), 2.5)
    style = looks(study.rows)
    handles: dict[str, Artist] = {}
    for (field, own), left, right in zip(rows, axes[::2], axes[1::2], strict=True):
        handles |= _linear_panel(left, QUANTITIES[field], own, style)
        _log_panel(right, QUANTITIES[field], own, style)
    _names(figure, handles)
    n = trial_counts([each.curve for _, own in rows for each in own])
    caption(
        figure,
        f"{study.title}. {n}. {BANDS} Left: the axis ends at {HEADROOM} times the largest mean after the"
        f" first {SETTLED:.0%} of the episodes; what lies above is cut off. Right: the axis holds all means above 0;"
        " means of 0 and what bands reach beyond it are cut off. White dots: line fitted to the last decade; its"
        " slope with a 95 % interval (bootstrap over trials), left out if more than 1 % of the resamples have"
        " a mean of 0.",
    )
    return figure


def _linear_panel(
    axes: Axes, quantity: str, drawn: Sequence[Drawn], style: Looks
) -> dict[str, Artist]:
    """Draw all methods; returns their lines by name."""
    linear_axes(axes, quantity)
    handles = _all_lines(axes, drawn, style)
    settled = [each.bands[0].mean[_from(each.curve, SETTLED)].max() for each in drawn]
    axes.set_ylim(0, HEADROOM * max(settled) or 1)
    return handles


def _log_panel(axes: Axes, quantity: str, drawn: Sequence[Drawn], style: Looks) -> None:
    means = [each.bands[0].mean for each in drawn]
    if not any((mean > 0).any() for mean in means):
        axes.text(0.5, 0.5, "all means are 0", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    log_axes(axes, quantity)
    handles = _all_lines(axes, drawn, style)
    for each in drawn:
        _fit(axes, each)
    log_limits(axes, means)
    options: dict[str, Any] = {
        "title_fontsize": 6,
        "fontsize": 6,
        "loc": "upper left",
        "bbox_to_anchor": (1, 1),
    }
    slopes = [_slope_text(each.slope) for each in drawn]
    axes.legend(list(handles.values()), slopes, title="slope", **options)


def _all_lines(axes: Axes, drawn: Sequence[Drawn], style: Looks) -> dict[str, Artist]:
    return {
        each.curve.method: lines(axes, each.curve.episodes, each.bands, style[each.curve.method])
        for each in drawn
    }


def draw_differences(study: Study, wanted: Sequence[str]) -> Figure:
    """Each method minus pure online, trial by trial, one panel a field."""
    panels = []
    for field in wanted:
        own = {each.method: each for each in curves(study, field)}
        pairs = [
            (name, paired(each, own[ONLINE]))
            for name, each in own.items()
            if name != ONLINE and ONLINE in own
        ]
        panels += [(field, pairs)] if pairs else []
    if not panels:
        return no_data(f"{study.name} has nothing to compare with pure online")
    figure, axes = grid([len(panels)], 2.4)
    style = looks(study.rows)
    handles: dict[str, Artist] = {}
    for panel, (field, pairs) in zip(axes, panels, strict=True):
        for name, each in pairs:
            handles[name] = lines(panel, each.episodes, _bands(each), style[name])
        panel.axhline(0, color="black", linewidth=0.8)
        linear_axes(panel, f"{QUANTITIES[field]}\nminus that of pure online")
    _names(figure, handles)
    n = trial_counts([each for _, pairs in panels for _, each in pairs])
    caption(figure, f"{study.title}. {n}. Differences within trials (common random numbers); below 0: better than"
            f" pure online. {BANDS}")  # fmt: skip
    return figure


def draw_uncertainty(study: Study) -> Figure:
    """The sum of U^_t(pi_t)^2 along the run: theory wants it to grow no faster than log t."""
    own = [_drawn(each) for each in curves(study, "uncertainty")]
    if not own:
        return no_data(f"{study.name} logs no uncertainty")
    figure, (panel,) = grid([1], 2.5)
    style = looks(study.rows)
    log_axes(panel, QUANTITIES["uncertainty"])
    panel.set_yscale("linear")
    handles = _all_lines(panel, own, style)
    log_limits(panel, [each.bands[0].mean for each in own])
    panel.set_ylim(bottom=0)
    _names(figure, handles)
    n = trial_counts([each.curve for each in own])
    caption(figure, f"{study.title}. {n}. Sum over episodes of U(played policy) squared, the Eluder-type condition: a"
            f" straight line here is logarithmic growth. {BANDS}")  # fmt: skip
    return figure


def _drawn(curve: Curve) -> Drawn:
    return Drawn(curve, _bands(curve), tail_slope(curve))


def _bands(curve: Curve) -> tuple[Band, Band]:
    return pointwise(curve.values), simultaneous(curve.values)


def _fit(axes: Axes, drawn: Drawn) -> None:
    """The line fitted to the last decade."""
    if np.isfinite(drawn.slope.estimate):
        axes.plot(*tail_line(drawn.curve), linestyle=(0, (1, 3)), linewidth=0.9, color="white")


def _from(curve: Curve, share: float) -> slice:
    """The points from that share of the last episode on."""
    return slice(int(np.searchsorted(curve.episodes, share * curve.episodes[-1])), None)


def _slope_text(slope: Interval) -> str:
    if np.isnan(slope.estimate):
        return "none: a mean is 0"
    estimate, low, high = (f"{each:z.2f}".replace("-", "\N{MINUS SIGN}") for each in slope[:3])
    return estimate if np.isnan(slope.low) else f"{estimate} [{low}, {high}]"


def _names(figure: Figure, handles: dict[str, Artist]) -> None:
    columns = len(handles) if len(handles) <= 6 else -(-len(handles) // 2)
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=columns)
