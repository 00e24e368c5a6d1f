"""What panels have in common: titles, choices, counts in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol, TypeVar

from kl_derail.figures.study import Key
from kl_derail.transcripts.empties import Kind


class Choices(NamedTuple):
    """What the figures can be drawn of in more than one way.

    Attributes:
        turns: which turns are looked at.
        across_turns: n-grams go on from one turn of the agent to its next.
    """

    turns: Kind = "empty"
    across_turns: bool = True


class _Keyed(Protocol):
    @property
    def key(self) -> Key: ...


R = TypeVar("R", bound=_Keyed)


def by_key(rows: Sequence[R]) -> dict[Key, list[R]]:
    """The rows of each group, in the order of the table."""
    return {key: list(each) for key, each in groupby(rows, lambda row: row.key)}


def titles(keys: Iterable[Key]) -> dict[Key, str]:
    """What stands over the panel of each group: its base only where there are several."""
    keys = list(keys)
    several = len({key.base for key in keys}) > 1
    return {key: _title(key, several) for key in keys}


def _title(key: Key, with_base: bool) -> str:
    lines = [key.base] if with_base else []
    lines.append(f"{key.player}, {key.length} tokens")
    return "\n".join([*lines, key.setting] if key.setting else lines)


def rows_of(keys: Iterable[Key], most: int) -> list[int]:
    """How many panels each row has: a base begins a row, and no row has more than `most`.

    >>> a, b = Key("a", "agent", 1.0, 256), Key("b", "agent", 1.0, 256)
    >>> rows_of([a, a, a, b], 2)
    [2, 1, 1]
    """
    counts = [len(list(each)) for _, each in groupby(keys, lambda key: key.base)]
    return [min(most, count - start) for count in counts for start in range(0, count, most)]


def counted(number: int, what: str) -> str:
    """A number of things in words.

    >>> counted(1, "run"), counted(3, "run")
    ('1 run', '3 runs')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
