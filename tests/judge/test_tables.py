"""What the tables claim, and what they refuse to."""

from __future__ import annotations

import math

from kl_derail.judge.strengths import Strength
from kl_derail.judge.tables import markdown_report, rows_of, terminal_report
from kl_derail.judge.verdicts import Judgement
from tests.judge.judgements import ALWAYS_FIRST, answers, shown

SLIGHT = ["aa"] * 60 + ["bb"] * 38
"""60 of 98: p = 0.026 alone."""


def verdicts(judgements: list[Judgement]) -> list[str]:
    return [row.verdict for row in rows_of(judgements, seed=0)]


def test_a_difference_is_claimed_in_words() -> None:
    clear = [*answers(["aa"] * 40), *answers(["bb"] * 40, quality="kinder")]
    assert verdicts(clear) == ["A better", "B kinder"]


def test_what_the_interval_does_not_support_is_not_claimed() -> None:
    row = rows_of(answers(["aa"] * 55 + ["bb"] * 45), seed=0)[0]
    assert row.wilson_low < 0.5 < row.wilson_high
    assert row.verdict == "not told apart"


def test_many_comparisons_take_more_to_claim_one() -> None:
    alone = answers(SLIGHT)
    even = answers(["aa", "bb"] * 40, quality="kinder")
    row = rows_of(alone, seed=0)[0]
    assert row.verdict == "A better"
    assert row.wilson_low > 0.5
    assert verdicts([*alone, *even]) == ["not told apart", "not told apart"]
    assert rows_of([*alone, *even], seed=0)[0].holm_p == 2 * row.holm_p


def test_always_first_is_no_preference() -> None:
    row = rows_of(answers([ALWAYS_FIRST] * 300), seed=0)[0]
    assert (row.fraction, row.order_disagreement, row.first_shown) == (0.5, 1.0, 1.0)
    assert (row.verdict, row.pairs, row.answers, row.both_orders) == (
        "not told apart",
        300,
        600,
        300,
    )


def test_all_unreadable() -> None:
    row = rows_of(answers(["??"] * 9), seed=0)[0]
    assert (row.verdict, row.pairs, row.answers, row.unreadable) == (
        "no readable answer",
        0,
        18,
        18,
    )
    assert math.isnan(row.fraction)
    assert "18 of 18" in shown(terminal_report([row], []))
    assert "nan" not in markdown_report([row], []) + shown(terminal_report([row], []))


def test_one_pair_is_no_evidence() -> None:
    assert verdicts(answers(["aa"])) == ["not told apart"]


def test_rows_keep_the_order_in_which_comparisons_come() -> None:
    asked = [*answers(["aa"], comparison="z vs y"), *answers(["aa"], comparison="a vs b")]
    assert [row.comparison for row in rows_of(asked, seed=0)] == ["z vs y", "a vs b"]


def test_names_are_shown_and_never_obeyed() -> None:
    name = "<b>|\x1b[31m[red] vs \u202ebase"
    rows = rows_of(answers(["aa"] * 9, comparison=name, quality="[bold]good|"), seed=0)
    strength = Strength("[bold]good|", name, 0.0, math.nan, math.nan, 3)
    terminal, page = shown(terminal_report(rows, [strength])), markdown_report(rows, [strength])
    assert not any(each in terminal + page for each in "\x1b\u202e")
    assert "[red]" in terminal
    assert "<b>" not in page
    heads = [line for line in page.splitlines() if line.startswith("| &lt;b")]
    assert heads
    assert all(line.replace("\\|", "").count("|") == 13 for line in heads)


def test_why_there_is_no_strength_and_no_interval_is_said() -> None:
    strength = Strength("better", "x", 0.25, math.nan, math.nan, 3)
    found = [strength, "kinder: no strengths: so it is"]
    for report in (markdown_report([], found), shown(terminal_report([], found))):
        text = " ".join(report.split())
        assert "+0.25" in text
        assert "Fewer than 20 clusters" in text
        assert "no strengths: so it is" in text


def test_a_terminal_has_the_width_it_has() -> None:
    report = terminal_report(rows_of(answers(["aa"] * 9), seed=0), [])
    for width in (70, 120):
        lines = shown(report, width).splitlines()
        assert max(map(len, lines)) <= width
        assert any(len(line) > width - 20 for line in lines)
