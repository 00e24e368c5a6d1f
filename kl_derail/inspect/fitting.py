"""Tables that fit the console: a narrow one gets fewer columns, never half a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

LEAST = 12
"""Characters that words keep before a column of numbers is left out."""

GAP = 2
"""Characters between two columns."""


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        name: over it.
        cells: one a row.
        justify: where the cells stand.
        words: whether it may be shortened or wrapped; numbers may not.
        spare: from 1 on it may be left out, the highest first; 0: it stays.
        style: of the cells.
    """

    name: Text
    cells: Sequence[Text] = ()
    justify: Literal["left", "right"] = "right"
    words: bool = False
    spare: int = 0
    style: str = ""

    @property
    def needed(self) -> int:
        """Characters that it needs."""
        texts = (self.name, *self.cells)
        widest = max(cell_len(line) for each in texts for line in each.plain.split("\n"))
        return min(widest, LEAST) if self.words else widest


class Fitting:
    """A table without the columns for which the console has no room; what then is too wide folds.

    Args:
        columns: from left to right.
        total: whether the last row is a sum, set apart.
    """

    def __init__(self, columns: Sequence[Column], *, total: bool = False) -> None:
        self._columns = columns
        self._total = total

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(self._columns)
        while _width(columns) > options.max_width and (most := max(each.spare for each in columns)):
            columns = [each for each in columns if each.spare != most]
        yield self._table(columns, fold=_width(columns) > options.max_width)

    def _table(self, columns: Sequence[Column], *, fold: bool) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False
        )
        for each in columns:
            table.add_column(
                each.name,
                justify=each.justify,
                style=each.style,
                header_style="dim",
                no_wrap=not (fold or each.words),
                overflow="fold" if fold else "ellipsis",
            )
        rows = list(zip(*(each.cells for each in columns), strict=True))
        for number, row in enumerate(rows, start=1):
            if self._total and number == len(rows):
                table.add_section()
            table.add_row(*row)
        return table


def _width(columns: Sequence[Column]) -> int:
    return sum(each.needed for each in columns) + GAP * (len(columns) - 1)
