"""Figure 5: the agent's repeated n-grams, and the KL of their i-th appearance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.figures.panels import Choices, by_key, counted, titles
from kl_derail.figures.study import Group, Key, Study
from kl_derail.plumbing.bootstrap import Bands, ratio_bands
from kl_derail.plumbing.style import GREY, caption, grid, no_data, plain_ticks, shades, square_root
from kl_derail.transcripts.ngrams import (
    LONGEST,
    NGrams,
    distinct_at_least,
    iter_ngrams,
    kl_by_appearance,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COUNT, KL = "distinct n-grams", "KL of the appearance"
MOST = 64
"""Appearances looked at."""

FEW = 5
"""What fewer episodes have is in the table, but not drawn."""


class Row(NamedTuple):
    """A point of a curve.

    Attributes:
        key: the group.
        quantity: "distinct n-grams" (mean number in an episode that appear at least x times) or
            "KL of the appearance" (mean KL of the x-th appearance in nats, over the n-grams that
            appear at least twice).
        n: length of the n-gram, tokens.
        x: number of appearances, or number of the appearance.
        value: the mean.
        low: lower end of its 95 % interval, bootstrap by episode.
        high: upper end.
        episodes: that have such an n-gram.
        runs: of the group, pooled.
    """

    key: Key
    quantity: str
    n: int
    x: int
    value: float
    low: float
    high: float
    episodes: int
    runs: int


def table(study: Study, choices: Choices) -> list[Row]:
    """Both curves of each group for n = 1 to 10; what no episode has is left out."""
    return [row for group in study.groups for row in _rows(group, choices)]


def _rows(group: Group, choices: Choices) -> Iterator[Row]:
    for found in iter_ngrams(group.episodes, across_turns=choices.across_turns):
        for quantity, bands in ((COUNT, _counts(found)), (KL, _kl(found))):
            columns = zip(*(each.tolist() for each in bands), strict=True)
            for x, (value, low, high, _, episodes) in enumerate(columns, 1):
                if episodes:
                    yield Row(
                        group.key, quantity, found.n, x, value, low, high, episodes, len(group.runs)
                    )


def _counts(found: NGrams) -> Bands:
    counts = distinct_at_least(found, range(1, MOST + 1))
    bands = ratio_bands(counts, np.ones_like(counts))
    return bands._replace(n=(counts > 0).sum(axis=0))


def _kl(found: NGrams) -> Bands:
    return ratio_bands(*kl_by_appearance(found, MOST))


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """Two panels a group: how many n-grams are repeated, and what each appearance costs."""
    shown = [row for row in rows if row.episodes >= FEW]
    if not shown:
        return no_data(f"no group has {FEW} evaluation episodes in which the agent says something")
    groups = by_key(shown)
    over = titles(groups)
    pairs = [min(2, len(groups) - start) for start in range(0, len(groups), 2)]
    figure, axes = grid([2 * count for count in pairs], 1.75)
    highest = max(row.high for row in shown if row.quantity == COUNT)
    for place, (key, each) in enumerate(groups.items()):
        counts, kl = axes[2 * place : 2 * place + 2]
        _curves(counts, [row for row in each if row.quantity == COUNT], "at least x times")
        counts.set(yscale="log", ylim=(0.01, 1.5 * highest), ylabel="distinct n-grams")
        plain_ticks(counts.yaxis, (0.01, 0.1, 1, 10, 100))
        counts.set_title(over[key])
        _curves(kl, [row for row in each if row.quantity == KL], "x-th appearance")
        square_root(kl)
        kl.set(
            ylabel="KL (nats)",
            title=f"{counted(each[0].episodes, 'episode')},\n{counted(each[0].runs, 'run')}",
        )
        if key.policy == "base":
            kl.text(
                0.5, 0.5, "the base\nspends no KL", transform=kl.transAxes, ha="center", color=GREY
            )
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=LONGEST,
        columnspacing=0.9,
        handlelength=1,
    )
    where = "read across its turns" if choices.across_turns else "within a turn"
    caption(
        figure,
        f"n-grams of the agent's tokens, {where}. Left of a pair: mean number in an episode that appear"
        " at least x times. Right: mean KL of the x-th appearance, over n-grams that appear twice or more"
        f" (square-root scale). What fewer than {FEW} episodes have is not drawn. Bands: pointwise 95 %; runs"
        " pooled; intervals over episodes only.",
    )
    return figure


def _curves(axes: Axes, rows: Sequence[Row], what: str) -> None:
    for n, colour in enumerate(shades(LONGEST), 1):
        line = [row for row in rows if row.n == n]
        x = [row.x for row in line]
        axes.plot(x, [row.value for row in line], color=colour, linewidth=1, label=f"n = {n}")
        ends = ([row.low for row in line], [row.high for row in line])
        axes.fill_between(x, *ends, color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", xlim=(1, MOST), xlabel=what)
    plain_ticks(axes.xaxis, (1, 2, 5, 10, 20, 50))
