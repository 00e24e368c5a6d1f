"""How a chat falls into lines: pure, and the same for every medium."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from kl_derail.inspect.literal import LINE_BREAK, NO_TEXT, literal
from kl_derail.transcripts import Episode, Turn, is_empty, turns_of

SHOWN = 2
"""Exchanges of a run of alike ones that `fold` leaves standing."""


class Piece(NamedTuple):
    r"""A token or a part of one.

    Attributes:
        text: its text; a line break is a piece of its own, "\n"; empty for a token without text.
        token: index of the token.
        header: part of the name that opens a turn.
    """

    text: str
    token: int
    header: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the chat with all line breaks that end it (two in a row are one end).

    Attributes:
        turn: the turn that the line shows: the one its header opens, or the one it goes on with.
            A last header without a turn counts as one turn more.
        pieces: in order; over all lines they hold every token.
        sampled: the token here with which the agent begins to sample a turn, if there is one.
    """

    turn: int
    pieces: tuple[Piece, ...]
    sampled: int | None


@dataclass(frozen=True, slots=True)
class Fold:
    """Exchanges that look like the one before, left out.

    Attributes:
        exchanges: how many, each a blank turn of the agent and what the others said to it.
        silent: the others said nothing.
        turn: the first turn left out, the agent's.
        kl: exact KL of the turns left out, nats.
        reward: sum of their rewards; NaN if none was scored.
    """

    exchanges: int
    silent: bool
    turn: int
    kl: float
    reward: float


def shown_piece(piece: Piece) -> str:
    """A piece of a chat as readers see it; what is no plain character stands as a sign or an escape."""
    if piece.text == "\n":
        return LINE_BREAK
    return literal(piece.text) if piece.text else NO_TEXT


def lines_of(episode: Episode) -> list[Line]:
    """The lines of the chat, from the first token to the last."""
    headers = header_spans(episode)
    opens = {start: turn for turn, (start, _) in headers.items()}
    sampled = set(_first_sampled(episode))
    lines: list[Line] = []
    turn, place = 0, 0
    for pieces in _split(_pieces(episode, headers)):
        turn = opens.get(place, turn)
        place += sum(len(piece.text) for piece in pieces)
        begun = sampled & {piece.token for piece in pieces}
        sampled -= begun
        lines.append(Line(turn, tuple(pieces), min(begun, default=None)))
    return lines


def _split(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces of each line: a new one begins after the last of some line breaks."""
    line: list[Piece] = []
    broken = False
    for piece in pieces:
        if broken and piece.text not in ("", "\n"):
            yield line
            line, broken = [], False
        line.append(piece)
        broken = broken or piece.text == "\n"
    if line:
        yield line


def _first_sampled(episode: Episode) -> list[int]:
    """The first token that the agent sampled of each of its turns."""
    spoken = np.flatnonzero(episode.turn_speaker == episode.agent_index)
    first = np.maximum(episode.turn_start[spoken], episode.opening_tokens)
    found: list[int] = first[first < episode.turn_end[spoken]].tolist()
    return found


def header_spans(episode: Episode) -> dict[int, tuple[int, int]]:
    """Where in the text the header of each turn stands: (first character, one past the colon)."""
    names = "|".join(map(re.escape, episode.speakers))
    pattern = re.compile(rf"^(?:{names}):", re.MULTILINE)
    text, at = episode.text, _token_starts(episode)
    spans: dict[int, tuple[int, int]] = {}
    if len(episode.turn_speaker) and episode.turn_speaker[0] >= 0 and (own := pattern.match(text)):
        spans[0] = own.span()
    for turn in np.flatnonzero(episode.turn_complete).tolist():
        start, end = at[episode.turn_start[turn]], at[episode.turn_end[turn]]
        for match in pattern.finditer(text, start, end):
            if match.span() != spans.get(turn):
                spans[turn + 1] = match.span()  # the last one in the turn hands over
    return spans


def _token_starts(episode: Episode) -> list[int]:
    """[T + 1] first character of each token, and the end of the text."""
    return [0, *accumulate(map(len, episode.token_text))]


def _pieces(episode: Episode, headers: dict[int, tuple[int, int]]) -> Iterator[Piece]:
    edges = {edge for span in headers.values() for edge in span}
    inside = {place for span in headers.values() for place in range(*span)}
    for token, place in enumerate(_token_starts(episode)[:-1]):
        text = episode.token_text[token]
        if not text:
            yield Piece("", token, False)
        for part in _parts(text, place, edges):
            yield Piece(part, token, place in inside)
            place += len(part)


def _parts(text: str, place: int, edges: set[int]) -> list[str]:
    """The text, cut around each line break and at the edges."""
    cuts = {0, len(text)}
    for index, character in enumerate(text):
        if character == "\n":
            cuts |= {index, index + 1}
        if place + index in edges:
            cuts.add(index)
    ordered = sorted(cuts)
    return [text[a:b] for a, b in pairwise(ordered)]


def fold(episode: Episode, lines: Sequence[Line], shown: int = SHOWN) -> list[Line | Fold]:
    """The lines, each run of alike exchanges with a blank agent turn cut to `shown` and a `Fold`.

    Exchanges are alike if the others said the same, line breaks aside. A single one is not folded.
    """
    folded: dict[int, Fold] = {}
    for run in _alike(episode):
        hidden = run[shown:]
        if len(hidden) > 1:
            made = _fold(hidden)
            folded |= dict.fromkeys((turn.index for each in hidden for turn in each), made)
    rows: list[Line | Fold] = []
    for line in lines:
        row = folded.get(line.turn, line)
        if not rows or row is not rows[-1]:
            rows.append(row)
    return rows


def _fold(exchanges: Sequence[Sequence[Turn]]) -> Fold:
    turns = [turn for each in exchanges for turn in each]
    rewards = [turn.reward for turn in turns if not np.isnan(turn.reward)]
    return Fold(
        exchanges=len(exchanges),
        silent=all(map(is_empty, turns)),
        turn=turns[0].index,
        kl=sum(turn.kl for turn in turns),
        reward=sum(rewards) if rewards else float("nan"),
    )


def _alike(episode: Episode) -> list[list[list[Turn]]]:
    """Runs of neighbouring exchanges that say the same, the agent nothing."""
    runs: list[list[list[Turn]]] = []
    before: list[str] | None = None
    for exchange in _exchanges(episode):
        texts = [turn.text.strip() for turn in exchange]
        blank = not texts[0] and all(turn.complete for turn in exchange)
        if blank and texts == before:
            runs[-1].append(exchange)
        elif blank:
            runs.append([exchange])
        before = texts if blank else None
    return runs


def _exchanges(episode: Episode) -> list[list[Turn]]:
    """Each turn of the agent begun after the opening, with the turns of the others after it."""
    exchanges: list[list[Turn]] = []
    for turn in turns_of(episode):
        if turn.in_opening:
            continue
        if turn.speaker == episode.agent:
            exchanges.append([turn])
        elif exchanges:
            exchanges[-1].append(turn)
    return exchanges
