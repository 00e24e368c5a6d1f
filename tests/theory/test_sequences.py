"""Sequences as a user writes them down."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.theory.sequences import HELP, given, read_sequences, steps

NAMES, BASE, VALUES = ["A good", "A bad", "B"], [0.3, 0.5, 0.2], [0.4, 0.0, 1.0]


def test_steps_in_order() -> None:
    found = steps(read_sequences(NAMES, BASE, VALUES, 0.0))
    assert [(step.after, step.action, step.best) for step in found] == [
        ((), "A", False),
        (("A",), "good", True),
        (("A",), "bad", False),
        ((), "B", True),
    ]


def test_conditional_probabilities() -> None:
    sequences = read_sequences(NAMES, BASE, VALUES, 0.0)
    start, good, *_ = steps(sequences)
    assert given(start, sequences.base) == pytest.approx(0.8)
    assert given(good, sequences.base) == pytest.approx(0.375)
    assert math.isnan(given(good, np.array([0.0, 0.0, 1.0])))


def test_what_is_lacking_is_asking_for_help() -> None:
    sequences = read_sequences(NAMES, [0.3, 0.3, 0.2], VALUES, 2.0)
    assert sequences.words[-1] == (HELP,)
    assert sequences.base[-1] == pytest.approx(0.2)
    assert [step.action for step in steps(sequences) if step.best and not step.after] == [HELP]


@pytest.mark.parametrize(
    ("names", "base", "values", "words"),
    [
        (NAMES, BASE[:2], VALUES, "found 3, 2 and 3"),
        (["A", "A bad", "B"], BASE, VALUES, "'A'"),
        (["A", "A", "B"], BASE, VALUES, "'A'"),
        (["", "A", "B"], BASE, VALUES, "empty"),
        (NAMES, [0.5, 0.5, 0.5], VALUES, "sum of 1.5"),
        (NAMES, [-0.5, 0.5, 0.5], VALUES, "probabilities"),
        ([], [], [], "sum of 0"),
    ],
)
def test_refusals(names: list[str], base: list[float], values: list[float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_sequences(names, base, values, 0.0)
