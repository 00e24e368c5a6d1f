"""CSV: exact numbers, flat names, whole files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from kl_derail.plumbing.csv_tables import write_csv


class Inner(NamedTuple):
    a: str
    b: float


class Outer(NamedTuple):
    inner: Inner
    c: int


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [
        Outer(Inner('say "hi",\nthen $x$ ⏎ 語', 0.1 + 0.2), 1),
        Outer(Inner("", float("nan")), -2),
        Outer(Inner("x", float("inf")), 3),
    ]
    write_csv(path, Outer, rows)
    with path.open(encoding="utf-8", newline="") as file:
        first, second, third = csv.DictReader(file)
    assert first == {"a": rows[0].inner.a, "b": repr(0.1 + 0.2), "c": "1"}
    assert second == {"a": "", "b": "", "c": "-2"}
    assert third["b"] == "inf"
    assert list(tmp_path.iterdir()) == [path]


def test_no_rows_are_a_header(tmp_path: Path) -> None:
    assert write_csv(tmp_path / "t.csv", Outer, []).read_text() == "a,b,c\n"


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", Outer, [Outer(Inner("old", 1.0), 1)])
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_csv(path, Outer, [Outer(Inner("\ud800", 1.0), 1)])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
