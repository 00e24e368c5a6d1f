"""Figure 2: what the empty turns of an episode cost together, against their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.figures.panels import Choices, by_key, counted, rows_of, titles
from kl_derail.figures.study import Key, Study
from kl_derail.plumbing.style import GREY, OKABE_ITO, caption, grid, no_data
from kl_derail.transcripts.empties import quiet_turns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Row(NamedTuple):
    """One episode after its nth quiet turn.

    Attributes:
        key: the group.
        run: id.
        episode: number among the run's of this group.
        nth: 0 for the beginning, then 1, 2, ...
        kl: exact KL of that turn, nats.
        cumulative_kl: of the turns up to that one, nats.
    """

    key: Key
    run: str
    episode: int
    nth: int
    kl: float
    cumulative_kl: float


def table(study: Study, choices: Choices) -> list[Row]:
    """One row a quiet turn, and one with nth = 0 for each episode; the base spends nothing, and is left out."""
    rows = []
    for group in study.groups:
        if group.key.policy == "base":
            continue
        for run, episodes in group.runs.items():
            for number, episode in enumerate(episodes):
                turns = quiet_turns(episode, choices.turns)
                pairs = zip(turns.kl.tolist(), turns.cumulative_kl.tolist(), strict=True)
                rows += [
                    Row(group.key, run, number, nth, *pair)
                    for nth, pair in enumerate([(0.0, 0.0), *pairs])
                ]
    return rows


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """A panel a group, a line an episode."""
    if not rows:
        return no_data("no evaluation episodes of an agent or a script")
    groups = by_key(rows)
    over = titles(groups)
    figure, axes = grid(rows_of(groups, 4), 1.8, sharex=True, sharey=True)
    for panel, (key, each) in zip(axes, groups.items(), strict=True):
        said = _panel(panel, each)
        panel.set_title(f"{over[key]}\n{said}")
        panel.set_xlabel(f"{choices.turns} turns")
        if math.isfinite(key.budget):
            panel.axhline(key.budget, color=GREY, linestyle="--", linewidth=0.8)
    figure.supylabel(f"KL of the {choices.turns} turns so far (nats)", fontsize=8)
    caption(
        figure,
        f"A line is an episode, over the number of its {choices.turns} turns; dashed: the budget. Over a"
        " panel: how many episodes have at least one such turn.",
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Row]) -> str:
    """Draw the lines; returns how many episodes have a turn to show."""
    from matplotlib.collections import LineCollection

    lines = [
        np.array([(row.nth, row.cumulative_kl) for row in each])
        for _, each in groupby(rows, lambda row: (row.run, row.episode))
    ]
    alpha = float(np.clip(12 / len(lines) ** 0.75, 0.06, 0.8))
    axes.add_collection(LineCollection(lines, colors=OKABE_ITO[0], alpha=alpha, linewidths=0.7))
    axes.autoscale()
    some = sum(len(line) > 1 for line in lines)
    runs = counted(len({row.run for row in rows}), "run")
    return f"{some} of {counted(len(lines), 'episode')}, {runs}"
