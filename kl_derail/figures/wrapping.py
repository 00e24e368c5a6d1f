"""Text in letters of one width: what a font can show, and where lines break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

FONT = "DejaVu Sans Mono"
"""A font that matplotlib brings along; all letters are equally wide."""


class Placed(NamedTuple):
    """A text, or a part of one that a line break cuts.

    Attributes:
        line: from 0.
        column: from 0, in letters.
        piece: which of the texts.
        text: as shown.
    """

    line: int
    column: int
    piece: int
    text: str


def wrap(texts: Sequence[str], width: int) -> list[Placed]:
    """Texts one after the other in lines of `width` letters, broken before a space if possible.

    >>> [(each.line, each.text) for each in wrap(["one", " two", "fold"], 6)]
    [(0, 'one'), (1, ' two'), (1, 'fo'), (2, 'ld')]
    """
    placed: list[Placed] = []
    line = column = 0
    for word in _words(enumerate(texts)):
        if column and column + sum(len(text) for _, text in word) > width:
            line, column = line + 1, 0
        for index, text in word:
            while text:
                if column == width:
                    line, column = line + 1, 0
                part, text = text[: width - column], text[width - column :]
                placed.append(Placed(line, column, index, part))
                column += len(part)
    return placed


def showable(text: str) -> str:
    r"""The text with what `FONT` has no letter for as an escape.

    >>> print(showable("Hm… 語"))
    Hm… \u8a9e
    """
    known = _letters()
    return "".join(
        each if ord(each) in known else each.encode("unicode_escape").decode() for each in text
    )


def _words(texts: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Texts that should stay on one line: one that begins with a space begins a new word."""
    word: list[tuple[int, str]] = []
    for index, text in texts:
        if word and text.startswith(" "):
            yield word
            word = []
        word.append((index, text))
    if word:
        yield word


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont(FONT)).get_charmap())
