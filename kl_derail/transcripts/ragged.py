"""Rows of different lengths in one flat array: the top candidates of each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """`len(ragged)` rows; row t is `values[offsets[t]:offsets[t + 1]]`, empty where none was kept.

    Attributes:
        values: all rows one after the other.
        offsets: [rows + 1] int32, rising from 0 to `len(values)`.
    """

    values: npt.NDArray[Any]
    offsets: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        offsets = self.offsets
        rising = len(offsets) > 0 and offsets[0] == 0 and bool(np.all(offsets[1:] >= offsets[:-1]))
        if not rising or offsets[-1] != len(self.values):
            raise ValueError(f"offsets must rise from 0 to {len(self.values)}, the values")

    @classmethod
    def empty(cls, rows: int) -> Ragged:
        """That many empty rows: nothing was recorded."""
        return cls(np.zeros(0), np.zeros(rows + 1, np.int32))

    @classmethod
    def from_rows(cls, rows: Sequence[npt.ArrayLike] | npt.NDArray[Any]) -> Ragged:
        """From a [T, k] array or a list of T lists.

        >>> Ragged.from_rows([[], [5, 6], [7]]).offsets.tolist()
        [0, 0, 2, 3]
        """
        if isinstance(rows, np.ndarray):
            return cls.scatter(rows, np.ones(len(rows), bool))
        if all(isinstance(row, list) for row in rows):  # many small lists: no array for each
            flat = np.array(list(chain.from_iterable(rows)))  # type: ignore[arg-type]
            return cls(flat, _offsets([len(row) for row in rows]))  # type: ignore[arg-type]
        parts = [np.asarray(row) for row in rows]
        filled = [part for part in parts if part.size]
        values = np.concatenate(filled) if filled else np.zeros(0)
        return cls(values, _offsets([len(part) for part in parts]))

    @classmethod
    def scatter(cls, values: npt.NDArray[Any], at: npt.NDArray[np.bool_]) -> Ragged:
        """The k candidates of the tokens marked in `at`, none for the others.

        Args:
            values: [marked tokens, k].
            at: [T] bool.

        >>> list(map(list, Ragged.scatter(np.array([[5, 6]]), np.array([False, True]))))
        [[], [np.int64(5), np.int64(6)]]
        """
        if values.ndim != 2 or len(values) != np.count_nonzero(at):
            marked = np.count_nonzero(at)
            raise ValueError(f"candidates: shape {values.shape}, needs [{marked} marked tokens, k]")
        return cls(values.ravel(), _offsets(at * values.shape[1]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> npt.NDArray[Any]:
        row = range(len(self))[row]
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def tolist(self) -> list[list[Any]]:
        """The rows as plain lists."""
        return [row.tolist() for row in self]


def _offsets(lengths: npt.ArrayLike) -> npt.NDArray[np.int32]:
    ends = np.cumsum(np.asarray(lengths, np.int64))
    return np.concatenate([[0], ends]).astype(np.int32)
