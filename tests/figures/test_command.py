"""The command: seven figures of any runs, nothing overwritten, mistakes in one line."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from kl_derail.config import run_command
from kl_derail.figures.command import DRAWINGS, figures_command
from kl_derail.figures.panels import Choices
from kl_derail.figures.study import read_study
from kl_derail.plumbing.style import styled
from kl_derail.transcripts import named_path
from tests.figures.factories import base_episode, entry, quiet, talking, write_run

NAMES = [
    "1-transcripts",
    "2-cumulative-kl",
    "3-nth-turn-kl",
    "4-fraction-of-turns",
    "5-repeated-ngrams",
    "6-training",
    "7-silence",
]


def figures(*words: object) -> int:
    return run_command("figures", lambda: figures_command([str(word) for word in words]))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    files = {
        "agent": [*(quiet(each) for each in range(6)), talking(6, nats=1.0)],
        "base": [base_episode(each) for each in range(5)],
        "update-000001": [talking(update=1, nats=1.0)],
    }
    return write_run(tmp_path / "run", files, [entry(1), entry(2)], length=quiet().length)


def test_everything(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    assert figures(run, "--out", out, "--dpi", 60) == 0
    expected = {f"{name}.{ending}" for name in NAMES for ending in ("csv", "png", "pdf")}
    assert {each.name for each in out.iterdir()} == expected
    said, warned = capsys.readouterr()
    assert set(said.split()) == {str(out / each) for each in expected}
    assert warned == ""
    for name in NAMES:
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) > 3, name
        head = (out / f"{name}.png").read_bytes()[:24]
        width, height = struct.unpack(">II", head[16:])
        assert width == 405  # 6.75 inches
        assert height > 60


def test_the_same_runs_give_the_same_bytes(run: Path, tmp_path: Path) -> None:
    chosen = ("--only", 1, 7, "--dpi", 60)
    for name in ("a", "b"):
        assert figures(run, "--out", tmp_path / name, *chosen) == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_nothing_is_replaced_without_being_asked(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    kept = out / "7-silence.pdf"
    kept.write_text("mine")
    assert figures(run, "--out", out) == 2
    assert capsys.readouterr().err == (
        f"kl-derail figures: error: out: {kept} exists; choose another name or --overwrite it\n"
    )
    assert list(out.iterdir()) == [kept]
    assert figures(run, "--out", out, "--only", 7, "--overwrite") == 0
    assert kept.read_bytes().startswith(b"%PDF")


def test_a_run_that_has_only_begun_says_so(tmp_path: Path) -> None:
    empty = write_run(tmp_path / "run", {})
    assert figures(empty, "--out", tmp_path / "out", "--only", 6, "--dpi", 60) == 0
    assert len((tmp_path / "out" / "6-training.csv").read_text().splitlines()) == 1
    study = read_study([empty], pytest.fail)
    for drawing in DRAWINGS:
        rows = drawing.table(study, Choices())
        assert rows == []
        assert drawing.draw(rows, Choices()).texts[0].get_text().startswith("no data: no ")


@pytest.mark.parametrize("budget", [0.0, float("inf")])
def test_one_episode_of_any_budget(tmp_path: Path, budget: float) -> None:
    files = {"agent": [quiet(budget=budget)], "update-000003": [quiet(update=3, budget=budget)]}
    run = write_run(tmp_path / "run", files, [entry(3, budget=None)], budget=budget)
    study = read_study([run], pytest.fail)
    for drawing in DRAWINGS:
        with styled():
            figure = drawing.draw(drawing.table(study, Choices()), Choices())
            figure.draw_without_rendering()


def test_damaged_transcripts_are_one_line_each(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named_path(run, "base").write_bytes(b"PAR1 nonsense")
    assert figures(run, "--out", tmp_path / "out", "--only", 7, "--dpi", 60) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kl-derail figures: left out: ")
    assert "base.parquet" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "run: nowhere is no folder of a run"),
        ([], "--runs is required"),
        (["RUN", "--base", "other"], "base: found other, allowed models/tiny"),
        (["RUN", "--only", "8"], "--only"),
        (["RUN", "--turns", "blank"], "allowed empty, short"),
        (["RUN", "--out", "FILE/below"], "cannot be written"),
    ],
)
def test_mistakes_are_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("")
    places = {"RUN": str(run), "FILE": str(tmp_path / "file")}
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    assert figures(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_figures_have_different_names() -> None:
    assert [each.name for each in DRAWINGS] == NAMES


def test_the_command_is_there_without_loading_matplotlib() -> None:
    """Options are parsed and refused before anything slow is imported."""
    code = (
        "import sys; from kl_derail.figures import command;"
        "sys.exit('matplotlib' in sys.modules or 'scipy' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
