"""How methods and axes look in all figures of hybrid RL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.estimates import Band
from kl_derail.hybrid.experiment.log import TrialCurve
from kl_derail.hybrid.experiment.settings import BASELINE_LABELS, ONLINE
from kl_derail.hybrid.figures.study import methods
from kl_derail.plumbing.style import LINE_STYLES, OKABE_ITO, colours, plain_ticks, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Looks = dict[str, dict[str, Any]]

BLACK = "#000000"
EPISODES = "online episodes"

LOG_POINTS = 80
"""Most points of a curve on a logarithmic axis."""

FLOOR = 1e-12
"""Where ends of bands at 0 or less are drawn on a logarithmic axis: below any axis we show."""


def looks(rows: Sequence[TrialCurve]) -> Looks:
    """Colour and line of each method: pure online black; shades where only N0 differs, else colours.

    Baselines are dashed.
    """
    labels = methods(rows)
    baselines = [label for label in labels if label in BASELINE_LABELS.values()]
    hybrid = [label for label in labels if label not in {ONLINE, *baselines}]
    behaviours = {row.behaviour for row in rows if row.method in hybrid}
    ordered = len(behaviours) == 1 and len(hybrid) > 1
    palette = shades(len(hybrid) + 1)[1:] if ordered else colours(len(hybrid))
    found: Looks = {ONLINE: {"color": BLACK}}
    found |= {label: {"color": colour} for label, colour in zip(hybrid, palette, strict=True)}
    for colour, label in zip(reversed(OKABE_ITO), baselines, strict=False):
        found[label] = {"color": colour, "linestyle": LINE_STYLES[1]}
    return found


def lines(axes: Axes, episodes: Ints, bands: tuple[Band, Band], look: dict[str, Any]) -> Any:
    """A mean, its pointwise intervals (filled) and its simultaneous band (thin lines).

    Args:
        axes: where to.
        episodes: [K].
        bands: pointwise and simultaneous.
        look: colour and line style.

    Returns:
        The line of the mean, for the legend.
    """
    if axes.get_xscale() == "log":
        kept = even_in_log(episodes)
        episodes = episodes[kept]
        bands = _picked(bands[0], kept), _picked(bands[1], kept)
    if axes.get_yscale() == "log":
        bands = _floored(bands[0]), _floored(bands[1])
    points, whole = bands
    (line,) = axes.plot(episodes, points.mean, **look)
    colour = look["color"]
    axes.fill_between(episodes, points.low, points.high, color=colour, alpha=0.22, linewidth=0)
    for end in (whole.low, whole.high):
        axes.plot(episodes, end, color=colour, linewidth=0.5, alpha=0.75)
    return line


def _picked(band: Band, kept: Ints) -> Band:
    return Band(band.mean[kept], band.low[kept], band.high[kept])


def _floored(band: Band) -> Band:
    """Means of 0 or less left out, ends held above 0."""
    mean = np.where(band.mean > 0, band.mean, np.nan)
    return Band(mean, np.maximum(band.low, FLOOR), np.maximum(band.high, FLOOR))


def even_in_log(episodes: Ints) -> Ints:
    """Places of points that lie about evenly in log t; the last one is kept."""
    bins = np.floor(np.log(episodes) / np.log(episodes[-1] + 1.0) * LOG_POINTS)
    return np.append(np.flatnonzero(np.diff(bins)), len(episodes) - 1)


def linear_axes(axes: Axes, quantity: str) -> None:
    """Linear axes with plain numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set(xlabel=EPISODES, ylabel=quantity)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
    )


def log_axes(axes: Axes, quantity: str) -> None:
    """Logarithmic axes; to be called before anything is drawn, `log_limits` afterwards."""
    axes.set(xscale="log", yscale="log", xlabel=EPISODES, ylabel=quantity)
    axes.margins(x=0.01)


def log_limits(axes: Axes, means: Sequence[Floats]) -> None:
    """As high and as low as the means need, with plain numbers."""
    positive = np.concatenate([each[each > 0] for each in means])
    if len(positive) and axes.get_yscale() == "log":
        axes.set_ylim(positive.min() / 1.6, positive.max() * 1.6)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            _decades(axis)


def _decades(axis: Axis) -> None:
    low, high = sorted(axis.get_view_interval())
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    places = [step * 10.0**each for each in exponents for step in steps]
    plain_ticks(axis, [place for place in places if low <= place <= high])
