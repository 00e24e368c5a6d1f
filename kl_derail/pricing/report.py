"""Prices as plain rows: for CSV and JSON, and back."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kl_derail.errors import UserError
from kl_derail.plumbing.statistics import Interval
from kl_derail.plumbing.writing import replacing
from kl_derail.pricing.comparison import Comparison
from kl_derail.pricing.costs import ChatCost
from kl_derail.pricing.mass import EventCost
from kl_derail.pricing.price import CheaperStyle, Price
from kl_derail.pricing.spellings import TurnEvent

SHARES = (0.5, 0.9, 1.0)
"""Shares of the chats for which the smallest budget that pays the whole script is told."""

PROBABILITIES = tuple(step / 20 for step in range(21))
"""Probabilities of starting a behaviour, for the curve of what that costs."""

CHEAPER = "cheaper style of each chat"
"""Stands for the line breaks of a `CheaperStyle`."""

Row = dict[str, Any]


def price_row(price: Price, base: Price) -> Row:
    """One line of the price list: nats, shares and rewards with the ends of their intervals and n.

    Args:
        price: of the behaviour.
        base: the base's own talk of the same length and seed.
    """
    measured = {
        "turns": price.turns,
        "first": price.turn(1),
        "later": price.later,
        "episode": price.episode,
        "blank_replies": price.blank_replies,
        "same_replies": price.same_replies,
        "reward": price.reward,
        "reward_per_nat": price.reward_per_nat,
        "reward_gain": price.reward_gain(base),
        "gain_per_nat": price.gain_per_nat(base),
    }
    budgets = {f"budget_{100 * share:.0f}": price.affordable_at(share) for share in SHARES}
    chats = {"chats": len(price.chats), "started": len(price.started)}
    return {**_name(price), "length": price.length, **chats, **_spread(measured), **budgets}


def cheaper_row(cheaper: CheaperStyle) -> Row:
    """A line of the price list without line breaks of its own: first turn and whole chat, nats."""
    return {
        "behaviour": cheaper.behaviour,
        "spacing": CHEAPER,
        "length": cheaper.length,
        "chats": cheaper.chats,
        "started": cheaper.first.n,
        **_spread({"first": cheaper.first, "episode": cheaper.episode}),
    }


def turn_rows(price: Price) -> list[Row]:
    """The n-th scripted turn of a line each: its cost and that of all up to it, nats."""
    longest = max((len(chat.turns) for chat in price.chats), default=0)
    return [
        {
            **_name(price),
            "turn": number,
            **_spread({"cost": price.turn(number), "cumulative": price.cumulative(number)}),
        }
        for number in range(1, longest + 1)
    ]


def start_rows(price: Price) -> list[Row]:
    """Starting the behaviour with a probability only, nats: what that costs, and what a chat that starts needs."""
    return [
        {
            **_name(price),
            "length": price.length,
            "probability": probability,
            **_spread(
                {
                    "expected_cost": price.started_with(probability),
                    "budget_needed": price.budget_to_start(probability),
                }
            ),
        }
        for probability in PROBABILITIES
    ]


def event_rows(name: str, spacing: str, events: Iterable[TurnEvent]) -> list[Row]:
    """Script and event costs of single turns, nats: both ends of every bracket."""
    return [
        {
            "behaviour": name,
            "spacing": spacing,
            "chat": event.chat,
            "turn": event.turn,
            "script": event.script,
            **_event("text", event.text),
            **(_event("blank", event.blank) if event.blank else {}),
        }
        for event in events
    ]


def _event(name: str, cost: EventCost) -> Row:
    """The bracket; the script's cost has a column of its own."""
    values = cost._asdict().items()
    return {f"{name}_{key}": value for key, value in values if key != "script"}


def comparison_rows(comparisons: Iterable[Comparison]) -> list[Row]:
    """Predicted and learned silence, an agent a line."""
    return [
        {
            "run": row.trained.run,
            "file": row.trained.file,
            "base_fingerprint": row.trained.base_fingerprint,
            "length": row.trained.length,
            "trained_length": row.trained.trained_length,
            "budget": row.trained.budget,
            **{f"predicted_{key}": value for key, value in row.predicted._asdict().items()},
            "learned_verdict": row.trained.learned.verdict,
            **_spread({"silent": row.trained.learned.silent, "empty": row.trained.learned.empty}),
            "empty_turns": row.trained.learned.empty_turns,
            "agrees": row.agrees,
        }
        for row in comparisons
    ]


def _name(price: Price) -> Row:
    return {"behaviour": price.behaviour, "spacing": price.spacing}


def _spread(intervals: Mapping[str, Interval]) -> Row:
    """Each interval as its estimate, its ends and n."""
    return {
        key: value
        for name, found in intervals.items()
        for key, value in (
            (name, found.estimate),
            (f"{name}_low", found.low),
            (f"{name}_high", found.high),
            (f"{name}_n", found.n),
        )
    }


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, whole or not at all; the columns are those of all rows, in order of first sight."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_prices(path: Path, prices: Sequence[Price], about: Mapping[str, Any]) -> None:
    """Write prices chat by chat as strict JSON, with what there is to say `about` them; see `read_prices`."""
    content = {**about, "prices": [dataclasses.asdict(price) for price in prices]}
    with replacing(path) as partial:
        partial.write_text(f"{json.dumps(plain(content), indent=1, allow_nan=False)}\n")


def read_prices(path: Path) -> list[Price]:
    """The prices of a file that `write_prices` wrote.

    Raises:
        UserError: there is none, or it is another file.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["prices"]
        return [Price(**{**row, "chats": tuple(map(_chat, row["chats"]))}) for row in rows]
    except OSError as error:
        raise UserError(f"{path}: cannot read this file: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: holds no prices: {error!r}") from error


def _chat(row: Mapping[str, Any]) -> ChatCost:
    return ChatCost(**{**row, "turns": tuple(row["turns"])})


def plain(value: Any) -> Any:
    """The value with null for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
