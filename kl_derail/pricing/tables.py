"""The price list on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from kl_derail.inspect import literal
from kl_derail.plumbing.statistics import Interval
from kl_derail.pricing.comparison import Comparison
from kl_derail.pricing.price import CheaperStyle, Price
from kl_derail.pricing.report import SHARES
from kl_derail.pricing.spellings import TurnEvent

NONE = "-"

SHOWN_TURNS = (2, 10)
"""Scripted turns, beside the first, that the list shows."""

STARTS = (0.1, 0.5, 0.9)
"""Probabilities of starting that are shown."""

LONGEST_NAME = 20
"""Characters of a name that are shown."""


def cost_table(prices: Sequence[Price], cheaper: Sequence[CheaperStyle] = ()) -> Table:
    """What a behaviour costs, turn by turn and in all; last, in each chat with the line breaks that cost less."""
    later = [f"turn {number}" for number in SHOWN_TURNS]
    table = _table(
        "Cost of the token script: -log of the base's probabilities, nats",
        ["behaviour", "breaks", "tokens", "n", "turns", "first turn", *later, "whole chat"],
    )
    for price in prices:
        table.add_row(
            *_name(price.behaviour, price.spacing),
            str(price.length),
            str(len(price.started)),
            _number(price.turns.estimate, 1),
            _around(price.turn(1)),
            *(_number(price.turn(number).estimate) for number in SHOWN_TURNS),
            _around(price.episode),
        )
    for each in cheaper:
        table.add_row(
            *_name(each.behaviour, "cheaper"),
            str(each.length),
            str(each.first.n),
            NONE,
            _around(each.first),
            *(NONE for _ in SHOWN_TURNS),
            _around(each.episode),
        )
    if cheaper:
        table.caption = "cheaper: in each chat the line breaks that cost less there"
        table.caption_justify = "left"
    return table


def budget_table(prices: Sequence[Price]) -> Table:
    """Which budget pays a behaviour, and which one a chat needs that starts it with a probability only."""
    table = _table(
        "Budget: nats that pay the whole chat in a share of the chats; mean if begun with p",
        [
            *("behaviour", "breaks", "tokens"),
            *(f"{100 * share:.0f} %" for share in SHARES),
            *(f"p = {probability:g}" for probability in STARTS),
        ],
    )
    for price in prices:
        table.add_row(
            *_name(price.behaviour, price.spacing),
            str(price.length),
            *(_number(price.affordable_at(share)) for share in SHARES),
            *(_number(price.budget_to_start(probability).estimate) for probability in STARTS),
        )
    return table


def start_table(prices: Sequence[Price]) -> Table:
    """What it costs, in expectation, to start a behaviour with a probability only."""
    table = _table(
        "Expected cost of a chat in which it is begun with probability p, nats",
        ["behaviour", "breaks", "tokens", *(f"p = {probability:g}" for probability in STARTS)],
    )
    for price in prices:
        table.add_row(
            *_name(price.behaviour, price.spacing),
            str(price.length),
            *(_around(price.started_with(probability)) for probability in STARTS),
        )
    return table


def gain_table(pairs: Iterable[tuple[Price, Price]]) -> Table:
    """What a behaviour brings about: whether the student follows, and the reward.

    Args:
        pairs: each price with that of the base's own talk of the same length.
    """
    table = _table(
        "What it brings: replies that are blank, that say the same; reward, its gain on the base's",
        [
            *("behaviour", "breaks", "tokens"),
            *("blank, %", "same, %", "reward", "gain", "per nat"),
        ],
    )
    for price, base in pairs:
        table.add_row(
            *_name(price.behaviour, price.spacing),
            str(price.length),
            _percent(price.blank_replies),
            _percent(price.same_replies),
            _around(price.reward),
            _around(price.reward_gain(base)),
            _number(price.gain_per_nat(base).estimate),
        )
    return table


def event_table(events: Mapping[tuple[str, str], Iterable[TurnEvent]]) -> Table:
    """Token script against text: both ends of each bracket, in nats."""
    table = _table(
        "Cost of the text in any spelling, and of any blank turn, nats",
        ["behaviour", "breaks", "chat", "turn", "script", "cheapest", "text", "blank"],
    )
    for brackets in table.columns[-2:]:
        brackets.no_wrap = True
    for (name, spacing), rows in events.items():
        for row in rows:
            table.add_row(
                *_name(name, spacing),
                str(row.chat),
                str(row.turn),
                _number(row.script, 3),
                _number(row.text.cheapest, 3),
                _bracket(row.text.low, row.text.high),
                _bracket(row.blank.low, row.blank.high) if row.blank else NONE,
            )
    return table


def comparison_table(comparisons: Iterable[Comparison]) -> Table:
    """Predicted from prices alone, and learned."""
    table = _table(
        "Silence predicted from its price, and learned: silent episodes, empty turns"
        " (in brackets: tokens in training)",
        [
            *("run", "tokens", "nats", "predicted", "turns"),
            *("learned", "silent, %", "empty, %"),
        ],
    )
    for row in comparisons:
        verdict = Text(row.trained.learned.verdict, style="" if row.agrees else "bold red")
        table.add_row(
            Text(literal(Path(row.trained.run).name)),
            _lengths(row),
            f"{row.trained.budget:g}",
            row.predicted.verdict,
            f"{row.predicted.turns:.1f}",
            verdict,
            _percent(row.trained.learned.silent),
            _percent(row.trained.learned.empty),
        )
    return table


def _lengths(row: Comparison) -> str:
    """The tokens of an episode, and of one in training where these were others."""
    others = row.trained.trained_length not in (None, row.trained.length)
    return (
        f"{row.trained.length} ({row.trained.trained_length})"
        if others
        else str(row.trained.length)
    )


def _table(title: str, columns: Sequence[str]) -> Table:
    """The first two columns hold names, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.title_justify = "left"
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < 2 else "right", overflow="fold")
    return table


def _name(name: str, spacing: str) -> tuple[Text, str]:
    shown = literal(name)
    return Text(shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}~"), spacing


def _around(found: Interval) -> str:
    """A mean and half the width of its t interval, which is symmetric."""
    if math.isnan(found.low):
        return _number(found.estimate)
    return f"{found.estimate:.2f} ±{found.high - found.estimate:.2f}"


def _percent(found: Interval) -> str:
    if math.isnan(found.estimate):
        return NONE
    return f"{100 * found.estimate:.0f} ({100 * found.low:.0f}\N{EN DASH}{100 * found.high:.0f})"


def _number(value: float, digits: int = 2) -> str:
    return NONE if math.isnan(value) else f"{value:.{digits}f}"


def _bracket(low: float, high: float) -> str:
    if f"{low:.3f}" == f"{high:.3f}":
        return f"{low:.3f}"
    return f"{low:.3f}\N{EN DASH}{high:.3f}"
