"""The log on disk: parquet files that `datasets` reads, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kl_derail.errors import UserError
from kl_derail.transcripts.arrow import arrow_schema, from_table, to_table
from kl_derail.transcripts.columns import SCHEMA_VERSION
from kl_derail.transcripts.schema import Episode

FOLDER = "transcripts"
"""Name of the folder of a run that holds its log."""

Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A file, a run folder, a folder of files, or several of them."""

ROW_GROUP = 64
"""Episodes of a row group: what damage to a file takes with it at most (see `salvage`)."""

_KEYS = ("schema_version", "run_id", "base_fingerprint", "episodes")
_PREFIX = "kl_derail."
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "write_page_checksum": True,  # damage in the middle of a file is found too
    "row_group_size": ROW_GROUP,
    "write_statistics": False,  # nothing asks for the largest token: a tenth of what a group costs
    # numbers hardly repeat: a dictionary for them doubles the time and adds a third to the size
    "use_dictionary": ["token_text.list.element", "turn_text.list.element"],
}


@dataclass(frozen=True)
class FileInfo:
    """What the footer of a file says, known without reading its episodes."""

    path: Path
    schema_version: int
    run_id: str
    base_fingerprint: str
    episodes: int


def update_path(run: str | os.PathLike[str], update: int) -> Path:
    """The file of one update of a run.

    >>> update_path("runs/a", 12).as_posix()
    'runs/a/transcripts/update-000012.parquet'
    """
    if update < 0:
        raise ValueError(f"update {update}: an evaluation has a name of its own, see named_path")
    return named_path(run, f"update-{update:06d}")


def named_path(run: str | os.PathLike[str], name: str) -> Path:
    """The file of an evaluation or another named set of episodes of a run."""
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"transcript name {name!r}: needs a plain file name")
    return Path(run) / FOLDER / f"{name}.parquet"


def write_episodes(path: str | os.PathLike[str], episodes: Sequence[Episode]) -> Path:
    """Write one file of one run and base, replacing it at once: a reader sees all of it or none.

    Args:
        path: the file; its folder is made if missing.
        episodes: at least one; all of the same run and base model, else ValueError.
    """
    path = Path(path)
    metadata = _metadata(episodes)
    table = to_table(episodes).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            pq.write_table(table, file, **_PARQUET)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def read_episodes(
    source: Source, *, update: int | None = None, allow_mixed: bool = False
) -> list[Episode]:
    """All episodes of a file, a run, a folder or a list of them; see `iter_episodes`."""
    return list(iter_episodes(source, update=update, allow_mixed=allow_mixed))


def iter_episodes(
    source: Source, *, update: int | None = None, allow_mixed: bool = False
) -> Iterator[Episode]:
    """The episodes, file by file in the order of names, with one file in memory at a time.

    Args:
        source: a file, a run folder (its `transcripts/`), a folder of files, or several of them.
        update: only the episodes of this update (-1: evaluations).
        allow_mixed: accept files of different base models.

    Raises:
        UserError: at the call, for missing, truncated or foreign files and mixed base models;
            while iterating, for damage deeper inside a file.
    """
    infos = [read_info(path) for path in find_files(source)]
    if not allow_mixed:
        check_same_base(infos)
    return (episode for info in infos for episode in _read_file(info, update))


def find_files(source: Source) -> list[Path]:
    """The transcript files that a source stands for; UserError if there is none."""
    if not isinstance(source, str | os.PathLike):
        found = [path for each in source for path in find_files(each)]
        if not found:
            raise UserError("no transcript file was named")
        return list(dict.fromkeys(found))
    path = Path(source)
    if not path.is_dir():
        return [path]
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    files = sorted(each for each in folder.glob("*.parquet") if not each.name.startswith("."))
    if not files:
        raise UserError(f"{folder}: holds no transcripts (*.parquet)")
    return files


def read_info(path: str | os.PathLike[str]) -> FileInfo:
    """Run, base and size from the footer; UserError if it is no transcript of this version."""
    path = Path(path)
    try:
        schema = pq.read_schema(path)
        as_expected = schema.equals(arrow_schema())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        _refuse(path, error)
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    found = [
        metadata.get(f"{_PREFIX}{key}".encode(), b"").decode(errors="replace") for key in _KEYS
    ]
    version, run_id, base, episodes = found
    if not version.isdecimal() or not episodes.isdecimal():
        raise UserError(f"{path}: is parquet, but not a kl_derail transcript")
    if int(version) != SCHEMA_VERSION:
        raise UserError(f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}")
    if not as_expected:
        raise UserError(f"{path}: its columns are not those of schema version {version}")
    return FileInfo(path, int(version), run_id, base, int(episodes))


def check_same_base(infos: Iterable[FileInfo]) -> None:
    """UserError naming two files if not all files were sampled against the same base model."""
    first: FileInfo | None = None
    for info in infos:
        first = first or info
        if info.base_fingerprint != first.base_fingerprint:
            raise UserError(
                f"{info.path}: base model {info.base_fingerprint} differs from"
                f" {first.base_fingerprint} of {first.path}; transcripts of different base models"
                " are not mixed unless allowed"
            )


def _read_file(info: FileInfo, update: int | None) -> list[Episode]:
    try:
        with pq.ParquetFile(info.path, page_checksum_verification=True) as file:
            keys = file.read(["run_id", "base_fingerprint", "update"])
            _check_footer(info, keys)
            wanted = np.flatnonzero(keys["update"].to_numpy() == update)
            if update is None:
                return list(from_table(file.read()))
            return list(from_table(file.read().take(wanted))) if len(wanted) else []
    except (OSError, pa.ArrowException, ValueError) as error:
        _refuse(info.path, error)


def _check_footer(info: FileInfo, keys: pa.Table) -> None:
    """ValueError unless rows and footer speak of the same run, base model and number."""
    rows = {(row["run_id"], row["base_fingerprint"]) for row in keys.to_pylist()}
    if len(keys) != info.episodes or rows != {(info.run_id, info.base_fingerprint)}:
        raise ValueError("its rows and its footer disagree")


def _refuse(path: Path, error: Exception) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise UserError(f"{path}: no such transcript file") from error
    reason = str(error) or type(error).__name__
    raise UserError(f"{path}: not a whole transcript file ({reason})") from error


def _metadata(episodes: Sequence[Episode]) -> dict[bytes, bytes]:
    """Schema metadata: the features for `datasets`, and ours, the same for the whole file."""
    if not episodes:
        raise ValueError("no episodes to write")
    from kl_derail.transcripts.features import FEATURES  # slow import, for writers only

    first = episodes[0]
    for name in ("run_id", "base_fingerprint"):
        if len(found := {getattr(episode, name) for episode in episodes}) > 1:
            raise ValueError(f"one file, one {name}: found {sorted(found)}")
    own = (first.schema_version, first.run_id, first.base_fingerprint, len(episodes))
    pairs = {f"{_PREFIX}{k}".encode(): str(v).encode() for k, v in zip(_KEYS, own, strict=True)}
    return {**(FEATURES.arrow_schema.metadata or {}), **pairs}


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too, where the system can sync a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
