"""Events that a chat can come to, with codes: how simple is what has not yet happened?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import Reader, gamma, gamma_numbers, read_gamma

Stream = Literal["actions", "observations"]
STREAMS: tuple[Stream, ...] = ("actions", "observations")
NEVER = 2**62
"""Turns until something that does not happen."""


class Chat(NamedTuple):
    """A history: one byte (0 or 1) a turn of actions and of observations, equally many."""

    actions: bytes
    observations: bytes


@dataclass(frozen=True)
class Repeat:
    """Actions, or observations, end in a word said so many times in a row.

    >>> str(Repeat("observations", "01", 3)), Repeat("observations", "1", 3).code()
    ('observations 01 x3', '0101101')
    """

    stream: Stream
    word: str
    times: int

    def code(self) -> str:
        """A zero, the stream, the word with its length, the number of times."""
        stream = str(STREAMS.index(self.stream))
        return "0" + stream + gamma(len(self.word)) + self.word + gamma(self.times)

    def __str__(self) -> str:
        return f"{self.stream} {self.word} x{self.times}"

    @property
    def length(self) -> int:
        """Turns that it takes."""
        return len(self.word) * self.times

    @property
    def symbols(self) -> bytes:
        """What must come last in the stream."""
        return bytes(map(int, self.word * self.times))

    def turns_until(self, chat: Chat) -> int:
        """After how many turns it has first happened; NEVER where it has not."""
        place = getattr(chat, self.stream).find(self.symbols)
        return NEVER if place < 0 else place + len(self.symbols)

    def has_just_happened(self, chat: Chat) -> bool:
        """Whether the last turn brought it about, for the first time or again."""
        stream: bytes = getattr(chat, self.stream)
        return stream.endswith(self.symbols)


@dataclass(frozen=True)
class Clock:
    """A number of turns is over.

    >>> str(Clock(512)), Clock(2).code()
    ('turn 512', '1100')
    """

    turns: int

    def code(self) -> str:
        """A one and the number of turns."""
        return "1" + gamma(self.turns)

    def __str__(self) -> str:
        return f"turn {self.turns}"

    def turns_until(self, chat: Chat) -> int:
        """After how many turns it has first happened; NEVER where it has not."""
        return self.turns if self.turns <= len(chat.actions) else NEVER

    def has_just_happened(self, chat: Chat) -> bool:
        """Whether the last turn was the one."""
        return self.turns == len(chat.actions)


Event = Repeat | Clock


def read_event(reader: Reader) -> Event:
    """The event whose code comes next."""
    if reader.take(1) == "1":
        return Clock(read_gamma(reader))
    stream = STREAMS[int(reader.take(1))]
    word = reader.take(read_gamma(reader))
    return Repeat(stream, word, read_gamma(reader))


def parse_event(text: str) -> Event:
    """An event from its printed form.

    >>> parse_event("turn 9"), parse_event("actions 1 x2")
    (Clock(turns=9), Repeat(stream='actions', word='1', times=2))

    Raises:
        UserError: it cannot be read.
    """
    if found := re.fullmatch(r"turn ([1-9]\d{0,17})", text):
        return Clock(int(found[1]))
    if found := re.fullmatch(r"(actions|observations) ([01]+) x([1-9]\d{0,17})", text):
        stream: Stream = "actions" if found[1] == "actions" else "observations"
        return Repeat(stream, found[2], int(found[3]))
    raise UserError(
        f"--event: found {text!r}, expected `actions W xN`, `observations W xN` (W of 0 and 1, "
        "N times) or `turn N`"
    )


def events(max_bits: int) -> list[Event]:
    """All events whose code has at most so many bits, shortest first."""
    clocks = [Clock(turns) for turns in gamma_numbers(max_bits - 1)]
    found: list[Event] = [*clocks, *_repeats(max_bits - 2)]
    return sorted(found, key=lambda event: len(event.code()))


def _repeats(max_bits: int) -> Iterator[Repeat]:
    for length in itertools.count(1):
        numbers = gamma_numbers(max_bits - len(gamma(length)) - length)
        if not numbers:
            return
        words = itertools.product("01", repeat=length)
        for symbols, times, stream in itertools.product(words, numbers, STREAMS):
            yield Repeat(stream, "".join(symbols), times)
