"""Episodes as plain JSONL: one a line, every column, for tools that read no parquet.

Keys stand in the order of `transcripts.COLUMNS`. NaN (no number here) is null; infinities are the
strings "Infinity" and "-Infinity", since JSON has neither. Numbers are written so that they read
back as the same float64; those of float32 columns are widened to it first, which is exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kl_derail.plumbing.writing import replacing
from kl_derail.transcripts import COLUMNS, Episode, Ragged

_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def write_jsonl(path: Path, episodes: Sequence[Episode]) -> Path:
    """Write one line an episode (UTF-8), replacing the file at once.

    Args:
        path: of the file; its folder is made if missing.
        episodes: in the order of the lines.
    """
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(jsonl(episodes))
    return path


def jsonl(episodes: Iterable[Episode]) -> Iterator[str]:
    """The lines of `write_jsonl`, line breaks included."""
    for episode in episodes:
        yield json.dumps(to_record(episode), ensure_ascii=False, allow_nan=False) + "\n"


def to_record(episode: Episode) -> dict[str, Any]:
    """The columns of an episode as values of JSON, in the order of `COLUMNS`."""
    return {name: _plain(getattr(episode, name)) for name in COLUMNS}


def from_record(record: Mapping[str, Any]) -> Episode:
    """The episode that `to_record` was given, to the last bit; ValueError if it is none."""
    if missing := [name for name in COLUMNS if name not in record]:
        raise ValueError(f"no episode: it has no {missing[0]}")
    return Episode.from_columns(
        {name: _number(record[name], column.dtype) for name, column in COLUMNS.items()}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Ragged):
        return [_plain(row) for row in value.tolist()]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _number(value: Any, dtype: str) -> Any:
    """The value with its NaN and infinities, where the column holds floats."""
    if not dtype.startswith("float"):
        return value
    if isinstance(value, list):
        return [_number(each, dtype) for each in value]
    return math.nan if value is None else _INFINITIES.get(value, value)
