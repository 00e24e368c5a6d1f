"""The log's columns as `datasets.Features`.

A module of its own because importing `datasets` takes seconds, and no reader of a log needs it.
"""

from __future__ import annotations

from datasets import Features, List, Value

from kl_derail.transcripts.columns import COLUMNS, Column


def _feature(column: Column) -> Value | List:
    value = Value(column.dtype)
    if column.shape == "row":
        return value
    return List(List(value)) if column.shape == "candidates" else List(value)


FEATURES = Features({name: _feature(column) for name, column in COLUMNS.items()})
"""The features that `datasets.load_dataset("parquet", data_files=...)` finds in every file."""
