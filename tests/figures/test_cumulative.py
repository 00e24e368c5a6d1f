"""Figure 2 by hand."""

from __future__ import annotations

import pytest

from kl_derail.figures.cumulative import draw, table
from kl_derail.figures.panels import Choices
from kl_derail.plumbing.style import styled
from tests.figures.factories import base_episode, key, quiet, study, talking

AGENT, BASE = key(), key("base", 0.0)
STUDY = study(
    (BASE, {"base-1": [base_episode()]}), (AGENT, {"a": [quiet(0), talking(1)], "b": [quiet(0)]})
)


def test_table() -> None:
    rows = table(STUDY, Choices())
    assert {row.key for row in rows} == {AGENT}
    assert [row.nth for row in rows if row.run == "a"] == [*range(9), 0]
    last = rows[-1]
    assert (last.run, last.episode, last.nth) == ("b", 0, 8)
    assert (last.kl, last.cumulative_kl) == (0.25, pytest.approx(2.0))


def test_short_turns_are_another_table() -> None:
    assert max(row.nth for row in table(STUDY, Choices("short"))) == 8
    only_talk = study((AGENT, {"a": [talking(nats=1.0)]}))
    assert [row.nth for row in table(only_talk, Choices())] == [0]
    assert [row.nth for row in table(only_talk, Choices("short"))][-1] > 0


def test_a_line_an_episode() -> None:
    with styled():
        figure = draw(table(STUDY, Choices()), Choices())
    (axes,) = figure.axes
    (lines,) = axes.collections
    assert [len(each) for each in lines.get_segments()] == [9, 1, 9]
    assert "2 of 3 episodes, 2 runs" in axes.get_title(loc="left")
    assert axes.lines[0].get_ydata()[0] == 10.0  # the budget


def test_no_budget_has_no_line() -> None:
    endless = key("scripted:x", float("inf"))
    with styled():
        figure = draw(table(study((endless, {"a": [quiet()]})), Choices()), Choices())
    assert not figure.axes[0].lines


def test_no_data() -> None:
    rows = table(study((BASE, {"b": [base_episode()]})), Choices())
    assert rows == []
    assert "no data: no evaluation episodes" in draw(rows, Choices()).texts[0].get_text()
