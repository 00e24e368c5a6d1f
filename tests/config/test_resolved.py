from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kl_derail import __version__
from kl_derail.config import as_mapping, save_resolved
from kl_derail.errors import UserError
from tests.config.examples import Output, Train, read

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ODD_TEXTS = (
    *("", "none", "None", "null", "~", "no", "1e-3", "0x10", "1:30", "2026-01-01", "=", "<<"),
    *("- a", "#", "a: b", " a ", "a\n", "\n", "\x85", "\u2028", "\ufeff", "\x07", "\udc80"),
    *("%", "'", '"', "!x", "&x", "*x", "a " * 100, "\ta\n b\n\n"),
)
TEXT = st.text(st.characters(codec="utf-8")) | st.sampled_from(ODD_TEXTS)
PATHS = st.sampled_from([Path("none"), Path("null"), Path("~x"), Path("a ")]) | (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
    .map(Path)
    .filter(lambda path: not str(path).startswith("~/"))
)
NOT_ZERO = st.floats(min_value=0, exclude_min=True, allow_infinity=False)

TRAIN = st.builds(
    Train,
    budget=NOT_ZERO,
    chats=st.integers(1, 4096),
    lr=NOT_ZERO,
    share=st.floats(0, 1, exclude_max=True),
    patience=st.floats(min_value=0),
    ramp_tokens=st.none() | st.integers(),
    accounting=st.sampled_from(["expected", "realised"]),
    bits=st.sampled_from([None, 4, 8]),
    any_number=FINITE,
)
OUTPUT = st.builds(
    Output,
    folder=PATHS,
    init_from=st.none() | PATHS,
    student_name=TEXT,
    note=st.none() | TEXT,
    resume=st.booleans(),
    plots=st.sampled_from([None, False, True]),
    trackers=st.lists(st.sampled_from(["tensorboard", "wandb"])),
    words=st.lists(TEXT),
    levels=st.lists(st.floats(0, 1)).map(tuple),
)


@given(train=TRAIN, output=OUTPUT)
@example(train=Train(patience=float("inf"), lr=5e-324), output=Output(words=[]))
def test_what_is_saved_is_read_back_exactly(train: Train, output: Output) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "resolved.yaml")
        save_resolved(path, train, output, command="train")
        again = read(f"--config={path}")
        assert again == (train, output)
        assert repr(again) == repr((train, output))


def test_a_preset_does_not_show_through_a_resolved_file(tmp_path: Path) -> None:
    path = tmp_path / "resolved.yaml"
    save_resolved(path, *read("--preset", "published", "--chats", "7"), command="train")
    assert read("--config", str(path)) == read("--preset", "published", "--chats", "7")


def test_flags_change_a_resolved_file(tmp_path: Path) -> None:
    path = tmp_path / "resolved.yaml"
    save_resolved(path, *read("--chats", "7"), command="train")
    assert read("--config", str(path), "--budget", "3")[0] == Train(chats=7, budget=3.0)


def test_the_file_says_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "resolved.yaml"
    save_resolved(path, Train(), command="train")
    head = path.read_text().splitlines()[0]
    assert head == f"# Resolved configuration of `kl-derail train`, kl_derail {__version__}."
    assert "budget: 20.0" in path.read_text().splitlines()
    assert [entry.name for entry in path.parent.iterdir()] == ["resolved.yaml"]


def test_it_replaces_an_older_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "resolved.yaml"
    path.write_text("x" * 100_000)
    save_resolved(path, Train(), command="train")
    assert yaml.safe_load(path.read_text())["chats"] == 64


def test_a_failed_write_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "resolved.yaml"
    path.write_text("chats: 3\n")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UserError, match=r"resolved\.yaml: cannot write this file: No space left"):
        save_resolved(path, Train(), command="train")
    assert path.read_text() == "chats: 3\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["resolved.yaml"]


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot write this file"):
        save_resolved(tmp_path / "taken" / "resolved.yaml", Train(), command="train")


def test_mapping_holds_plain_values_only() -> None:
    mapping = as_mapping(Train(), Output())
    assert mapping["folder"] == "runs/x"
    assert mapping["levels"] == [0.25, 0.75]
    assert json.loads(json.dumps(mapping)) == mapping
