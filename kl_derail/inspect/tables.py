"""Episodes as a table, the turns of one as a table, sets of episodes compared."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from kl_derail.embedded.trusted import Parse
from kl_derail.inspect.figures import NONE, figures
from kl_derail.inspect.fitting import Column, Fitting
from kl_derail.inspect.literal import literal
from kl_derail.transcripts import (
    Episode,
    Turn,
    empty_turn_fraction,
    is_counted,
    is_empty,
    is_measured,
    is_short,
    is_silent,
    judged_turns,
    spent,
    total_reward,
    turns_of,
)
from kl_derail.transcripts.judged import count
from kl_derail.transcripts.turns import counted_agent_turns

SORTS: dict[str, Callable[[Episode], float]] = {
    "number": lambda episode: episode.episode,
    "kl": lambda episode: -spent(episode).expected,
    "reward": lambda episode: -total_reward(episode),
    "empty": lambda episode: -np.nan_to_num(empty_turn_fraction(episode), nan=-1.0),
}
"""What episodes can be sorted by, as keys: all but the number put the largest first."""


NAME = 16
"""Characters of a policy's name that a table shows, and of a line of a set's."""

EPISODE = (
    Column(Text("no.")),
    Column(Text("update"), spare=5),
    Column(Text("policy"), justify="left", spare=1),
    Column(Text("budget"), spare=2),
    Column(Text("KL")),
    Column(Text("reward")),
    Column(Text("turns"), spare=3),
    Column(Text("empty")),
    Column(Text("silent"), spare=6),
)
"""The columns of `episode_table`; what is silent is empty, and updates have files of their own."""

TURN = (
    Column(Text("turn")),
    Column(Text("speaker"), justify="left", words=True),
    Column(Text("tokens"), spare=3),
    Column(Text("KL")),
    Column(Text("log-ratio"), spare=2),
    Column(Text("reward")),
    Column(Text("left"), spare=1),
    Column(Text("text"), justify="left", words=True),
)
"""The columns of `turn_table`."""


class TurnRow(NamedTuple):
    """One row of `turn_table`.

    Attributes:
        turn: the turn, with its tokens, KL, log-ratio and reward.
        budget_left: nats left before the first token that the agent sampled of it; NaN if none.
        verdict: what the trusted policy says of it; None where it was not judged.
    """

    turn: Turn
    budget_left: float
    verdict: Parse | None


def sort_episodes(episodes: Sequence[Episode], by: str) -> list[Episode]:
    """The episodes in the order of one of `SORTS`; equal ones keep theirs."""
    return sorted(episodes, key=SORTS[by])


def facts(episode: Episode) -> str:
    """One episode in a line: who played it, what it cost and came to."""
    nats, turns = spent(episode), len(counted_agent_turns(episode).start)
    update = "" if episode.update < 0 else f", update {episode.update}"
    silent = ", silent" if is_silent(episode) else ""
    empty = f", {_percent(empty_turn_fraction(episode))} % empty" if turns else ""
    return (
        f"{episode.policy}, episode {episode.episode}{update}: budget {episode.budget:g} nats,"
        f" KL {nats.expected:.2f}, log-ratio {nats.realised:.2f}, reward {total_reward(episode):.2f},"
        f" {turns} agent turns{empty}{silent}"
    )


def episode_table(episodes: Sequence[Episode]) -> RenderableType:
    """A row an episode: what it cost, what it earned, how much of it is empty or impossible."""
    rows = [_episode_cells(each) for each in episodes]
    columns = _columns(EPISODE, rows)
    if any(map(is_measured, episodes)):
        judged = [Text(_impossible(each)) for each in episodes]
        columns.append(Column(Text("impossible"), judged, spare=4))
    return Fitting(columns)


def turn_rows(episode: Episode) -> list[TurnRow]:
    """Every turn in order; their KL adds up to what the episode spent."""
    verdicts = judged_turns(episode)
    return [
        TurnRow(turn, _left(episode, turn), verdicts.get(turn.index)) for turn in turns_of(episode)
    ]


def turn_table(episode: Episode) -> RenderableType:
    """A row a turn, and their sum."""
    rows = [(*_turn_cells(row), _said(episode, row)) for row in turn_rows(episode)]
    nats = spent(episode)
    total = (_nats(nats.expected), _nats(nats.realised), f"{total_reward(episode):+.2f}")
    last = ("sum", "", str(episode.length), *total, "", "")
    return Fitting(_columns(TURN, [*rows, tuple(map(Text, last))]), total=True)


def comparison_table(sets: Sequence[tuple[str, Sequence[Episode]]]) -> RenderableType:
    """The figures of named sets of episodes beside each other, with their 95 % intervals."""
    trusted = any(is_measured(each) for _, episodes in sets for each in episodes)
    found = [figures(episodes, trusted=trusted) for _, episodes in sets]
    names = [Text(each.name) for each in found[0]]
    columns = [Column(Text("KL, log-ratio in nats"), names, "left", words=True)]
    for (name, episodes), each in zip(sets, found, strict=True):
        over = Text(textwrap.fill(f"{literal(name)}, n={len(episodes)}", NAME))
        intervals = [Text(figure.interval) for figure in each]
        columns += [
            Column(over, [Text(figure.value) for figure in each]),
            Column(Text("95 %"), intervals, "left", spare=1, style="dim"),
        ]
    return Fitting(columns)


def _columns(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[Column]:
    """The columns with the cells of these rows."""
    cells = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return [column._replace(cells=each) for column, each in zip(columns, cells, strict=True)]


def _episode_cells(episode: Episode) -> list[Text]:
    update = NONE if episode.update < 0 else str(episode.update)
    turns = len(counted_agent_turns(episode).start)
    cells = (
        str(episode.episode),
        update,
        _shortened(literal(episode.policy)),
        f"{episode.budget:g}",
        f"{spent(episode).expected:.2f}",
        f"{total_reward(episode):.2f}",
        str(turns),
        f"{_percent(empty_turn_fraction(episode))} %" if turns else NONE,
        "silent" if is_silent(episode) else "",
    )
    return list(map(Text, cells))


def _impossible(episode: Episode) -> str:
    """Impossible turns of those that were judged."""
    verdicts = count(judged_turns(episode).values())
    return f"{verdicts.impossible} of {verdicts.turns}" if is_measured(episode) else NONE


def _turn_cells(row: TurnRow) -> list[Text]:
    turn, sampled = row.turn, not math.isnan(row.budget_left)
    cells = (
        str(turn.index),
        literal(turn.speaker) or NONE,
        str(turn.tokens),
        _nats(turn.kl) if sampled else "",
        _nats(turn.log_ratio) if sampled else "",
        "" if math.isnan(turn.reward) else f"{turn.reward:+.2f}",
        _nats(row.budget_left) if sampled else "",
    )
    return list(map(Text, cells))


def _said(episode: Episode, row: TurnRow) -> Text:
    """What is to be said of a turn besides its numbers, and how its text begins."""
    text = Text(", ".join(_marks(episode, row)), "italic dim", no_wrap=True, overflow="ellipsis")
    if start := literal(row.turn.text.strip()):
        text.append(f"{' ' if text else ''}{start}", "not italic not dim")
    return text


def _marks(episode: Episode, row: TurnRow) -> Iterator[str]:
    turn, verdict = row.turn, row.verdict
    if turn.in_opening:
        yield "opening"
    if not turn.complete:
        yield "cut"
    elif is_empty(turn):
        yield "empty"
    elif turn.speaker == episode.agent and is_counted(turn) and is_short(turn):
        yield "short"
    if verdict is not None and not verdict.possible:
        yield "impossible" if is_empty(turn) else f"impossible ({verdict.reason})"


def _left(episode: Episode, turn: Turn) -> float:
    left = episode.budget_left[turn.start : turn.end]
    known = left[~np.isnan(left)]
    return float(known[0]) if len(known) else math.nan


def _nats(number: float) -> str:
    return f"{round(number, 2) + 0.0:.2f}"  # no negative zero


def _shortened(name: str) -> str:
    """A script's name is its text, which may be long."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
