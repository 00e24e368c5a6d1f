"""Tidy tables: named tuples in memory, CSV on the disk."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from kl_derail.plumbing.writing import replacing


def write_csv(path: Path, row_type: type, rows: Sequence[Any]) -> Path:
    """Write rows of one named tuple type, whole or not at all; an existing file is replaced.

    A field that is a named tuple itself becomes its fields. Floats keep every digit; NaN is an
    empty cell.
    """
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_names(row_type))
        writer.writerows(list(_cells(row)) for row in rows)
    return path


def _names(row_type: type) -> Iterator[str]:
    for name, hint in get_type_hints(row_type).items():
        if hasattr(hint, "_fields"):
            yield from _names(hint)
        else:
            yield name


def _cells(row: tuple[Any, ...]) -> Iterator[Any]:
    for value in row:
        if isinstance(value, tuple):
            yield from _cells(value)
        else:
            yield "" if isinstance(value, float) and math.isnan(value) else value
