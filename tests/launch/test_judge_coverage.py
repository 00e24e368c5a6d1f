"""The coverage study in miniature, and its simulated judge against the real statistics."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.judge.statistics import effective_pairs, pair_scores
from kl_derail.judge.verdicts import Judgement, Verdict

SCRIPT = Path(__file__).parents[2] / "launch" / "judge_coverage.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_the_truth_is_what_many_pairs_give(script: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    for case in script["SCENARIOS"]:
        scores = script["draw_scores"](case, 400, 250, rng)
        error = np.nanstd(scores) / np.sqrt((~np.isnan(scores)).sum())
        assert np.nanmean(scores) == pytest.approx(case.truth, abs=5 * error)


def test_scores_are_those_of_the_statistics(script: dict[str, Any]) -> None:
    """Means over what was said, as `pair_scores` makes them of judgements."""
    rng = np.random.default_rng(1)
    answers = rng.choice([0.0, 0.5, 1.0, np.nan], size=(60, 2, 3))
    words = {0.0: Verdict.B, 0.5: Verdict.TIE, 1.0: Verdict.A}
    judgements = [
        Judgement("x", "q", pair, bool(order), repeat, f"a{pair}", f"b{pair}", verdict)
        for (pair, order, repeat), value in np.ndenumerate(answers)
        for verdict in [words.get(value, Verdict.UNREADABLE)]
    ]
    said = ~np.isnan(answers)
    by_order = script["_mean"](answers, said)
    scores = script["_mean"](by_order, said.any(-1))[said.any((-1, -2))]
    assert scores == pytest.approx(pair_scores(judgements).scores)


@pytest.mark.parametrize(
    "case",
    [
        {"accuracy": 0.75},
        {"accuracy": 0.6, "hard": True, "first": 0.2},
        {"accuracy": 0.5, "ties": 0.4},
    ],
    ids=str,
)
def test_intervals_hold_the_truth(script: dict[str, Any], case: dict[str, Any]) -> None:
    """Wilson 95 % +- 1 %, the bootstrap at least 93 %; five standard errors more are allowed."""
    judge = script["Scenario"](**case)
    scores = script["draw_scores"](judge, 300, 4000, np.random.default_rng(5))
    worth = effective_pairs(scores, np.ones_like(scores))
    held = script["wilson_holds"](scores, judge.truth, worth).mean()
    assert held == pytest.approx(0.95, abs=0.01 + 5 * np.sqrt(0.05 * 0.95 / 4000))
    found = script["measure"](judge, pairs=300, simulations=150, seed=6)
    assert found.bootstrap >= 0.93 - 5 * np.sqrt(0.07 * 0.93 / 150)


def test_neither_pairs_nor_answers_are_tosses(script: dict[str, Any]) -> None:
    case = script["Scenario"](0.6, hard=True)
    scores = script["draw_scores"](case, 300, 3000, np.random.default_rng(2))
    for n, low, high in ((300, 0.97, 1.0), (600, 0.0, 0.935)):
        assert low < script["wilson_holds"](scores, case.truth, n).mean() <= high


def test_goes_on_where_it_stopped(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = script["main"]
    arguments = ["--pairs", "20", "--simulations", "5", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["judge_coverage.py", *arguments])
    monkeypatch.setitem(main.__globals__, "SCENARIOS", script["SCENARIOS"][:3])
    main()
    whole = (tmp_path / "coverage.json").read_text()
    rows = json.loads(whole)
    assert len(rows) == 3
    (tmp_path / "coverage.json").write_text(json.dumps([{**rows[0], "wilson": -1.0}, rows[1]]))
    main()
    again = json.loads((tmp_path / "coverage.json").read_text())
    assert again[0]["wilson"] == -1.0
    assert again[1:] == rows[1:]
    assert "of 3 scenarios" in (tmp_path / "coverage.md").read_text()


def run(script: dict[str, Any], monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> Any:
    """All rows of the file after such a run of three scenarios."""
    main = script["main"]
    monkeypatch.setattr(sys, "argv", ["judge_coverage.py", "--out", str(out), *words])
    monkeypatch.setitem(main.__globals__, "SCENARIOS", script["SCENARIOS"][:3])
    main()
    return json.loads((out / "coverage.json").read_text())


SMALL = ("--simulations", "5", "--pairs", "20")


def test_what_was_measured_is_kept(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of other sizes, and after a gap at which the next run is interrupted."""
    rows = run(script, monkeypatch, tmp_path, *SMALL)
    both = run(script, monkeypatch, tmp_path, "--simulations", "5", "--pairs", "10")
    assert len(both) == 6
    assert all(row in both for row in rows)
    assert "5 simulations of 10 pairs" in (tmp_path / "coverage.md").read_text()
    file = tmp_path / "coverage.json"
    file.write_text(json.dumps([rows[0], rows[2]]))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(script["main"].__globals__, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(script, monkeypatch, tmp_path, *SMALL)
    assert json.loads(file.read_text()) == [rows[0], rows[2]]
    monkeypatch.undo()
    assert run(script, monkeypatch, tmp_path, *SMALL) == rows


@pytest.mark.parametrize("content", ["{", "[1]", "{}x", '[{"wilson": 0.9}]', '{"a": 1}', "\xff"])
def test_a_damaged_file_is_told_and_left_alone(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = tmp_path / "coverage.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=r"coverage\.json: is damaged"):
        run(script, monkeypatch, tmp_path, *SMALL)
    assert file.read_text(encoding="latin-1") == content


@pytest.mark.parametrize(
    "words", [("--simulations", "0"), ("--simulations", "-2"), ("--pairs", "0")]
)
def test_nothing_to_simulate(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    with pytest.raises(UserError, match=f"found {words[1]}, allowed 1 or more"):
        run(script, monkeypatch, tmp_path, *words)


def test_the_committed_numbers_are_those_of_the_scenarios(script: dict[str, Any]) -> None:
    """So that the script does not measure them again, and reports them all."""
    folder = SCRIPT.parents[1] / "results" / "judge"
    rows = script["read"](folder / "coverage.json")
    assert len(rows) == len(script["SCENARIOS"])
    assert script["report"](rows) == (folder / "coverage.md").read_text()
