"""`kl-derail theory` from the flags to the files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from kl_derail.cli import main
from kl_derail.theory import command
from kl_derail.theory.solving import SolverError
from kl_derail.theory.statements import thm2
from kl_derail.theory.statements.base import Check, Result

CONFIGS = Path(__file__).parents[2] / "configs" / "theory"
FILES = [
    "conditionals.csv",
    "figure.pdf",
    "figure.png",
    "random-trees.csv",
    "result.json",
    "table.csv",
    "table.md",
]


def test_thm2_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "thm2"
    words = ["theory", "thm2", "--trees", "2", "--out", str(out)]
    out.mkdir()
    (out / "result.json").touch()
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    shown = capsys.readouterr().out
    assert "0.3375" in shown
    assert "VIOLATED" not in shown
    assert sorted(each.name for each in out.iterdir()) == FILES
    held = json.loads((out / "result.json").read_text())
    assert held["statement"] == "thm2"
    assert held["options"]["trees"] == 2
    assert held["holds"] is True
    assert all(check["holds"] for check in held["checks"])
    with (out / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["tvd"]) for row in rows] == pytest.approx([0.27, 0.27, 0.26, 0.2])
    assert "| A med | 0.4 | no | 0.27 | 0.27 |" in (out / "table.md").read_text()


def test_a_config_can_be_read_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(CONFIGS / "thm2.yaml")
    assert main(["theory", "thm2", "--config", config, "--trees", "1", "--budget", "0.2"]) == 0
    assert "0.3375" not in capsys.readouterr().out


class Row(NamedTuple):
    number: float
    about: str


def wrong() -> Result:
    rows = [Row(math.inf, "a|b"), Row(math.nan, "[red]")]
    return Result("A | wrong one", rows, [Check("x <= y", 2.0, "<=", 1.0)], details={"more": rows})


def test_a_violated_inequality_is_said_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = SimpleNamespace(Options=thm2.Options, run=lambda _: wrong(), draw=lambda _: figure())
    monkeypatch.setattr(command, "import_module", lambda _: module)
    assert main(["theory", "prop1", "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "VIOLATED: x <= y: 2 <= 1" in shown
    assert "[red]" in shown
    held = json.loads((tmp_path / "result.json").read_text())
    assert held["holds"] is False
    assert held["rows"] == [{"number": "inf", "about": "a|b"}, {"number": None, "about": "[red]"}]
    assert "| inf | a\\|b |" in (tmp_path / "table.md").read_text()


def test_a_solver_that_fails_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> Result:
        raise SolverError("the solver says: infeasible")

    module = SimpleNamespace(Options=thm2.Options, run=fail)
    monkeypatch.setattr(command, "import_module", lambda _: module)
    assert main(["theory", "thm2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_class_can_be_read_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(CONFIGS / "thm1.yaml")
    assert main(["theory", "thm1", "--config", config, "--lengths", "10", "20"]) == 0
    shown = capsys.readouterr().out
    assert "firmness (stands for v)" in shown
    assert "not applicable: the lengths span less than a factor of 10" in " ".join(shown.split())


@pytest.mark.parametrize("name", ["prop1", "thm1", "pessimism"])
def test_help_gives_one_default_an_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["theory", name, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("none listed: all within the limits (default: ") == 1
    assert all(option.count("(default") <= 1 for option in shown.split(" --"))


def figure() -> object:
    from kl_derail.plumbing.style import no_data

    return no_data("nothing")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["theory"], "allowed prop1, thm1"),
        (["theory", "thm3"], "did you mean thm"),
        (["theory", "thm2", "--trees", "0"], "allowed >= 1"),
        (["theory", "thm2", "--actions", "6", "--horizon", "4"], "found (A O)^H = 20736"),
        (["theory", "thm2", "--base", "0.5"], "allowed equal numbers"),
    ],
)
def test_mistakes(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_help_names_every_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["theory", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in command.STATEMENTS)
