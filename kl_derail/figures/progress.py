"""Figure 6: how training went: reward, KL against the budget, and the KL of single tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.figures.panels import Choices, by_key, counted, titles
from kl_derail.figures.study import Key, Study, Training
from kl_derail.plumbing.bootstrap import ratio_bands
from kl_derail.plumbing.style import GREY, caption, colours, grid, no_data, plain_ticks, shades
from kl_derail.transcripts.summary import QUANTILES
from kl_derail.transcripts.training import curves, tokens_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REWARD, KL, BUDGET, TOKENS = "reward", "KL", "budget", "tokens above"
NATS: list[float] = np.logspace(-3, 1, 41).round(6).tolist()
STAGES = 5
"""Updates of which the KL of single tokens is drawn, at most."""

COLUMNS = 3


class Row(NamedTuple):
    """A number of an update.

    Attributes:
        key: the group: base, budget and length that the run trains for.
        run: its folder; empty for tokens, where runs are pooled.
        update: its number, from 1.
        quantity: "reward" or "KL" (of an episode; value: the x quantile over episodes), "budget" (in
            force), or "tokens above" (value: share of the agent's tokens that cost more than x nats).
        x: quantile in [0, 1], or nats; NaN for the budget.
        value: reward, nats, or a share.
        low: lower end of the 95 % interval of a share, bootstrap by episode; NaN elsewhere.
        high: upper end.
        episodes: behind it.
    """

    key: Key
    run: str
    update: int
    quantity: str
    x: float
    value: float
    low: float
    high: float
    episodes: int


def table(study: Study, choices: Choices) -> list[Row]:
    """Each update of each run, and the tokens of up to `STAGES` updates of each group."""
    rows = []
    for key, group in groupby(study.trainings, lambda each: each.key):
        runs = list(group)
        rows += [row for run in runs for row in _metrics(run)]
        rows += [row for update in _stages(runs) for row in _tokens(key, update, runs)]
    return rows


def _metrics(run: Training) -> Iterator[Row]:
    found = curves(run.entries)
    for place, update in enumerate(found.update.tolist()):
        numbers = [
            (BUDGET, np.nan, found.budget[place]),
            *((REWARD, *each) for each in zip(QUANTILES, found.reward[place], strict=True)),
            *((KL, *each) for each in zip(QUANTILES, found.kl[place], strict=True)),
        ]
        for quantity, x, value in numbers:
            if not np.isnan(value):
                yield Row(
                    key=run.key,
                    run=run.name,
                    update=update,
                    quantity=quantity,
                    x=x,
                    value=float(value),
                    low=np.nan,
                    high=np.nan,
                    episodes=int(found.episodes[place]),
                )


def _stages(runs: Sequence[Training]) -> list[int]:
    """Updates spread over the training, among those that the most runs have recorded."""
    recorded = Counter(update for run in runs for update in run.updates)
    most = max(recorded.values(), default=0)
    common = sorted(update for update, count in recorded.items() if count == most)
    places = np.linspace(0, len(common) - 1, min(STAGES, len(common))).round().astype(int)
    return [common[place] for place in places]


def _tokens(key: Key, update: int, runs: Sequence[Training]) -> list[Row]:
    episodes = [each for run in runs if update in run.updates for each in run.updates[update]()]
    if not episodes:
        return []
    above = tokens_above(episodes, NATS)
    tokens = tokens_above(episodes, [-np.inf] * len(NATS))
    bands = ratio_bands(above, tokens)
    ends = np.stack([bands.estimate, bands.low, bands.high], axis=1).tolist()
    return [
        Row(key, "", update, TOKENS, nats, value, low, high, len(episodes))
        for nats, (value, low, high) in zip(NATS, ends, strict=True)
    ]


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """Three panels a group, below each other: reward, KL of an episode, KL of a token."""
    if not rows:
        return no_data("no run has metrics or transcripts of an update yet")
    groups = by_key(rows)
    over = titles(groups)
    columns = min(COLUMNS, len(groups))
    blocks = [min(columns, len(groups) - start) for start in range(0, len(groups), columns)]
    figure, axes = grid([count for count in blocks for _ in range(3)], 1.6)
    for place, (key, each) in enumerate(groups.items()):
        block, column = divmod(place, columns)
        first = 3 * block * columns + column
        reward, kl, tokens = axes[first : first + 2 * blocks[block] + 1 : blocks[block]]
        reward.set_title(f"{over[key]}\n{_behind(each)}")
        _course(reward, [row for row in each if row.quantity == REWARD])
        _course(kl, [row for row in each if row.quantity in (KL, BUDGET)])
        _survival(tokens, [row for row in each if row.quantity == TOKENS])
        if column == 0:
            reward.set_ylabel("reward of an episode")
            kl.set_ylabel("KL of an episode (nats)")
            tokens.set_ylabel("share of tokens\nwith KL > x")
    caption(
        figure,
        "Top, middle: a colour a run; line: median over the episodes of an update, bands: 0.25 to 0.75 and"
        " 0.05 to 0.95 quantiles; dashed: budget in force.\nBottom: pointwise 95 % bands; runs pooled;"
        " intervals over episodes only.",
    )
    return figure


def _behind(rows: Sequence[Row]) -> str:
    """How many runs and episodes are behind the curves."""
    courses = [row for row in rows if row.run]
    least, most = (f({row.episodes for row in courses} or {0}) for f in (min, max))
    episodes = f"{most}" if least == most else f"{least} to {most}"
    return f"{counted(len({row.run for row in courses}), 'run')}, {episodes} episodes an update"


def _course(axes: Axes, rows: Sequence[Row]) -> None:
    """Quantiles by update, a colour a run, and the budget in force."""
    runs = list(dict.fromkeys(row.run for row in rows))
    for run, colour in zip(runs, colours(len(runs)), strict=True):
        own = [row for row in rows if row.run == run]
        lines = {x: {row.update: row.value for row in own if row.x == x} for x in QUANTILES}
        for low, high in ((0.05, 0.95), (0.25, 0.75)):
            _band(axes, lines[low], lines[high], colour)
        axes.plot(*_columns(lines[0.5]), color=colour, linewidth=1)
        budget = {row.update: row.value for row in own if row.quantity == BUDGET}
        axes.plot(*_columns(budget), color=GREY, linestyle="--", linewidth=0.8)
    axes.set_xlabel("update")
    axes.set_ylim(bottom=min([0.0, *(row.value for row in rows)]))


ByUpdate = Mapping[int, float]


def _columns(line: ByUpdate) -> tuple[list[int], list[float]]:
    return list(line), list(line.values())


def _band(axes: Axes, low: ByUpdate, high: ByUpdate, colour: str) -> None:
    """Between two quantiles, of the updates that have both."""
    x = [update for update in low if update in high]
    bottom, top = ([line[update] for update in x] for line in (low, high))
    axes.fill_between(x, bottom, top, color=colour, alpha=0.13, linewidth=0)


def _survival(axes: Axes, rows: Sequence[Row]) -> None:
    """Share of the agent's tokens that cost more than x, a shade an update."""
    updates = list(dict.fromkeys(row.update for row in rows))
    for update, colour in zip(updates, shades(len(updates)), strict=True):
        own = [row for row in rows if row.update == update and row.value > 0]
        x = [row.x for row in own]
        label = f"update {update} ({rows[0].episodes} ep.)"
        axes.plot(x, [row.value for row in own], color=colour, linewidth=1, label=label)
        ends = ([max(row.low, 1e-9) for row in own], [row.high for row in own])
        axes.fill_between(x, *ends, color=colour, alpha=0.15, linewidth=0)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(NATS[0], NATS[-1]),
        ylim=(3e-4, 1),
        xlabel="x (nats)",
    )
    plain_ticks(axes.xaxis, (0.001, 0.01, 0.1, 1, 10))
    plain_ticks(axes.yaxis, (0.001, 0.01, 0.1, 1))
    if rows:
        axes.legend(fontsize=5.5, loc="lower left", handlelength=1)
    else:
        axes.text(
            0.5, 0.5, "no data: no transcripts\nof an update", transform=axes.transAxes, ha="center"
        )
