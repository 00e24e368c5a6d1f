"""Figures: what they draw is what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kl_derail.plumbing.style import save_figure, styled
from kl_derail.pricing import Comparison, outcome, predict
from kl_derail.pricing.plots import comparison_figure, price_figure
from kl_derail.pricing.runs import Trained
from tests.inspect.factories import silent
from tests.pricing.factories import chat, price

SINGLE = price(chat(6.0, 1.0, 0.5), chat(8.0, 2.0), chat(7.0, 1.5))
DOUBLE = price(chat(9.0, 1.0), chat(9.5, 2.0), spacing="double")


def test_the_curves_are_the_prices() -> None:
    single, total, start = price_figure([SINGLE, DOUBLE]).axes
    line, other = single.get_lines()
    assert line.get_ydata().tolist() == [SINGLE.turn(1).estimate, SINGLE.turn(2).estimate]
    assert other.get_linestyle() != line.get_linestyle()
    assert other.get_color() == line.get_color()
    assert total.get_lines()[0].get_ydata()[-1] == pytest.approx(SINGLE.cumulative(2).estimate)
    assert start.get_lines()[0].get_ydata()[-1] == pytest.approx(SINGLE.episode.estimate)
    assert start.get_ylabel().startswith("expected cost")
    assert all("nats" in axis.get_ylabel() for axis in (single, total, start))
    assert "n = 3" in str(line.get_label())


def test_behaviours_have_colours_of_their_own() -> None:
    figure = price_figure([SINGLE, price(chat(9.0), behaviour="copy")])
    silent_line, copy_line = figure.axes[0].get_lines()
    assert silent_line.get_color() != copy_line.get_color()


def row(budget: float, length: int = 256) -> Comparison:
    learned = outcome([silent(6)] * 3)
    told = predict([SINGLE], budget)
    return Comparison(Trained("run", "agent", "base-1", length, length, budget, learned), told)


def test_predictions_beside_what_was_learned() -> None:
    figure = comparison_figure(
        [SINGLE, price(chat(1.0), length=512)], [row(3.0), row(20.0), row(20.0, 512)]
    )
    assert len(figure.axes) == 2
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 9]
    for line, name in zip(lines, ("pays_episode", "pays_first"), strict=True):
        truth = [getattr(predict([SINGLE], nats), name) for nats in line.get_xdata()]
        np.testing.assert_array_equal(line.get_ydata(), truth)
    points = [(c.lines[0].get_xdata()[0], c.lines[0].get_mfc()) for c in figure.axes[0].containers]
    assert {budget for budget, _ in points} == {3.0, 20.0}
    assert {colour == "white" for budget, colour in points if budget == 3.0} == {True}
    assert {colour == "white" for budget, colour in points if budget == 20.0} == {False}


@pytest.mark.parametrize("name", ["silent", "repeat:$x_$", "repeat:<&>\x1b[0m\u202e"])
def test_any_name_can_be_drawn(tmp_path: Path, name: str) -> None:
    with styled():
        figure = price_figure([price(chat(2.0), chat(3.0), behaviour=name)])
        save_figure(figure, tmp_path / "price")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["price.pdf", "price.png"]
    assert (tmp_path / "price.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "price.pdf").read_bytes().startswith(b"%PDF")


def test_a_script_that_never_had_the_word(tmp_path: Path) -> None:
    with styled():
        figure = price_figure([price(chat())])
        save_figure(figure, tmp_path / "price")
    assert not any(axis.get_lines() for axis in figure.axes)
