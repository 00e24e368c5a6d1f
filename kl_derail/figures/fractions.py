"""Figure 4: how the fraction of empty turns is spread over episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kl_derail.figures.estimate import ENOUGH_RUNS, Estimate, distribution, percentiles
from kl_derail.figures.panels import Choices, by_key, counted
from kl_derail.figures.study import Group, Key, Study
from kl_derail.plumbing.style import GREY, LINE_STYLES, caption, colours, new_figure, no_data
from kl_derail.transcripts.empties import quiet_turns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ECDF, PERCENTILES = "ECDF", "percentile"
FRACTIONS = np.round(np.linspace(0, 1, 51), 2).tolist()
LEVELS = np.round(np.linspace(0, 1, 51), 2).tolist()


class Row(NamedTuple):
    """A point of a curve.

    Attributes:
        key: the group.
        curve: "ECDF" (value: share of episodes with at most the fraction x of empty turns) or
            "percentile" (value: the fraction that the share x of episodes does not exceed).
        x: fraction of turns or share of episodes.
        value: with its 95 % interval.
    """

    key: Key
    curve: str
    x: float
    value: Estimate


def table(study: Study, choices: Choices) -> list[Row]:
    """Both curves of each group; episodes without a turn that could count are left out."""
    return [row for group in study.groups for row in _rows(group, choices)]


def _rows(group: Group, choices: Choices) -> list[Row]:
    by_run = [
        [x for each in run if (x := quiet_turns(each, choices.turns).fraction) == x]
        for run in group.runs.values()
    ]
    if not any(by_run):
        return []
    ecdf = zip(FRACTIONS, distribution(by_run, FRACTIONS), strict=True)
    levels = zip(LEVELS, percentiles(by_run, LEVELS), strict=True)
    return [
        *(Row(group.key, ECDF, *each) for each in ecdf),
        *(Row(group.key, PERCENTILES, *each) for each in levels),
    ]


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """Two panels a base, ECDF and percentiles: a colour a budget, a line style a length."""
    if not rows:
        return no_data("no evaluation episode in which the agent finished a turn of its own")
    bases = {base: list(each) for base, each in groupby(rows, lambda row: row.key.base)}
    figure = new_figure(2.9 * len(bases) + 0.3)
    looks = _looks(list(by_key(rows)))
    parts = figure.subfigures(len(bases), 1, squeeze=False)[:, 0]
    for part, (base, own) in zip(parts, bases.items(), strict=True):
        left, right = part.subplots(1, 2, sharey=True)
        _panel(left, [row for row in own if row.curve == ECDF], looks)
        _panel(right, [row for row in own if row.curve == PERCENTILES], looks)
        what = f"fraction of {choices.turns} turns"
        left.set(ylabel="share of episodes", xlabel=what)
        right.set(ylabel=what, xlabel="share of episodes (percentile / 100)")
        right.tick_params(labelleft=True)
        part.legend(
            *left.get_legend_handles_labels(),
            loc="outside upper left",
            title=base,
            alignment="left",
            ncols=2,
            fontsize=6,
            title_fontsize=7,
        )
    how = ", ".join(sorted({row.value.interval for row in rows}))
    caption(
        parts[-1],
        f"Bands: pointwise 95 %, {how} ({ENOUGH_RUNS} or more runs: mean and interval over runs).",
    )
    return figure


def _looks(keys: Sequence[Key]) -> dict[Key, Any]:
    """Colour and line style of each group."""
    agents = sorted((key for key in keys if key.policy != "base"), key=lambda key: key.budget)
    players = list(dict.fromkeys(key.player for key in agents))
    colour = {"base": GREY, **dict(zip(players, colours(len(players)), strict=True))}
    lengths = sorted({key.length for key in keys})
    style = {each: LINE_STYLES[i % len(LINE_STYLES)] for i, each in enumerate(lengths)}
    return {key: {"color": colour[key.player], "linestyle": style[key.length]} for key in keys}


def _panel(axes: Axes, rows: Sequence[Row], looks: Mapping[Key, Any]) -> None:
    for key, each in by_key(rows).items():
        x = [row.x for row in each]
        steps = each[0].curve == ECDF
        first = each[0].value
        n = f"n = {first.episodes}, {counted(first.runs, 'run')}"
        axes.plot(
            x,
            [row.value.estimate for row in each],
            **looks[key],
            drawstyle="steps-post" if steps else "default",
            label=f"{key.label}; {n}",
        )
        axes.fill_between(
            x,
            [row.value.low for row in each],
            [row.value.high for row in each],
            color=looks[key]["color"],
            alpha=0.12,
            linewidth=0,
            step="post" if steps else None,
        )
