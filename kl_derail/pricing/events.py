"""Events of text: what a turn may look like, whatever tokens spell it.

A turn is over with the token that completes the next speaker's header (see `chat.turns`). So the event
"the turn is this text" holds of a token sequence as soon as its running text begins with the text of
the turn, speaker change included. The last token may end just there, or hang over and begin the next
turn: both hand on the word with the same text said, both belong to the event, and the share that hangs
over is reported. No sequence of the event begins with another one, so their masses add up.

Texts are compared as UTF-8 bytes, since a token may hold half a character.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import chain
from typing import NamedTuple, Protocol

from transformers.convert_slow_tokenizer import bytes_to_unicode

from kl_derail.base.vocabulary import REPLACEMENT, TokenPieces


class End(Enum):
    """The event has happened: at the end of a token, or within it."""

    FLUSH = "flush"
    OVERHANGING = "overhanging"


State = Hashable
"""Where a spelling stands within an event; what can follow depends on nothing else."""


class TextEvent(Protocol):
    """A set of texts, read token by token."""

    @property
    def start(self) -> State:
        """Where every spelling begins."""

    def step(self, state: State, piece: bytes) -> State | End | None:
        """Where a further token leads: another state, the end, or None if the event cannot happen any more.

        Bytes are read one after the other: None after some of them is None after more.
        """


class ExactText(NamedTuple):
    """The running text begins with these bytes; the state is what is still to be said.

    >>> ExactText(b"no").step(b"no", b"not"), ExactText(b"no").step(b"no", b"ni")
    (<End.OVERHANGING: 'overhanging'>, None)
    """

    text: bytes

    @property
    def start(self) -> State:
        """All of the text."""
        return self.text

    def step(self, state: State, piece: bytes) -> State | End | None:
        """The text that is left after the piece."""
        left = state
        assert isinstance(left, bytes)
        if left == piece:
            return End.FLUSH
        if left.startswith(piece):
            return left[len(piece) :]
        return End.OVERHANGING if piece.startswith(left) else None


class BlankTurn(NamedTuple):
    """Any white space, then a line that begins with the header of one of these speakers.

    The state is whether a line begins, and the bytes of a character or header that is not yet complete.
    """

    speakers: tuple[str, ...]

    @property
    def start(self) -> State:
        """Within a line."""
        return (False, b"")

    def step(self, state: State, piece: bytes) -> State | End | None:
        """Byte by byte through the white space and the header."""
        assert isinstance(state, tuple)
        line_start, pending = state
        headers = [f"{name}:".encode() for name in self.speakers] if line_start else []
        for place, byte in enumerate(piece):
            pending += bytes([byte])
            if pending in headers:
                return End.FLUSH if place + 1 == len(piece) else End.OVERHANGING
            if pending in white_space():
                line_start, pending = pending == b"\n", b""
                headers = [f"{name}:".encode() for name in self.speakers] if line_start else []
            elif not any(each.startswith(pending) for each in (*white_space(), *headers)):
                return None
        return line_start, pending


@cache
def white_space() -> frozenset[bytes]:
    """Every character that `str.strip` takes away, in UTF-8."""
    characters = map(chr, range(sys.maxunicode + 1))
    return frozenset(each.encode() for each in characters if each.isspace())


def token_bytes(pieces: TokenPieces) -> list[bytes]:
    """[V] what each token adds to a running text, in UTF-8, halves of characters included."""
    names = pieces.tokenizer.convert_ids_to_tokens
    return [
        _half(str(names(token))) or piece.encode() if REPLACEMENT in piece else piece.encode()
        for token, piece in enumerate(pieces.table)
    ]


def _half(name: str) -> bytes:
    """The bytes that a token's name stands for in byte-fallback and byte-level vocabularies; none in others."""
    if fallback := re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", name):
        return bytes.fromhex(fallback[1])
    table = _byte_of()
    return bytes(table[letter] for letter in name) if set(name) <= set(table) else b""


@cache
def _byte_of() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for."""
    return {letter: byte for byte, letter in bytes_to_unicode().items()}


class Moves(NamedTuple):
    """What can follow a state.

    Attributes:
        going: tokens that leave the event open.
        states: where these lead.
        ending: tokens with which the event has happened.
        hanging: which of these hang over.
    """

    going: list[int]
    states: list[State]
    ending: list[int]
    hanging: list[bool]


def by_first_byte(pieces: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The tokens that begin with each byte; those without text under the empty one."""
    groups: dict[bytes, list[int]] = {}
    for token, piece in enumerate(pieces):
        groups.setdefault(piece[:1], []).append(token)
    return groups


def moves(
    event: TextEvent, state: State, pieces: Sequence[bytes], groups: Mapping[bytes, Sequence[int]]
) -> Moves:
    """Every token that can follow, out of V pieces; whole `groups` are passed over by their first byte."""
    found = Moves([], [], [], [])
    alive = [group for first, group in groups.items() if event.step(state, first) is not None]
    for token in sorted(chain.from_iterable(alive)):
        to = event.step(state, pieces[token])
        if isinstance(to, End):
            found.ending.append(token)
            found.hanging.append(to is End.OVERHANGING)
        elif to is not None:
            found.going.append(token)
            found.states.append(to)
    return found
