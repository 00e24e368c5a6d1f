"""The log on disk: what was written comes back, and nothing else is read as a log."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.transcripts import (
    FEATURES,
    Episode,
    episodes_equal,
    find_files,
    iter_episodes,
    named_path,
    read_episodes,
    read_info,
    update_path,
    write_episodes,
)
from kl_derail.transcripts import columns as columns_module
from tests.transcripts.factories import long_episode, make_episode
from tests.transcripts.strategies import episodes

TURNS = [("Teacher", " Hé."), ("Student", " 日本 \U0001f600"), ("Teacher", "")]


def few(count: int = 3, **columns: Any) -> list[Episode]:
    """A few small episodes."""
    return [make_episode(TURNS, candidates=2, episode=n, **columns) for n in range(count)]


def same(found: Sequence[Episode], wanted: Sequence[Episode]) -> bool:
    """Whether both hold equal episodes in the same order."""
    return len(found) == len(wanted) and all(map(episodes_equal, found, wanted))


@settings(max_examples=40, deadline=None)
@given(st.lists(episodes(), min_size=1, max_size=4))
def test_round_trip(written: list[Episode]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_episodes(Path(folder) / "any.parquet", written)
        assert same(read_episodes(path), written)
        assert [each.name for each in Path(folder).iterdir()] == ["any.parquet"]


def test_datasets_reads_the_file(tmp_path: Path) -> None:
    written = few()
    path = write_episodes(tmp_path / "log.parquet", written)
    found = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert found.features == FEATURES
    assert found["episode"] == [0, 1, 2]
    row = found[1]
    assert "".join(row["token_text"]) == written[1].text
    assert row["top_base_ids"] == written[1].top_base_ids.tolist()
    assert same([Episode.from_columns(each) for each in found], written)


def test_datasets_writes_what_we_read(tmp_path: Path) -> None:
    """A file rewritten by `datasets` has lost our footer: it is foreign, and we say so."""
    path = write_episodes(tmp_path / "log.parquet", few())
    with path.open("rb") as file:
        datasets.Dataset(pq.read_table(file)).to_parquet(str(tmp_path / "again.parquet"))
    with pytest.raises(UserError, match=r"again\.parquet: is parquet, but not a kl_derail"):
        read_episodes(tmp_path / "again.parquet")


def test_footer_says_whose_it_is(tmp_path: Path) -> None:
    info = read_info(write_episodes(tmp_path / "log.parquet", few()))
    assert (info.run_id, info.base_fingerprint, info.episodes) == ("run", "base-1", 3)
    assert info.schema_version == 2


def test_names() -> None:
    assert update_path("runs/a", 12) == Path("runs/a/transcripts/update-000012.parquet")
    assert named_path("runs/a", "base").name == "base.parquet"
    with pytest.raises(ValueError, match="evaluation has a name of its own"):
        update_path("runs/a", -1)
    for name in ("", "a/b", ".hidden", ".."):
        with pytest.raises(ValueError, match="needs a plain file name"):
            named_path("runs/a", name)


def test_a_run_a_folder_and_a_list(tmp_path: Path) -> None:
    parts = {update: few(update=update) for update in (0, 1, 12)}
    paths = [write_episodes(update_path(tmp_path, each), parts[each]) for each in parts]
    evaluated = few(1, update=-1)
    write_episodes(named_path(tmp_path, "evaluation"), evaluated)
    everything = evaluated + parts[0] + parts[1] + parts[12]
    assert same(read_episodes(tmp_path), everything)
    assert same(read_episodes(tmp_path / "transcripts"), everything)
    assert same(read_episodes(paths[:2]), parts[0] + parts[1])
    assert same(read_episodes([tmp_path, *paths]), everything)
    assert same(read_episodes(tmp_path, update=12), parts[12])
    assert same(read_episodes(str(tmp_path), update=-1), evaluated)
    assert read_episodes(tmp_path, update=7) == []


def test_update_picks_rows_of_a_file(tmp_path: Path) -> None:
    mixed = [make_episode(TURNS, update=update) for update in (0, 3, 0, 3)]
    path = write_episodes(tmp_path / "log.parquet", mixed)
    assert same(read_episodes(path, update=3), [mixed[1], mixed[3]])


def test_reading_is_lazy(tmp_path: Path) -> None:
    for update in (0, 1):
        write_episodes(update_path(tmp_path, update), few(update=update))
    found = iter_episodes(tmp_path)
    assert next(found).update == 0
    second = update_path(tmp_path, 1)
    second.write_bytes(second.read_bytes()[:100])
    with pytest.raises(UserError, match="update-000001"):
        list(found)


def test_mixed_bases_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    one = write_episodes(tmp_path / "one.parquet", few())
    two = write_episodes(tmp_path / "two.parquet", few(base_fingerprint="base-2"))
    with pytest.raises(UserError, match=r"two\.parquet: base model base-2 .* base-1 of .*one"):
        iter_episodes([one, two])
    assert len(read_episodes([one, two], allow_mixed=True)) == 6


@pytest.mark.parametrize("column", ["run_id", "base_fingerprint"])
def test_one_file_one_run_one_base(tmp_path: Path, column: str) -> None:
    with pytest.raises(ValueError, match=f"one file, one {column}"):
        write_episodes(tmp_path / "log.parquet", few() + few(3, **{column: "other"}))
    with pytest.raises(ValueError, match="no episodes to write"):
        write_episodes(tmp_path / "log.parquet", [])
    assert not any(tmp_path.iterdir())


WHOLE = few()


def file_bytes() -> bytes:
    """The bytes of a valid file."""
    with tempfile.TemporaryDirectory() as folder:
        return write_episodes(Path(folder) / "a.parquet", WHOLE).read_bytes()


BYTES = file_bytes()


def read_bytes(data: bytes) -> list[Episode]:
    """Read a file of these bytes, called damaged.parquet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.parquet"
        path.write_bytes(data)
        return read_episodes(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(BYTES) - 1))
