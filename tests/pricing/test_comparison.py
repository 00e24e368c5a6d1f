"""Predictions beside what was learned."""

from __future__ import annotations

import pytest

from kl_derail.pricing import Trained, compare, outcome, predict
from tests.inspect.factories import silent
from tests.pricing.factories import chat, price, talking

CHEAP = price(*[chat(6.0, 1.0, 1.0)] * 9, chat(9.0, 3.0, 3.0))
MUTE, LOUD = outcome([silent(6)] * 4), outcome([talking()] * 4)


def test_runs_beside_their_predictions() -> None:
    trained = [
        Trained("b", "agent", "base-1", 256, 256, 20.0, MUTE),
        Trained("a", "agent", "base-1", 256, None, 3.0, LOUD),
    ]
    cheap, dear = compare([CHEAP, price(chat(99.0), length=512)], trained)
    assert (cheap.trained.run, cheap.trained.budget, cheap.trained.trained_length) == (
        "a",
        3.0,
        None,
    )
    assert (cheap.predicted, cheap.trained.learned) == (predict([CHEAP], 3.0), LOUD)
    assert (dear.trained.run, dear.predicted.verdict, dear.trained.trained_length) == (
        "b",
        "enforced",
        256,
    )
    assert cheap.agrees
    assert dear.agrees


def test_a_prediction_can_fail() -> None:
    (row,) = compare(
        [price(chat(30.0, 1.0))], [Trained("a", "agent", "base-1", 256, 256, 20.0, MUTE)]
    )
    assert (row.predicted.verdict, row.trained.learned.verdict, row.agrees) == (
        "not",
        "enforced",
        False,
    )


@pytest.mark.parametrize(("base", "length"), [("another", 256), ("base-1", 7)])
def test_runs_without_a_price(base: str, length: int) -> None:
    with pytest.raises(ValueError, match="one base and one length"):
        compare([CHEAP], [Trained("a", "agent", base, length, None, 20.0, MUTE)])


def test_nothing_to_compare() -> None:
    assert compare([CHEAP], []) == []
