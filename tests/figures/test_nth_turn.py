"""Figure 3 by hand."""

from __future__ import annotations

import numpy as np

from kl_derail.figures.nth_turn import FEW, draw, table
from kl_derail.figures.panels import Choices
from kl_derail.plumbing.style import styled
from tests.figures.factories import base_episode, key, quiet, study, talking

MANY = study(
    (key("base", 0.0), {"base-1": [base_episode()] * 9}),
    (key(), {"a": [quiet(number) for number in range(FEW)], "b": [talking()]}),
)


def test_table() -> None:
    rows = table(MANY, Choices())
    assert {row.key for row in rows} == {key()}
    assert [(row.quantile, row.nth) for row in rows] == [
        (level, nth) for level in (0.25, 0.5, 0.75) for nth in range(1, 9)
    ]
    assert {(row.kl, row.standard_error, row.episodes, row.runs) for row in rows} == {
        (0.25, 0.0, FEW, 2)
    }


def test_a_line_a_quartile() -> None:
    with styled():
        figure = draw(table(MANY, Choices()), Choices())
    (axes,) = figure.axes
    assert [each.get_label() for each in axes.lines] == [
        f"{level} quantile" for level in (0.75, 0.5, 0.25)
    ]
    for line in axes.lines:
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 9))
        np.testing.assert_array_equal(line.get_ydata(), np.full(8, 0.25))
    assert f"{FEW} to {FEW} episodes, 2 runs" in axes.get_title(loc="left")


def test_too_few_episodes_are_in_the_table_only() -> None:
    rows = table(study((key(), {"a": [quiet()]})), Choices())
    assert len(rows) == 24
    assert np.isnan([row.low for row in rows]).all()
    text = draw(rows, Choices()).texts[0].get_text()
    assert text.startswith(f"no data: no group has {FEW} evaluation episodes")


def test_no_empty_turn() -> None:
    rows = table(study((key(), {"a": [talking(number) for number in range(9)]})), Choices())
    assert rows == []
    assert "no data" in draw(rows, Choices()).texts[0].get_text()