def test_truncated_anywhere(size: int) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*damaged\.parquet: not a whole [^\n]*$"):
        read_bytes(BYTES[:size])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_harmless(place: int, flip: int) -> None:
    damaged = bytearray(BYTES)
    damaged[place] ^= flip
    try:
        found = read_bytes(bytes(damaged))
    except UserError:
        return
    assert same(found, WHOLE)


def test_missing_empty_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.parquet: no such transcript file"):
        read_episodes(tmp_path / "gone.parquet")
    with pytest.raises(UserError, match=r"holds no transcripts"):
        read_episodes(tmp_path)
    with pytest.raises(UserError, match="no transcript file was named"):
        read_episodes([])
    (tmp_path / "notes.parquet").write_text("not parquet at all, but long enough")
    with pytest.raises(UserError, match=r"notes\.parquet: not a whole transcript file"):
        read_episodes(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "notes.parquet")
    with pytest.raises(UserError, match=r"notes\.parquet: is parquet, but not a kl_derail"):
        read_episodes(tmp_path)


def test_other_version_and_other_columns(tmp_path: Path) -> None:
    path = write_episodes(tmp_path / "log.parquet", few())
    table = pq.read_table(path)
    metadata = table.schema.metadata
    newer = {**metadata, b"kl_derail.schema_version": b"9"}
    pq.write_table(table.replace_schema_metadata(newer), path)
    with pytest.raises(UserError, match=f"version 9, .* reads {columns_module.SCHEMA_VERSION}"):
        read_episodes(path)
    pq.write_table(table.drop_columns(["kl"]), path)
    with pytest.raises(UserError, match="its columns are not those of schema version 2"):
        read_episodes(path)


def test_rows_that_contradict_the_footer_or_themselves(tmp_path: Path) -> None:
    path = write_episodes(tmp_path / "log.parquet", few())
    table = pq.read_table(path)
    lying = {**table.schema.metadata, b"kl_derail.base_fingerprint": b"base-2"}
    pq.write_table(table.replace_schema_metadata(lying), path)
    with pytest.raises(UserError, match="rows and its footer disagree"):
        read_episodes(path)
    place = table.schema.get_field_index("length")
    wrong = table.set_column(place, table.schema.field(place), pa.array([1, 2, 3], pa.int32()))
    pq.write_table(wrong, path)
    with pytest.raises(UserError, match=r"log\.parquet.*tokens \(length\)"):
        read_episodes(path)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_episodes(tmp_path / "log.parquet", few(2))
    with (
        mock.patch.object(os, "fsync", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        write_episodes(path, few(3))
    assert len(read_episodes(path)) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["log.parquet"]


def test_partial_files_of_a_killed_writer_are_not_read(tmp_path: Path) -> None:
    path = write_episodes(update_path(tmp_path, 0), few())
    (path.parent / ".update-000001.parquet.77.partial").write_bytes(BYTES[:50])
    (path.parent / ".hidden.parquet").write_bytes(BYTES[:50])
    assert find_files(tmp_path) == [path]


def test_fast_enough_to_run_every_update(tmp_path: Path) -> None:
    """64 chats of 256 tokens: 52 ms to write on a busy machine; CPU time is what is bounded."""
    batch = [long_episode(seed=n, episode=n) for n in range(64)]
    write_episodes(tmp_path / "log.parquet", batch)
    times = []
    for _ in range(5):
        start = time.process_time()
        write_episodes(tmp_path / "log.parquet", batch)
        times.append(time.process_time() - start)
    assert min(times) < 0.1


def test_readers_import_neither_datasets_nor_torch() -> None:
    code = (
        "import sys, kl_derail.transcripts as t;"
        "print(*(name for name in ('datasets', 'torch', 'scipy') if name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
