"""The promised orders of growth over the measured curves, all with one common factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.concentrability import bounds
from kl_derail.hybrid.estimates import Curve, pointwise, simultaneous
from kl_derail.hybrid.experiment.settings import ONLINE
from kl_derail.hybrid.figures.coverage import Covered, number
from kl_derail.hybrid.figures.curves import BANDS, QUANTITIES
from kl_derail.hybrid.figures.looks import Looks, even_in_log, lines, log_axes, log_limits
from kl_derail.hybrid.figures.study import Study, curves, trial_counts
from kl_derail.plumbing.style import GREY, OKABE_ITO, caption, grid, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

NEW, HYBRID, PURE, OFFLINE = "new bound", "earlier hybrid", "online", "offline"
_LOOKS: Looks = {
    NEW: {"color": OKABE_ITO[0], "linestyle": "-", "linewidth": 1.6},
    HYBRID: {"color": OKABE_ITO[1], "linestyle": (0, (4, 1.6))},
    PURE: {"color": GREY, "linestyle": (0, (1, 1.2))},
    OFFLINE: {"color": OKABE_ITO[5], "linestyle": (0, (4, 1.2, 1, 1.2))},
}
_FORMULAS = {
    "regret": "New: N1 / sqrt(N0 / C + N1) with C of the worst policy that loses a gap; online: sqrt(N1);"
    " earlier hybrid: N1 (sqrt(C_off / (N0 + N1)) + sqrt(C_on / N1)), best split, both C divided by the pairs of"
    " a stage (linear models: by the dimensions).",
    "suboptimality": "New: 1 / sqrt(N0 / C + N1) with C of the optimal policy; online: 1 / sqrt(N1); offline:"
    " sqrt(C_cl / N0), C_cl the largest density ratio of the optimal policy; earlier hybrid:"
    " sqrt(C_off / (N0 + N1)) + sqrt(C_on / N1), best split, both C divided by the pairs of a stage (linear models:"
    " by the dimensions).",
}


def promised(objective: str, covered: Covered, episodes: Ints) -> dict[str, Floats]:
    """The orders at each episode, [K] each, before any factor; regret is that of the whole run so far.

    The earlier hybrid bound takes the best split at each episode. A bound that is infinite is left out.
    """
    n, exact, t = covered.row.n_offline, covered.row.exact, episodes.astype(np.float64)
    parts = (each[:, None] for each in covered.splits)
    earlier = bounds.earlier_hybrid(n, t, *parts).min(axis=0)
    if objective == "regret":
        found = {NEW: bounds.regret(n, t, exact.c_suboptimal), HYBRID: t * earlier}
        found[PURE] = t * bounds.online(t)
    else:
        found = {NEW: bounds.suboptimality(n, t, exact.c_optimal), HYBRID: earlier}
        found[PURE] = bounds.online(t)
        found[OFFLINE] = np.full(len(t), bounds.offline(n, exact.ratio_optimal))
    return {name: curve for name, curve in found.items() if np.isfinite(curve).all()}


def draw_bounds(study: Study, covered: Sequence[Covered]) -> Figure:
    """A panel a method: what was measured, and the orders.

    Constants are dropped in theory, so there is one factor for all curves of all panels: the least that keeps
    the online order above what pure online reached.
    """
    field = "regret" if study.objective == "regret" else "gap"
    own = {curve.method: curve for curve in curves(study, field)}
    covered = [each for each in covered if each.row.method in own]
    if not covered or ONLINE not in own:
        return no_data(f"{study.name} has no coverage to draw bounds from")
    figure, axes = grid(_layout(len(covered)), 2.4, sharex=True, sharey=True)
    (factor, at), shown = _touch(study.objective, own[ONLINE]), list[Floats]()
    panels: list[dict[str, Line2D]] = []
    for axis, each in zip(axes, covered, strict=True):
        curve, row = own[each.row.method], each.row
        orders = promised(study.objective, each, curve.episodes)
        scaled = {name: factor * order for name, order in orders.items()}
        panels.append(_panel(axis, curve, own[ONLINE], scaled))
        c = row.exact.c_suboptimal if study.objective == "regret" else row.exact.c_optimal
        size = f"N0={row.n_offline}"
        sizes = "" if row.method == size else f"{size}, "
        axis.set_title(f"{row.method}: {row.behaviour}\n{sizes}C = {number(c)}")
        shown += [curve.values.mean(axis=0), factor * orders[PURE][curve.episodes > 3]]
    for axis in axes:
        axis.set_ylabel(QUANTITIES[field])
        log_limits(axis, shown)
    handles = {name: line for each in panels for name, line in each.items() if _is_seen(line)}
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=6)
    caption(
        figure,
        f"{study.title}. {trial_counts(list(own.values()))}. {_FORMULAS[study.objective]}"
        " Constants and logarithms are dropped: one factor"
        f" for all bounds, the least that keeps the online bound above pure online (they touch at {at})."
        f" {BANDS} Means of 0, and bounds beyond the axes, are cut off.",
    )
    return figure


def _is_seen(line: Line2D) -> bool:
    """Whether any of it lies within its panel."""
    low, high = cast("Axes", line.axes).get_ylim()
    values = np.asarray(line.get_ydata())
    return bool(((values >= low) & (values <= high)).any())


def _panel(axes: Axes, curve: Curve, online: Curve, orders: dict[str, Floats]) -> dict[str, Line2D]:
    """Draw one method; returns the lines by name."""
    log_axes(axes, "")
    bands = pointwise(curve.values), simultaneous(curve.values)
    found = {"measured": lines(axes, curve.episodes, bands, {"color": "black"})}
    kept = even_in_log(online.episodes)
    (found["pure online, measured"],) = axes.plot(
        online.episodes[kept], online.values[:, kept].mean(axis=0), color=GREY, linewidth=0.9
    )
    for name, order in orders.items():
        (found[name],) = axes.plot(curve.episodes, order, **_LOOKS[name])
    return found


def _layout(panels: int) -> list[int]:
    """Rows of at most three panels."""
    return [min(3, panels - first) for first in range(0, panels, 3)]


def _touch(objective: str, online: Curve) -> tuple[float, int]:
    """The least factor that keeps the online order above pure online's mean, and the episode where they touch."""
    t = online.episodes.astype(np.float64)
    order = t * bounds.online(t) if objective == "regret" else bounds.online(t)
    multiples = online.values.mean(axis=0) / order
    return float(multiples.max()), int(online.episodes[multiples.argmax()])
