"""A judge held against the truth, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kl_derail.judge.agreement import Agreement, agreements, remove_agreement, write_agreement
from kl_derail.plumbing.statistics import wilson
from tests.judge.judgements import ALWAYS_FIRST, answers, shown


def by_order(rows: list[Agreement], comparison: str = "A vs B") -> dict[str, Agreement]:
    return {row.order: row for row in rows if row.comparison == comparison}


def test_by_hand() -> None:
    truth = answers(["aa", "aa", "bb", "bb", "tt", "??", "ab"])
    judge = answers(["aa", "ab", "ba", "tt", "aa", "aa", "aa"])
    found = by_order(agreements(judge, truth))
    both = found["both"]
    assert (both.pairs, both.answers, both.without_truth) == (4, 8, 3)
    assert both.accuracy == pytest.approx((1 + 0.5 + 0.5 + 0.5) / 4)
    assert found["A first"].accuracy == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert found["B first"].accuracy == pytest.approx((1 + 0 + 0 + 0.5) / 4)


def test_the_interval_is_wilsons_over_pairs() -> None:
    truth = answers(["aa"] * 30)
    found = by_order(agreements(answers(["aa"] * 24 + ["bb"] * 6), truth))["both"]
    assert (found.accuracy, found.low, found.high, found.pairs) == pytest.approx(wilson(24, 30))


def test_the_truth_agrees_with_itself_and_its_opposite_never() -> None:
    truth = answers(["aa", "bb", "aa"])
    perfect = by_order(agreements(truth, truth))["both"]
    assert (perfect.accuracy, perfect.kappa) == (1.0, 1.0)
    wrong = by_order(agreements(answers(["bb", "aa", "bb"]), truth))["both"]
    assert (wrong.accuracy, wrong.kappa) == (0.0, -1.0)


def test_kappa_by_hand() -> None:
    """(observed - expected) / (1 - expected) of answers in terms of what was shown first."""
    truth = answers(["aa"] * 10)
    judge = answers(["aa"] * 6 + ["ba"] * 3 + ["tb"])
    # Shown first: the truth says 1, 2 for every pair; the judge 1, 2 (6 times), 2, 2 (3), tie, 1.
    expected = (10 / 20) * (7 / 20) + (10 / 20) * (12 / 20)
    observed = (6 + 6 + 3) / 20
    found = by_order(agreements(judge, truth))["both"]
    assert found.kappa == pytest.approx((observed - expected) / (1 - expected))


def test_a_position_bias_shows_by_order() -> None:
    found = by_order(agreements(answers([ALWAYS_FIRST] * 20), answers(["aa"] * 20)))
    assert [found[order].accuracy for order in ("both", "A first", "B first")] == [0.5, 1.0, 0.0]
    assert found["both"].kappa == 0.0
    assert math.isnan(found["A first"].kappa)


def test_all_comparisons_together_and_qualities_with_a_truth_only() -> None:
    truth = [*answers(["aa"] * 3), *answers(["bb"] * 5, comparison="C vs D", a="c", b="d")]
    judge = [*truth, *answers(["aa"] * 3, quality="kinder")]
    rows = agreements(judge, truth)
    assert {(row.comparison, row.quality) for row in rows} == {
        (name, "better") for name in ("all", "A vs B", "C vs D")
    }
    assert by_order(rows, "all")["both"].answers == 16


def test_nothing_known_and_nothing_read() -> None:
    assert agreements(answers(["aa"]), []) == []
    assert agreements(answers(["??"]), answers(["aa"])) == []


def test_files(tmp_path: Path) -> None:
    found = write_agreement(answers(["aa", "ab"]), answers(["aa", "aa"]), tmp_path)
    assert "75.0" in shown(found)
    assert "75.0" in (tmp_path / "agreement.md").read_text()
    assert len((tmp_path / "agreement.csv").read_text().splitlines()) == 4
    remove_agreement(tmp_path)
    remove_agreement(tmp_path)
    assert not list(tmp_path.iterdir())
