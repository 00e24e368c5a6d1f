"""Episodes to an Arrow table and back, column by column: no Python object per number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kl_derail.transcripts.columns import COLUMNS, Column
from kl_derail.transcripts.ragged import Ragged
from kl_derail.transcripts.schema import Episode


def arrow_schema() -> pa.Schema:
    """The schema of the table, without metadata."""
    return pa.schema([(name, _arrow_type(column)) for name, column in COLUMNS.items()])


def to_table(episodes: Sequence[Episode]) -> pa.Table:
    """One row per episode, in the order given."""
    arrays = [
        _to_arrow(column, [getattr(episode, name) for episode in episodes])
        for name, column in COLUMNS.items()
    ]
    return pa.Table.from_arrays(arrays, schema=arrow_schema())


def from_table(table: pa.Table) -> Iterator[Episode]:
    """The episodes of a table with the columns of `arrow_schema`; ValueError if one is invalid."""
    readers = {}
    for name, column in COLUMNS.items():
        chunk = table.column(name).combine_chunks()
        readers[name] = _rows(column, chunk)
    for row in range(table.num_rows):
        yield Episode.from_columns({name: rows[row] for name, rows in readers.items()})


def _arrow_type(column: Column) -> pa.DataType:
    value = pa.type_for_alias(column.dtype)
    if column.shape == "row":
        return value
    return pa.list_(pa.list_(value)) if column.shape == "candidates" else pa.list_(value)


def _to_arrow(column: Column, rows: Sequence[Any]) -> pa.Array:
    value = pa.type_for_alias(column.dtype)
    if column.shape == "row":
        return pa.array(rows, value)
    if column.shape == "candidates":
        return _list_array([len(row) for row in rows], _candidates(rows, value))
    if column.dtype == "string":
        flat: Any = [text for row in rows for text in row]
    else:
        flat = np.concatenate(rows)
    return _list_array([len(row) for row in rows], pa.array(flat, value))


def _candidates(rows: Sequence[Ragged], value: pa.DataType) -> pa.Array:
    lengths = np.concatenate([np.diff(row.offsets) for row in rows])
    return _list_array(lengths, pa.array(np.concatenate([row.values for row in rows]), value))


def _list_array(lengths: npt.ArrayLike, values: pa.Array) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _rows(column: Column, chunk: pa.Array) -> Sequence[Any]:
    """What each row of the column holds, as arrays, tuples, Ragged or plain values."""
    if column.shape == "row":
        return list(chunk.to_pylist())
    if column.shape == "candidates":
        return _ragged_rows(chunk)
    return _split(_flat(chunk.flatten()), _bounds(chunk))


def _ragged_rows(chunk: pa.Array) -> list[Ragged]:
    tokens = chunk.flatten()
    inner, values = _bounds(tokens), _flat(tokens.flatten())
    rows = []
    for start, end in _pairs(_bounds(chunk)):
        offsets = inner[start : end + 1]
        rows.append(Ragged(values[offsets[0] : offsets[-1]], offsets - offsets[0]))
    return rows


def _flat(values: pa.Array) -> Any:
    if pa.types.is_string(values.type):
        return values.to_pylist()
    if values.null_count:
        raise ValueError("holds nulls where only numbers may stand")
    return values.to_numpy(zero_copy_only=False)


def _bounds(chunk: pa.Array) -> npt.NDArray[np.int32]:
    if chunk.null_count:
        raise ValueError("holds nulls where only lists may stand")
    offsets: npt.NDArray[np.int32] = chunk.offsets.to_numpy()
    from_zero: npt.NDArray[np.int32] = offsets - offsets[0]
    return from_zero


def _split(flat: Any, bounds: npt.NDArray[np.int32]) -> list[Any]:
    return [flat[start:end] for start, end in _pairs(bounds)]


def _pairs(bounds: npt.NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    ends: list[int] = bounds.tolist()
    return pairwise(ends)
