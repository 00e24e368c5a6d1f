"""How theorem 2 looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_derail.plumbing.style import GREY, OKABE_ITO, caption, grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kl_derail.theory.statements.thm2 import Conditional, SweepRow, Thm2Result

COLOURS = {"base": "#b5b5b5", "tvd": OKABE_ITO[0], "kl": OKABE_ITO[1]}
NAMES = {"base": "base", "tvd": "TVD optimum", "kl": "KL optimum"}
READINGS = ("first", "action", "sequence", "conditional")
OBSERVERS = {"open_loop": "open loop"}


def thm2_figure(result: Thm2Result) -> Figure:
    """Four panels: sequences, what follows one beginning, first actions of random trees, how often readings fail."""
    figure, (joint, after, scatter, table) = grid((2, 2), 2.35)
    values = [f"{row.value:g}" for row in result.rows]
    _bars(joint, result.rows, [row.sequence for row in result.rows], values)
    joint.set(title="joint probability of a sequence (below it: its value)", ylabel="probability")
    beginning = _most_raised(result.conditionals)
    told = [each for each in result.conditionals if each.after == beginning]
    _bars(after, told, [each.action for each in told], [""] * len(told))
    after.set(title=f"conditional probability after {beginning or 'the start'}")
    _scatter(scatter, result)
    _counts(table, result.sweep)
    handles, labels = joint.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, handlelength=1)
    caption(
        figure,
        f"Above: TVD budget {result.budget:g}, KL budget {result.nats:.3g} nats; a star marks what is value-optimal."
        f" Below left: {_trees(result.sweep[0].trees)} with determined observations, one point a first"
        " action. Below right, what is raised: a first action; the joint probability up to an action that is not"
        " optimal there; that of a sequence not optimal throughout; an action's conditional probability.",
    )
    return figure


def _trees(count: int) -> str:
    return "1 random tree" if count == 1 else f"{count} random trees"


def _most_raised(conditionals: Sequence[Conditional]) -> str:
    """The beginning after which TVD raises most what is not optimal."""
    worse = [each for each in conditionals if not each.best] or conditionals
    return max(worse, key=lambda each: np.nan_to_num(each.tvd - each.base)).after


def _bars(axes: Axes, rows: Sequence[Any], names: Sequence[str], below: Sequence[str]) -> None:
    """Three bars a row; the value-optimal rows get a star."""
    places = np.arange(len(rows))
    for number, policy in enumerate(COLOURS):
        heights = [getattr(row, policy) for row in rows]
        shifted = places + 0.27 * (number - 1)
        axes.bar(shifted, heights, 0.25, color=COLOURS[policy], label=NAMES[policy])
    stars = [" \N{BLACK STAR}" if row.best else "" for row in rows]
    ticks = [f"{name}{star}\n{line}" for name, star, line in zip(names, stars, below, strict=True)]
    axes.set_xticks(places, ticks)
    axes.grid(visible=False, axis="x")


def _scatter(axes: Axes, result: Thm2Result) -> None:
    """Increase of a first action against by how much its value falls short."""
    for kind in ("kl", "tvd"):
        style: Any = {"markersize": 3.5, "alpha": 0.6, "mew": 0, "rasterized": True}
        axes.plot(*result.points[kind], ".", color=COLOURS[kind], **style)
    axes.axhline(0, color=GREY, linewidth=0.6)
    place: Any = {"ha": "right", "va": "top", "transform": axes.transAxes}
    axes.text(0.98, 0.86, "raised, not optimal", color=GREY, fontsize=7, **place)
    axes.set(
        title="first actions of random trees",
        xlabel="value below the best action's",
        ylabel="probability above the base's",
    )


def _counts(axes: Axes, rows: Sequence[SweepRow]) -> None:
    """A table: a constraint a row, a reading a column, the share of trees as colour and their number."""
    counts = np.array([[getattr(row, name) for name in READINGS] for row in rows])
    axes.imshow(counts / rows[0].trees, cmap="Oranges", vmin=0, vmax=1.6, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{count}", ha="center", va="center", fontsize=7)
    names = [OBSERVERS.get(row.observations, row.observations) for row in rows]
    labels = [f"{row.divergence.upper()}, {name}" for row, name in zip(rows, names, strict=True)]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xticks(range(len(READINGS)), READINGS)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_title(f"{_trees(rows[0].trees)}: optima that raise what is worse")
