"""The files of a report: whole, the same for the same answers, and never half replaced."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.report import write_report
from tests.judge.judgements import answers, shown

FILES = ("judge.pdf", "judge.png", "judgements.csv", "strengths.csv", "table.csv", "table.md")
JUDGEMENTS = [
    *answers(["aa"] * 30 + ["ab"] * 5, comparison="10 vs base"),
    *answers(["bb"] * 20 + ["tt"] * 5 + ["a?"], comparison="20 vs base"),
    *answers(["aa", "bb"] * 15, comparison="20 vs 10", quality="kinder"),
]


def digests(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def test_all_files_and_the_same_again(tmp_path: Path) -> None:
    text = shown(write_report(JUDGEMENTS, tmp_path / "out", seed=1))
    before = digests(tmp_path / "out")
    assert sorted(before) == list(FILES)
    assert shown(write_report(JUDGEMENTS, tmp_path / "out", seed=1)) == text
    assert digests(tmp_path / "out") == before
    assert "A better" in text


def test_tables_can_be_read_back(tmp_path: Path) -> None:
    write_report(JUDGEMENTS, tmp_path, seed=1)
    with (tmp_path / "judgements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == [each.verdict.value for each in JUDGEMENTS]
    with (tmp_path / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["quality"] for row in table] == ["better", "better", "kinder"]
    assert float(table[0]["fraction"]) == 32.5 / 35
    assert len((tmp_path / "strengths.csv").read_text().splitlines()) == 4


def test_the_order_of_the_answers_does_not_change_the_numbers(tmp_path: Path) -> None:
    write_report(JUDGEMENTS, tmp_path / "a", seed=1)
    turned = [
        each
        for label in ("10", "20 vs b", "20 vs 1")
        for each in reversed(JUDGEMENTS)
        if each.comparison.startswith(label)
    ]
    write_report(turned, tmp_path / "b", seed=1)
    for name in ("table.csv", "strengths.csv", "table.md", "judge.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_was_asked(tmp_path: Path) -> None:
    assert "comparison" in shown(write_report([], tmp_path, seed=0))
    assert (tmp_path / "judge.png").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out"):
        write_report(JUDGEMENTS, tmp_path / "out", seed=0)
    assert (tmp_path / "out").read_text() == "mine"
