"""Figure 5 by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.figures.panels import Choices
from kl_derail.figures.repetition import COUNT, FEW, KL, Row, draw, table
from kl_derail.plumbing.style import styled
from kl_derail.transcripts import Episode
from tests.figures.factories import base_episode, key, quiet, study
from tests.transcripts.factories import make_episode


def parrot(number: int = 0, **columns: object) -> Episode:
    """The agent says token 7 four times at once, for 1, 2, 3 and 4 nats."""
    plain = make_episode([("Teacher", " w w w w")], cut=True, opening_tokens=1, episode=number)
    ids = np.where(plain.agent_tokens, 7, 1)
    kl = np.where(plain.agent_tokens, np.arange(plain.length), 0.0)
    return Episode.from_columns(plain.columns() | {"token_id": ids, "kl": kl, **columns})


def values(rows: list[Row], quantity: str, n: int) -> list[float]:
    return [row.value for row in rows if row.quantity == quantity and row.n == n]


def test_table() -> None:
    rows = table(study((key(), {"a": [parrot(), parrot(1)]})), Choices())
    assert values(rows, COUNT, 1) == [1, 1, 1, 1]
    assert values(rows, KL, 1) == [1, 2, 3, 4]
    assert values(rows, COUNT, 3) == [1, 1]
    assert values(rows, KL, 3) == pytest.approx([6, 9])
    assert values(rows, COUNT, 4) == [1]
    assert values(rows, KL, 4) == []  # never repeated
    assert values(rows, COUNT, 5) == []
    assert {(row.episodes, row.runs) for row in rows} == {(2, 1)}


def test_across_turns_or_within() -> None:
    longest = [
        max(row.n for row in table(study((key(), {"a": [quiet()]})), Choices("empty", across)))
        for across in (False, True)
    ]
    assert longest == [4, 10]  # the opening's turn goes on for 4 tokens


def test_drawing() -> None:
    groups = (
        (key("base", 0.0), {"b": [base_episode(number) for number in range(FEW)]}),
        (key(), {"a": [parrot(number) for number in range(FEW)]}),
    )
    with styled():
        figure = draw(table(study(*groups), Choices()), Choices())
    _, base_kl, counts, kl = figure.axes
    assert "spends no KL" in base_kl.texts[0].get_text()
    np.testing.assert_array_equal(kl.lines[0].get_ydata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(counts.lines[2].get_xdata(), [1, 2])
    assert [each.get_label() for each in counts.lines] == [f"n = {n}" for n in range(1, 11)]


def test_no_data() -> None:
    assert "no data" in draw([], Choices()).texts[0].get_text()
    few = table(study((key(), {"a": [parrot()]})), Choices())
    assert "no data" in draw(few, Choices()).texts[0].get_text()
