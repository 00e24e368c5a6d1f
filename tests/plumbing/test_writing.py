"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.plumbing.writing import check_free, replacing


def test_the_file_appears_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def fail_half_way(path: Path) -> None:
    path.write_text("half")
    raise ZeroDivisionError


def test_what_stood_there_survives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        fail_half_way(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "page.html"
    with pytest.raises(UserError, match=r"page\.html: cannot be written"), replacing(path):
        raise AssertionError("never begun")


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    check_free("html", path, overwrite=False)
    path.write_text("")
    check_free("html", path, overwrite=True)
    with pytest.raises(UserError, match=r"html: .*page\.html exists; .*--overwrite"):
        check_free("html", path, overwrite=False)
    with pytest.raises(UserError, match="is a folder"):
        check_free("html", tmp_path, overwrite=True)
    with pytest.raises(UserError, match="is no regular file"):
        check_free("html", Path(os.devnull), overwrite=True)
