"""Figure 4 by hand."""

from __future__ import annotations

import numpy as np

from kl_derail.figures.fractions import ECDF, PERCENTILES, draw, table
from kl_derail.figures.panels import Choices
from kl_derail.plumbing.style import GREY, styled
from kl_derail.transcripts import Episode, empty_turn_fraction
from tests.figures.factories import base_episode, key, quiet, study, talking
from tests.inspect.factories import TALK
from tests.transcripts.factories import make_episode

BASE, TEN, TWENTY = key("base", 0.0), key(), key(budget=20.0, length=128)


def half(number: int = 0) -> Episode:
    """One of two turns is empty."""
    turns = [*TALK, ("Teacher", ""), ("Student", "")]
    return make_episode(turns, opening_turns=1, episode=number, cut=False)


STUDY = study(
    (BASE, {"base-1": [base_episode()]}),
    (TEN, {"a": [talking(0), half(1), half(2), quiet(3)]}),
    (TWENTY, {"a": [quiet(0)], "b": [quiet(0)], "c": [half(0)]}),
)


def curve(key: object, name: str) -> dict[float, float]:
    rows = table(STUDY, Choices())
    return {r.x: r.value.estimate for r in rows if r.key == key and r.curve == name}


def test_the_factories_are_what_they_say() -> None:
    assert [empty_turn_fraction(each) for each in (talking(), half(), quiet())] == [0, 0.5, 1]


def test_ecdf_and_percentiles() -> None:
    ecdf = curve(TEN, ECDF)
    assert [ecdf[x] for x in (0.0, 0.48, 0.5, 0.98, 1.0)] == [0.25, 0.25, 0.75, 0.75, 1.0]
    percentiles = curve(TEN, PERCENTILES)
    assert [percentiles[x] for x in (0.0, 0.24, 0.26, 0.74, 0.76)] == [0, 0, 0.5, 0.5, 1.0]


def test_three_runs_are_averaged() -> None:
    assert curve(TWENTY, ECDF)[0.5] == 1 / 3
    values = [row.value for row in table(STUDY, Choices()) if row.key == TWENTY]
    found = {each.interval for each in values}
    assert found == {"t over runs", "Wilson over runs"}


def test_drawing() -> None:
    with styled():
        figure = draw(table(STUDY, Choices()), Choices())
    left, right = figure.subfigs[0].axes
    base, ten, twenty = left.lines
    assert base.get_color() == GREY
    assert len({base.get_color(), ten.get_color(), twenty.get_color()}) == 3
    assert ten.get_linestyle() != twenty.get_linestyle()  # another length
    assert ten.get_label() == "agent, 10 nats, 64 tokens; n = 4, 1 run"
    np.testing.assert_array_equal(ten.get_ydata(), list(curve(TEN, ECDF).values()))
    np.testing.assert_array_equal(
        right.lines[1].get_ydata(), list(curve(TEN, PERCENTILES).values())
    )


def test_episodes_without_turns_are_left_out() -> None:
    nothing = make_episode([("Teacher", " Hm")])
    assert table(study((TEN, {"a": [nothing]})), Choices()) == []
    assert "no data" in draw([], Choices()).texts[0].get_text()
    rows = table(study((TEN, {"a": [nothing, quiet()]})), Choices())
    assert {row.value.episodes for row in rows} == {1}
