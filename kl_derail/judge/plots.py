"""The study's figure 7: which teacher a judge prefers, with intervals."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kl_derail.inspect.literal import literal
from kl_derail.judge.tables import NO_ANSWER, NOT_TOLD_APART, Row
from kl_derail.plumbing.style import DPI, GREY, OKABE_ITO, caption, grid, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A_COLOUR, B_COLOUR = OKABE_ITO[:2]
PANELS = 2
"""Qualities side by side."""

SMALL = 6
"""Points of a label or title."""

LETTERS = 24
"""In a line of a label or title, the widest letters too."""

ROW_INCHES, LINE_INCHES = 0.3, 0.11
"""Height of a comparison besides the lines of its label, and of a line of text."""


def figure_of(rows: Sequence[Row]) -> Figure:
    """A panel a quality, a line a comparison: A's fraction with its 95 % interval, 1/2 as a dashed line."""
    drawn = [row for row in rows if row.verdict != NO_ANSWER]
    if not drawn:
        return no_data("no readable answer")
    qualities = list(dict.fromkeys(row.quality for row in drawn))
    comparisons = list(dict.fromkeys(row.comparison for row in drawn))
    counts = [len(qualities[start : start + PANELS]) for start in range(0, len(qualities), PANELS)]
    figure, axes = grid(counts, _height(comparisons, qualities), sharex=True)
    figure.set_dpi(DPI)  # letters are not as wide at another resolution, and would be cut
    for place, (panel, quality) in enumerate(zip(axes, qualities, strict=True)):
        _panel(panel, [row for row in drawn if row.quality == quality], comparisons)
        panel.set_title(_wrapped(quality), fontsize=SMALL)
        panel.tick_params(labelleft=place % PANELS == 0)
    caption(
        figure,
        "Share of pairs that A, the source named first, won, a tie counting half; bars: Wilson, 95 %. Blue: A,"
        " orange: B, by these intervals with Holm's correction over all comparisons; grey: not told apart.",
    )
    return figure


def _wrapped(text: str) -> str:
    """Words of others in lines of a label."""
    return textwrap.fill(literal(text), LETTERS)


def _height(comparisons: Sequence[str], qualities: Sequence[str]) -> float:
    """Inches of a row of panels: room for the longest label in each line, and for the longest title."""
    label, title = (
        max(_wrapped(each).count("\n") + 1 for each in texts) for texts in (comparisons, qualities)
    )
    return 0.9 + LINE_INCHES * title + (ROW_INCHES + LINE_INCHES * label) * len(comparisons)


def _panel(axes: Axes, rows: Sequence[Row], comparisons: Sequence[str]) -> None:
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for row in rows:
        ends = [[row.fraction - row.wilson_low], [row.wilson_high - row.fraction]]
        axes.errorbar(
            row.fraction,
            comparisons.index(row.comparison),
            xerr=np.maximum(ends, 0),
            fmt="o",
            color=_colour(row),
            markersize=4,
            capsize=2,
            elinewidth=1,
        )
        axes.annotate(
            f"n = {row.pairs}",
            (1.02, comparisons.index(row.comparison)),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=SMALL,
        )
    axes.set_yticks(range(len(comparisons)), [*map(_wrapped, comparisons)], fontsize=SMALL)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(comparisons) - 0.5, -0.5), xlabel="fraction that A won")
    axes.grid(axis="y", visible=False)


def _colour(row: Row) -> str:
    if row.verdict == NOT_TOLD_APART:
        return GREY
    return A_COLOUR if row.fraction > 0.5 else B_COLOUR
