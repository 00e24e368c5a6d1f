"""Columns of numbers, packed for a page: bits kept, bytes saved, plain ASCII."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]
"""One-dimensional arrays by name; every length of its own."""

_LEVEL = 6


def layout(columns: Columns) -> list[tuple[str, str]]:
    """Name and dtype of each column, in order: what a reader needs besides `pack`'s text.

    >>> layout({"kl": np.zeros(3), "complete": np.ones(1, bool)})
    [('kl', 'float64'), ('complete', 'uint8')]
    """
    return [(name, _stored(values).dtype.name) for name, values in columns.items()]


def pack(columns: Columns) -> str:
    """The columns as base64 of a zlib stream, every bit of every number kept, NaN and inf too.

    The stream holds the lengths (uint32, one a column), then the columns, all little-endian.
    """
    counts = np.array([len(values) for values in columns.values()], "<u4")
    parts = [counts.tobytes(), *(_stored(values).tobytes() for values in columns.values())]
    return b64encode(zlib.compress(b"".join(parts), _LEVEL)).decode("ascii")


def _stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Little-endian, and bool as uint8."""
    plain = values.astype(np.uint8) if values.dtype == bool else values
    return plain.astype(plain.dtype.newbyteorder("<"), copy=False)
