"""Text that others wrote, made safe to print: what a terminal would obey is shown instead."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

LINE_BREAK = "⏎"
"""Stands for a line break in a chat."""

NO_TEXT = "◌"
"""Stands for a token without text, which may cost nats all the same."""

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STAND_INS = {LINE_BREAK: "$", NO_TEXT: "_", "…": "~", "\N{EN DASH}": "-"}


def literal(text: str) -> str:
    r"""The text with its control, format and unassigned characters written as escapes.

    ANSI escapes, bidirectional marks, zero-width characters and exotic line breaks become visible;
    so do the two signs that we put in ourselves, since a text must not fake them.

    >>> print(literal("[red]\x1b[31m\u202eabc\t⏎"))
    [red]\x1b[31m\u202eabc\t\u23ce
    """
    return "".join(map(_literal_character, text))


def _literal_character(character: str) -> str:
    obeyed = unicodedata.category(character) in _OBEYED or character in (LINE_BREAK, NO_TEXT)
    return character.encode("unicode_escape").decode() if obeyed else character


class Encodable:
    """A renderable whose characters are replaced where the console's encoding has none for them.

    Args:
        renderable: what to print.
    """

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            text = encodable(segment.text, options.encoding)
            yield Segment(text, segment.style, segment.control)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._renderable)


def encodable(text: str, encoding: str) -> str:
    """The text with stand-ins, as wide, for what the encoding cannot say.

    >>> encodable("Hm…⏎ 語", "ascii")
    'Hm~$ ??'
    """
    if _can_say(text, encoding):
        return text
    return "".join(
        each if _can_say(each, encoding) else _STAND_INS.get(each, "?" * cell_len(each))
        for each in text
    )


def _can_say(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
