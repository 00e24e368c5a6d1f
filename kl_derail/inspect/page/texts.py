"""Texts of a page, each distinct one written once, and none that a browser or a reader would obey."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from kl_derail.inspect.literal import LINE_BREAK, literal


class Texts:
    """A table of distinct shown texts, filled as they are met."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def add(self, shown: str) -> int:
        """The text's place in the table."""
        return self._index.setdefault(shown, len(self._index))

    def add_all(self, shown: Iterable[str]) -> npt.NDArray[np.int32]:
        """[texts] int32, the place of each."""
        return np.array([self.add(each) for each in shown], np.int32)

    def table(self) -> list[str]:
        """All texts by their place."""
        return list(self._index)


def shown_text(text: str) -> str:
    r"""Any text of a model or a file on one line, line breaks as signs.

    >>> print(shown_text("a\n\x1b\n"))
    a⏎\x1b⏎
    """
    return LINE_BREAK.join(map(literal, text.split("\n")))
