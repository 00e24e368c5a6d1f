"""Figure 7 by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kl_derail.figures.panels import Choices
from kl_derail.figures.silence import SILENT, draw, table
from kl_derail.plumbing.statistics import wilson
from kl_derail.plumbing.style import styled
from kl_derail.transcripts.turns import counted_agent_turns
from tests.figures.factories import base_episode, key, quiet, study, talking

BASE, TEN, LONG = key("base", 0.0), key(), key(length=128, setting="trained at 64 tokens")
TALKING_TURNS = len(counted_agent_turns(talking()).start)
STUDY = study(
    (BASE, {"base-1": [base_episode()]}),
    (TEN, {"a": [quiet(0), talking(1)], "b": [quiet(0), quiet(1)]}),
    (LONG, {name: [quiet()] for name in "abc"}),
)


def test_table() -> None:
    rows = {(row.key, row.quantity, row.run): row.value for row in table(STUDY, Choices())}
    silent = rows[TEN, SILENT, ""]
    assert (silent.estimate, silent.interval) == (0.75, "none for two runs")
    assert math.isnan(silent.low)
    assert rows[TEN, SILENT, "a"].estimate == 0.5
    turns = rows[TEN, "empty turns", ""]
    assert turns.estimate == 24 / (24 + TALKING_TURNS)
    assert rows[LONG, SILENT, ""][:3] == wilson(3, 3)[:3]
    assert rows[LONG, SILENT, ""].interval == "Wilson over runs"
    assert (BASE, SILENT, "base-1") not in rows  # a single run is its group
    assert rows[BASE, SILENT, ""].estimate == 0


def test_published_short_turns() -> None:
    assert {row.quantity for row in table(STUDY, Choices("short"))} == {SILENT, "short turns"}


def test_drawing() -> None:
    with styled():
        figure = draw(table(STUDY, Choices()), Choices())
    silent, turns = figure.axes
    names = [tick.get_text() for tick in silent.get_xticklabels()]
    assert names == ["base\nn = 1 (1)", "agent, 10 nats\nn = 4 (2)\nn = 3 (3)"]
    points = [line.get_ydata()[0] for line in silent.lines if line.get_marker() == "."]
    assert sorted(points) == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert [each.get_label() for each in silent.containers] == [
        "64 tokens",
        "64 tokens",
        "128 tokens (trained at 64 tokens)",
    ]
    bars = [each.lines[2][0].get_paths()[0].vertices for each in silent.containers]
    assert [bool(np.isfinite(bar).all()) for bar in bars] == [True, False, True]  # two runs: none
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2
    assert turns.get_ylabel() == "fraction of empty turns"


def test_no_data() -> None:
    assert table(study(), Choices()) == []
    assert "no data" in draw([], Choices()).texts[0].get_text()
    one = table(study((BASE, {"b": [base_episode()]})), Choices())
    assert one[0].value.high == pytest.approx(wilson(0, 1).high)
    with styled():
        draw(one, Choices())
