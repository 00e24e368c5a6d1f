"""How simple is the simplest event that has not yet happened, and how does a chat go on until it has?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_derail.errors import UserError
from kl_derail.theory.programs.events import NEVER, STREAMS, Chat, Clock, Event, Repeat
from kl_derail.theory.programs.machine import FREE, Machine, sample, state_after
from kl_derail.theory.programs.switch import bits
from kl_derail.theory.programs.table import Bytes, Ints


class Unseen(NamedTuple):
    """The simplest event not yet seen, over time.

    Attributes:
        since: turn from which on it is the simplest one.
        bits: length of its code.
        event: the first one of that length.
    """

    since: int
    bits: int
    event: Event


def split(symbols: Bytes) -> Chat:
    """Symbols of whole turns as a chat."""
    return Chat(symbols[0::2].tobytes(), symbols[1::2].tobytes())


def first_turns(events: Sequence[Event], chat: Chat) -> Ints:
    """After how many turns each event first happened, NEVER where it did not, [events]."""
    return np.array([event.turns_until(chat) for event in events], np.int64)


def simplest_unseen(events: Sequence[Event], turns_E: Ints) -> list[Unseen]:
    """The steps of the curve: each event that is the simplest for a while, from turn 0 on.

    Args:
        events: shortest first.
        turns_E: of their first happening, as `first_turns` gives them.

    A step lasts until the next one begins, the last one until its own event happens, if it does.
    """
    latest = np.maximum.accumulate(turns_E)
    records = np.flatnonzero(np.diff(latest, prepend=0) > 0).tolist()
    since = [0, *latest[records[:-1]].tolist()]
    return [
        Unseen(turn, bits(events[record]), events[record])
        for turn, record in zip(since, records, strict=True)
    ]


def provoke(machine: Machine, symbols: Bytes, event: Event, seed: int) -> Bytes:
    """How the chat goes on until the event has happened: the machine speaks, the event is forced on it.

    Args:
        machine: wrote the symbols, and goes on as if what is forced had been its own.
        symbols: of whole turns, without the event.
        event: a word is put into its stream, in every turn from the next one on.
        seed: of what the machine says.

    Returns:
        The symbols of the turns to come, the last of which brings the event about.

    Raises:
        UserError: the machine halts first, or a turn has already gone by.
    """
    forced = _forced(event, len(symbols) // 2)
    more = sample(machine, len(forced), seed, state=state_after(machine, symbols), forced=forced)
    last = event.turns_until(split(np.concatenate([symbols, more])))
    if last == NEVER or 2 * last <= len(symbols):
        raise UserError(f"--event: `{event}` cannot come about after {len(symbols) // 2} turns")
    return more[: 2 * last - len(symbols)]


def _forced(event: Event, turns: int) -> Ints:
    """What is forced in the turns to come, [2 turns]; FREE where the machine chooses."""
    if isinstance(event, Clock):
        return np.full(2 * max(event.turns - turns, 0), FREE)
    forced = np.full((len(event.symbols), 2), FREE)
    forced[:, STREAMS.index(event.stream)] = list(event.symbols)
    return forced.ravel()


def observation_events(events: Sequence[Event]) -> list[Event]:
    """Those that the world brings about, whatever the agent does."""
    return [e for e in events if isinstance(e, Repeat) and e.stream == "observations"]
