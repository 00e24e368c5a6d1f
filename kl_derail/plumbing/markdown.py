"""Tables of Markdown, for model cards and results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of a head and rows of cells, without a line break at its end.

    >>> print(table(("turn", "nats"), [("1", "8.62")]))
    | turn | nats |
    | --- | --- |
    | 1 | 8.62 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
