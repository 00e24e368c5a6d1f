"""Figure 7: derailment across runs, by budget and length, the base beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kl_derail.figures.estimate import ENOUGH_RUNS, Estimate, share
from kl_derail.figures.panels import Choices, by_key
from kl_derail.figures.study import Group, Key, Study
from kl_derail.plumbing.style import GREY, MARKERS, caption, colours, grid, no_data
from kl_derail.transcripts import Episode, is_silent
from kl_derail.transcripts.empties import quiet_turns

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SILENT = "silent episodes"


class Row(NamedTuple):
    """A fraction of a group or of one of its runs.

    Attributes:
        key: the group.
        quantity: "silent episodes", or "empty turns" ("short turns").
        run: id; empty for the group.
        value: the fraction with its 95 % interval.
    """

    key: Key
    quantity: str
    run: str
    value: Estimate


def table(study: Study, choices: Choices) -> list[Row]:
    """Both fractions of each group, and of each of several runs; without turns there is no fraction of them."""
    return [row for group in study.groups for row in _rows(group, choices)]


def _rows(group: Group, choices: Choices) -> list[Row]:
    parts = {run: _facts(each, choices) for run, each in group.runs.items()}
    single = {run: [each] for run, each in parts.items()} if len(parts) > 1 else {}
    cells = {"": list(parts.values()), **single}
    rows = []
    for run, facts in cells.items():
        silent = share(
            [each.silent for each in facts], [[1.0] * len(each.silent) for each in facts]
        )
        quiet = share([each.quiet for each in facts], [each.turns for each in facts])
        rows.append(Row(group.key, SILENT, run, silent))
        rows.append(Row(group.key, f"{choices.turns} turns", run, quiet))
    return [row for row in rows if row.value.episodes]


class _Facts(NamedTuple):
    """Of the episodes of a run, a number each."""

    silent: list[float]
    quiet: list[float]
    turns: list[float]


def _facts(episodes: Sequence[Episode], choices: Choices) -> _Facts:
    turns = [quiet_turns(each, choices.turns) for each in episodes]
    return _Facts(
        [float(is_silent(each)) for each in episodes],
        [float(len(each.kl)) for each in turns],
        [float(each.turns) for each in turns],
    )


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """A row of panels a base; a place on the x axis a player, a marker a length, a dot a run."""
    if not rows:
        return no_data("no evaluation episodes")
    bases = sorted({row.key.base for row in rows})
    figure, axes = grid([2] * len(bases), 2.2, sharey=True)
    looks = _looks(list(by_key(rows)))
    for place, panel in enumerate(axes):
        quantity = (SILENT, f"{choices.turns} turns")[place % 2]
        own = [row for row in rows if row.key.base == bases[place // 2]]
        _panel(panel, [row for row in own if row.quantity == quantity], looks)
        panel.set(ylim=(-0.03, 1.03), ylabel=f"fraction of {quantity}", title=bases[place // 2])
    _legend(figure, axes)
    methods = ", ".join(sorted({row.value.interval for row in rows if not row.run}))
    caption(
        figure,
        f"Bars: 95 %, {methods} ({ENOUGH_RUNS} or more runs: mean and interval over runs, cut off at 0 and 1);"
        " grey dots: single runs. n: episodes (runs), by length.",
    )
    return figure


def _looks(keys: Sequence[Key]) -> dict[tuple[int, str], Any]:
    """Colour and marker of each length and setting."""
    kinds = sorted({_kind(key) for key in keys})
    return {
        kind: {"color": colour, "marker": MARKERS[place % len(MARKERS)]}
        for place, (kind, colour) in enumerate(zip(kinds, colours(len(kinds)), strict=True))
    }


def _kind(key: Key) -> tuple[int, str]:
    return key.length, key.setting


def _panel(axes: Axes, rows: Sequence[Row], looks: Mapping[tuple[int, str], Any]) -> None:
    players = list(dict.fromkeys(row.key.player for row in rows))
    for player, own in ((each, [r for r in rows if r.key.player == each]) for each in players):
        kinds = list(dict.fromkeys(_kind(row.key) for row in own))
        for row in own:
            offset = 0.3 * (kinds.index(_kind(row.key)) - (len(kinds) - 1) / 2)
            _point(axes, players.index(player) + offset, row, looks[_kind(row.key)])
    names = [f"{each}\n{_behind(rows, each)}" for each in players]
    axes.set_xticks(range(len(players)), names, fontsize=6)
    axes.set_xlim(-0.6, max(len(players), 1) - 0.4)
    axes.grid(axis="x", visible=False)


def _behind(rows: Sequence[Row], player: str) -> str:
    values = [row.value for row in rows if row.key.player == player and not row.run]
    return "\n".join(f"n = {each.episodes} ({each.runs})" for each in values)


def _point(axes: Axes, x: float, row: Row, look: Mapping[str, Any]) -> None:
    """The group's fraction with its interval, or a grey dot beside it for one of its runs."""
    value = row.value
    if row.run:
        axes.plot(x + 0.07, value.estimate, ".", color=GREY, markersize=4, zorder=3)
        return
    length, setting = _kind(row.key)
    ends = [[value.estimate - value.low], [value.high - value.estimate]]  # NaN: no bar
    axes.errorbar(
        x,
        value.estimate,
        np.maximum(ends, 0),
        **look,
        label=f"{length} tokens ({setting})" if setting else f"{length} tokens",
        markersize=4,
        capsize=2,
        elinewidth=1,
    )


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One entry a length, whichever panel has it."""
    found: dict[str, Artist] = {}
    for each in axes:
        handles, labels = each.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(list(found.values()), list(found), loc="outside upper center", ncols=3)
