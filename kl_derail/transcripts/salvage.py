"""What can still be read of damaged transcript files, and what cannot, said in one line a file.

Row groups (`ROW_GROUP` episodes) are read one by one, so that damage to one leaves the others. In it
a column that only looks deeper (`SPARE`) may be missing; an episode that contradicts itself is left
out, the others are not.

The limit: only the footer at the end of a file says where its row groups are. A file without it (cut
off, or still being written) stays unreadable however much of it is there, and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kl_derail.errors import UserError
from kl_derail.transcripts.arrow import arrow_schema, from_table
from kl_derail.transcripts.columns import COLUMNS, names_of
from kl_derail.transcripts.schema import Episode
from kl_derail.transcripts.store import read_episodes, read_info

_CANDIDATES = names_of("candidates")
_PAIRS = (_CANDIDATES[:2], _CANDIDATES[2:])  # ids and log-probabilities

SPARE = ("alpha", "fraction", "kl_target", "value", *_CANDIDATES)
"""Columns without which an episode can be shown: NaN, or no candidates, may stand there."""

Warn = Callable[[str], object]
"""Is told, in one line, what was left out."""


def read_valid(path: Path, warn: Warn, *, update: int | None = None) -> list[Episode]:
    """The episodes of one file that can be read.

    Args:
        path: the file.
        warn: is called at most once, if something was left out.
        update: only the episodes of this update.

    Raises:
        UserError: nothing can be read, or the file is missing or foreign.
    """
    try:
        return read_episodes(path, update=update)
    except UserError as error:
        return _salvaged(path, error, warn, update)


def _salvaged(path: Path, error: UserError, warn: Warn, update: int | None) -> list[Episode]:
    info = read_info(path)  # without a footer: the same error again
    owner = (info.run_id, info.base_fingerprint)
    own: list[Episode] = []
    missing: list[list[str]] = []  # of each row group that can be read
    for columns in _row_groups(path):
        lost = _lost(columns)
        if not set(lost) <= set(SPARE):
            continue
        found = _valid_rows(_filled(columns, lost))
        own += [each for each in found if (each.run_id, each.base_fingerprint) == owner]
        missing.append(lost)
    if not own:
        raise error
    warn(f"{error}; {len(own)} of its {info.episodes} episodes can be read{_without(missing)}")
    return [each for each in own if update in (None, each.update)]


def _without(missing: Sequence[Collection[str]]) -> str:
    """Which columns all or some of the row groups miss, worded."""
    lost = [name for name in COLUMNS if any(name in each for each in missing)]
    everywhere = all(set(each) == set(lost) for each in missing)
    return f"{'' if everywhere else ', some'} without {', '.join(lost)}" if lost else ""


def _row_groups(path: Path) -> Iterator[dict[str, pa.ChunkedArray]]:
    """The columns that can be read of each row group."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for place in range(file.num_row_groups):
            rows, columns = file.metadata.row_group(place).num_rows, {}
            for name in COLUMNS:
                with suppress(OSError, pa.ArrowException):
                    column = file.read_row_group(place, columns=[name])[name]
                    if len(column) == rows:  # a damaged length is no error to the reader
                        columns[name] = column
            yield columns


def _lost(columns: Collection[str]) -> list[str]:
    """The columns that are not there, and those that say nothing without them."""
    missing = set(COLUMNS) - set(columns)
    for pair in _PAIRS:
        if missing & set(pair):
            missing |= set(pair)
    return [name for name in COLUMNS if name in missing]


def _filled(columns: Mapping[str, pa.ChunkedArray], lost: Collection[str]) -> pa.Table:
    """The whole table: NaN and empty lists of candidates stand where columns are lost."""
    lengths = columns["length"].fill_null(0).to_pylist()
    blanks = {
        name: pa.array([[[] if name in _CANDIDATES else math.nan] * tokens for tokens in lengths])
        for name in lost
    }
    return pa.table({**columns, **blanks}).select(list(COLUMNS)).cast(arrow_schema())


def _valid_rows(table: pa.Table) -> list[Episode]:
    """The episodes that do not contradict themselves."""
    episodes: list[Episode] = []
    for row in range(table.num_rows):
        with suppress(ValueError):
            episodes += from_table(table.slice(row, 1))
    return episodes
