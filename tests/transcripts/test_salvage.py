"""Damaged files: what can be read is, what cannot is named once, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.transcripts import Episode, episodes_equal, write_episodes
from kl_derail.transcripts.salvage import SPARE, read_valid
from kl_derail.transcripts.store import ROW_GROUP
from tests.transcripts.factories import long_episode

WRITTEN = [long_episode(64, candidates=3, seed=n, episode=n, update=n) for n in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_episodes(tmp_path / "log.parquet", WRITTEN)


def spoil(path: Path, column: str, group: int = 0) -> None:
    """Overwrite the middle of a column's data in a row group on the disk."""
    metadata = pq.read_metadata(path).row_group(group)
    chunks = (metadata.column(place) for place in range(metadata.num_columns))
    chunk = next(each for each in chunks if each.path_in_schema.split(".")[0] == column)
    data = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    data[middle : middle + 4] = bytes(byte ^ 0xFF for byte in data[middle : middle + 4])
    path.write_bytes(bytes(data))


def without(episode: Episode, *names: str) -> Episode:
    """The episode as if these columns had not been recorded."""
    blank = {name: [] if "top_" in name else np.full(episode.length, np.nan) for name in names}
    return Episode.from_columns({**episode.columns(), **blank})


def test_a_whole_file_is_read_in_silence(path: Path) -> None:
    warnings: list[str] = []
    assert all(map(episodes_equal, read_valid(path, warnings.append), WRITTEN))
    assert [each.update for each in read_valid(path, warnings.append, update=1)] == [1]
    assert not warnings


@pytest.mark.parametrize("column", SPARE)
def test_a_column_that_can_be_spared(path: Path, column: str) -> None:
    spoil(path, column)
    warnings: list[str] = []
    found = read_valid(path, warnings.append)
    source = column.removesuffix("_ids").removesuffix("_log_probs")
    lost = [f"{source}_ids", f"{source}_log_probs"] if "top_" in column else [column]
    wanted = [without(each, *lost) for each in WRITTEN]
    assert len(found) == len(wanted)
    assert all(map(episodes_equal, found, wanted))
    (warning,) = warnings
    assert warning.startswith(f"{path}: not a whole transcript file (")
    assert warning.endswith(f"; 3 of its 3 episodes can be read without {', '.join(lost)}")
    assert "\n" not in warning


@pytest.mark.parametrize("column", ["kl", "token_text", "turn_reward", "episode", "base_log_prob"])
def test_a_column_that_cannot(path: Path, column: str) -> None:
    spoil(path, column)
    with pytest.raises(UserError, match=r"log\.parquet: not a whole transcript file"):
        read_valid(path, pytest.fail)


MANY = [long_episode(32, candidates=1, seed=n, episode=n) for n in range(2 * ROW_GROUP + 3)]
FIRST, SECOND, LAST = MANY[:ROW_GROUP], MANY[ROW_GROUP:-3], MANY[-3:]


@pytest.mark.parametrize(
    ("damage", "expected", "said"),
    [
        ({0: "kl"}, [*SECOND, *LAST], "67 of its 131 episodes can be read"),
        ({1: "token_id", 2: "run_id"}, FIRST, "64 of its 131 episodes can be read"),
        (
            {1: "value"},
            [*FIRST, *(without(each, "value") for each in SECOND), *LAST],
            "131 of its 131 episodes can be read, some without value",
        ),
        (
            {0: "kl", 1: "kl", 2: "alpha"},
            [without(each, "alpha") for each in LAST],
            "3 of its 131 episodes can be read without alpha",
        ),
    ],
)
def test_damage_to_a_row_group_leaves_the_others(
    tmp_path: Path, damage: dict[int, str], expected: list[Episode], said: str
) -> None:
    path = write_episodes(tmp_path / "log.parquet", MANY)
    for group, column in damage.items():
        spoil(path, column, group)
    warnings: list[str] = []
    found = read_valid(path, warnings.append)
    assert len(found) == len(expected)
    assert all(map(episodes_equal, found, expected))
    (warning,) = warnings
    assert warning.endswith(f"; {said}")


def rewrite(path: Path, column: str, values: list[object]) -> None:
    """Replace a column by a rightly written one."""
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    field = table.schema.field(place)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)


def test_an_episode_that_contradicts_itself_is_left_out(path: Path) -> None:
    rewrite(path, "opening_tokens", [WRITTEN[0].opening_tokens, 99, WRITTEN[2].opening_tokens])
    warnings: list[str] = []
    found = read_valid(path, warnings.append)
    assert all(map(episodes_equal, found, [WRITTEN[0], WRITTEN[2]]))
    (warning,) = warnings
    assert warning.endswith("; 2 of its 3 episodes can be read")
    assert "episode 1" in warning
    assert read_valid(path, warnings.append, update=1) == []


def test_rows_of_another_base_are_left_out(path: Path) -> None:
    rewrite(path, "base_fingerprint", ["base-1", "base-1", "base-2"])
    warnings: list[str] = []
    assert len(read_valid(path, warnings.append)) == 2
    rewrite(path, "base_fingerprint", ["base-2"] * 3)
    with pytest.raises(UserError, match="disagree"):
        read_valid(path, pytest.fail)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(0, 10_000))
def test_a_file_without_its_end_holds_nothing(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    path = write_episodes(tmp_path_factory.mktemp("cut") / "log.parquet", WRITTEN[:1])
    data = path.read_bytes()
    path.write_bytes(data[: min(size, len(data) - 1)])
    with pytest.raises(UserError, match="not a whole transcript file"):
        read_valid(path, pytest.fail)


def test_missing_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such transcript file"):
        read_valid(tmp_path / "gone.parquet", pytest.fail)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "notes.parquet")
    with pytest.raises(UserError, match="not a kl_derail"):
        read_valid(tmp_path / "notes.parquet", pytest.fail)


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@example(place=0.3907792459543243, flip=32)  # a column came out shorter than the others
def test_nothing_is_made_up(
    place: float, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever byte is damaged, what is shown is what was written, or is said not to be there."""
    path = write_episodes(tmp_path_factory.mktemp("flip") / "log.parquet", WRITTEN)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(bytes(data))
    warnings: list[str] = []
    try:
        found = read_valid(path, warnings.append)
    except UserError:
        return
    lost = "".join(warnings).partition(" can be read without ")[2]
    wanted = [without(each, *filter(None, lost.split(", "))) for each in WRITTEN]
    assert found
    assert all(episodes_equal(each, wanted[each.episode]) for each in found)
