"""Figure 3: quartiles of the KL of the n-th empty turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.figures.panels import Choices, by_key, counted, rows_of, titles
from kl_derail.figures.study import Group, Key, Study
from kl_derail.plumbing.style import caption, colours, grid, no_data, plain_ticks, square_root
from kl_derail.transcripts.empties import QUARTILES, nth_quiet_turn_kl, quiet_turns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 5
"""What fewer episodes have is in the table, but not drawn."""


class Row(NamedTuple):
    """A quantile of the KL of the nth quiet turn.

    Attributes:
        key: the group.
        nth: 1, 2, ...
        quantile: 0.25, 0.5 or 0.75.
        kl: its value, nats.
        standard_error: nats, bootstrap by episode; NaN with one episode.
        low: lower end of the 95 % interval, the same bootstrap.
        high: upper end.
        episodes: that have so many such turns.
        runs: of the group, pooled.
    """

    key: Key
    nth: int
    quantile: float
    kl: float
    standard_error: float
    low: float
    high: float
    episodes: int
    runs: int


def table(study: Study, choices: Choices) -> list[Row]:
    """Three rows a number of a turn; the base spends nothing, and is left out."""
    groups = [group for group in study.groups if group.key.policy != "base"]
    return [row for group in groups for row in _rows(group, choices)]


def _rows(group: Group, choices: Choices) -> list[Row]:
    bands = nth_quiet_turn_kl([quiet_turns(each, choices.turns) for each in group.episodes])
    return [
        Row(
            key=group.key,
            nth=place + 1,
            quantile=level,
            kl=float(bands.estimate[quartile, place]),
            standard_error=float(bands.standard_error[quartile, place]),
            low=float(bands.low[quartile, place]),
            high=float(bands.high[quartile, place]),
            episodes=int(episodes),
            runs=len(group.runs),
        )
        for quartile, level in enumerate(QUARTILES)
        for place, episodes in enumerate(bands.n)
    ]


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """A panel a group, a line a quartile."""
    shown = [row for row in rows if row.episodes >= FEW]
    if not shown:
        return no_data(f"no group has {FEW} evaluation episodes with {choices.turns} turns")
    groups = by_key(shown)
    over = titles(groups)
    figure, axes = grid(rows_of(groups, 4), 1.9, sharex=True, sharey=True)
    for panel, (key, each) in zip(axes, groups.items(), strict=True):
        said = _panel(panel, each)
        panel.set_title(f"{over[key]}\n{said}")
        panel.set(xlabel="n", xscale="log")
        plain_ticks(panel.xaxis, (1, 2, 5, 10, 20, 50, 100))
    square_root(axes[0])
    axes[0].legend()
    figure.supylabel(f"KL of n-th {choices.turns} turn (nats)", fontsize=8)
    caption(
        figure,
        f"Square-root scale; n up to the last that {FEW} episodes have (over a panel: how many have the first,"
        " and the last shown). Bands: pointwise, one standard error either way; runs pooled; intervals over"
        " episodes only.",
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Row]) -> str:
    """Draw the lines; returns how many episodes are behind their ends."""
    for level, colour in zip(reversed(QUARTILES), colours(len(QUARTILES)), strict=True):
        line = [row for row in rows if row.quantile == level]
        nth = [row.nth for row in line]
        kl = np.array([row.kl for row in line])
        error = np.nan_to_num([row.standard_error for row in line])
        axes.plot(nth, kl, color=colour, linewidth=1, label=f"{level:g} quantile")
        band = (np.maximum(kl - error, 0), kl + error)
        axes.fill_between(nth, *band, color=colour, alpha=0.25, linewidth=0)
    first, last = rows[0], rows[-1]
    return f"{first.episodes} to {counted(last.episodes, 'episode')}, {counted(first.runs, 'run')}"
