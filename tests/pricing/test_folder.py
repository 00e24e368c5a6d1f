"""The folder of a price list: what may be replaced, and what it then holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.pricing import Priced, read_prices
from kl_derail.pricing.costs import chat_cost
from kl_derail.pricing.folder import PARTIAL, PRICES, check_free, file_name, partial_folder
from kl_derail.pricing.folder import save as save_partial
from kl_derail.pricing.listing import Found
from kl_derail.transcripts import read_episodes
from tests.pricing.factories import price, scripted


def found(*names: str) -> Found:
    """What was measured of these behaviours."""
    episode = scripted([("", "", 6.0, 0.5), ("", "", 1.0, 0.5)], cut=False)

    def priced(name: str) -> Priced:
        cost = chat_cost(episode)
        return Priced((price(cost, cost, behaviour=name, length=episode.length),), [episode])

    return Found({(name, "single"): priced(name) for name in names}, priced("base"), {}, [])


def save(out: Path, what: Found, options: dict[str, int]) -> None:
    with partial_folder(out) as partial:
        save_partial(out, partial, what, options)


def test_a_new_folder_and_an_empty_one_are_free(tmp_path: Path) -> None:
    check_free(tmp_path, overwrite=False)
    check_free(tmp_path / "new" / "er", overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_files_are_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    """For instance those of a training run, which has transcripts of its own."""
    (tmp_path / "transcripts").mkdir()
    with pytest.raises(UserError, match="holds other files"):
        check_free(tmp_path, overwrite=overwrite)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is no folder"):
        check_free(tmp_path / "file", overwrite=overwrite)


def test_a_price_list_is_replaced_as_a_whole(tmp_path: Path) -> None:
    save(tmp_path, found("silent", "copy"), {"seed": 1})
    first = {each.name for each in (tmp_path / "transcripts").iterdir()}
    assert first == {"base.parquet", "silent-single.parquet", "copy-single.parquet"}
    with pytest.raises(UserError, match="--overwrite"):
        check_free(tmp_path, overwrite=False)
    check_free(tmp_path, overwrite=True)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "transcripts" / "mine.parquet").write_text("mine")
    save(tmp_path, found("praise"), {"seed": 2})
    assert {each.name for each in (tmp_path / "transcripts").iterdir()} == {
        "base.parquet", "praise-single.parquet", "mine.parquet",
    }  # fmt: skip
    (tmp_path / "transcripts" / "mine.parquet").unlink()
    assert [each.behaviour for each in read_prices(tmp_path / PRICES)] == ["praise", "base"]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(read_episodes(tmp_path)) == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"out: cannot write to the folder .*: Not a directory"),
        partial_folder(tmp_path / "file" / "list"),
    ):
        pytest.fail("it was made")


def contents(folder: Path) -> dict[str, bytes]:
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def test_an_old_list_outlives_a_new_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, found("silent"), {})
    before = contents(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kl_derail.pricing.folder.write_prices", full)
    with pytest.raises(UserError, match=r"out: .*cannot be written .No space left"):
        save(tmp_path, found("copy"), {})
    assert contents(tmp_path) == before


def test_a_list_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "er"
    with pytest.raises(UserError, match="x"), partial_folder(out):
        raise UserError("x")
    assert list(tmp_path.iterdir()) == []
    out.mkdir(parents=True)
    with pytest.raises(UserError, match="x"), partial_folder(out):
        raise UserError("x")
    assert list(out.iterdir()) == []


def test_a_partial_folder_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}killed").mkdir()
    check_free(tmp_path, overwrite=False)


@pytest.mark.parametrize("spacing", ["single", "../../../mine"])
def test_a_price_list_names_no_files_elsewhere(tmp_path: Path, spacing: str) -> None:
    """The list to be replaced may come from anyone."""
    out, mine = tmp_path / "out", tmp_path / "mine.parquet"
    mine.touch()
    save(out, found("silent"), {})
    listed = (out / PRICES).read_text().replace('"single"', f'"{spacing}"')
    (out / PRICES).write_text(listed)
    save(out, found("copy"), {})
    assert mine.exists()


def test_the_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("silent", "copy"):
        save(Path(), found(name), {})
    assert [each.behaviour for each in read_prices(Path(PRICES))] == ["copy", "base"]
    assert not any(each.name.startswith(PARTIAL) for each in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "spacing", "file"),
    [
        ("silent", "single", "silent-single"),
        ("base", "", "base"),
        ("python:a:b", "double", "python-a-b-"),
    ],
)
def test_file_names(name: str, spacing: str, file: str) -> None:
    assert file_name(name, spacing).startswith(file)


def test_odd_names_give_plain_and_different_files() -> None:
    names = ["repeat:../../x", "repeat:.. .. x", "repeat:Ü", "file:/etc/a b", "repeat:" + "y" * 300]
    every = [file_name(name, "single") for name in names]
    assert len(set(every)) == len(names)
    assert all(Path(name).name == name and len(name) < 80 for name in every)
