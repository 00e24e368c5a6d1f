"""Finite distributions over sentences, against enumeration by hand and against frequencies."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.embedded.phrases import Way, draw, log_prob, sentences, slot_names, slots

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "ba", ""]), min_size=1, max_size=3, unique=True)
TEMPLATES = st.lists(st.sampled_from(["{x}{y}", "{y}{x}", "{x}{x}", "a{y}", "{x}"]), min_size=1)


@st.composite
def offers(draw_from: st.DrawFn) -> list[Way]:
    """Ways whose sentences often coincide."""
    return [
        Way(
            draw_from(st.floats(0.1, 5.0)),
            "move",
            tuple(draw_from(TEMPLATES)),
            slots(x=draw_from(WORDS), y=draw_from(WORDS)),
        )
        for _ in range(draw_from(st.integers(1, 3)))
    ]


def test_sentences_by_hand() -> None:
    found = sentences(("{x} is {y}", "so {x}"), slots(x="he", y=("big", "old")))
    assert found == {"he is big": 0.25, "he is old": 0.25, "so he": 0.5}


def test_equal_sentences_are_summed() -> None:
    assert sentences(("{x}{y}",), slots(x=("a", "ab"), y=("b", ""))) == {
        "ab": 0.5,
        "a": 0.25,
        "abb": 0.25,
    }


def test_a_slot_that_comes_twice_holds_one_word() -> None:
    assert set(sentences(("{x} and {x}",), slots(x=("a", "b")))) == {"a and a", "b and b"}


def test_slot_names_come_once_and_in_order() -> None:
    assert slot_names("{b} {a} {b}.") == ("b", "a")


@given(offers())
def test_probabilities_sum_to_one(ways: list[Way]) -> None:
    texts = {text for way in ways for text in sentences(way.templates, way.slots)}
    assert sum(math.exp(log_prob(ways, text)) for text in texts) == pytest.approx(1.0)
    assert log_prob(ways, "", complete=False) == pytest.approx(0.0, abs=1e-12)


@given(offers(), st.integers(0, 2**32))
def test_what_is_drawn_is_possible(ways: list[Way], seed: int) -> None:
    assert log_prob(ways, draw(ways, np.random.default_rng(seed))) > -math.inf


def test_frequencies_agree_with_probabilities() -> None:
    ways = [
        Way(3.0, "one", ("{x}{y}", "{y}"), slots(x=("a", "ab"), y=("b", ""))),
        Way(1.0, "other", ("ab", "c")),
    ]
    rng, n = np.random.default_rng(0), 20_000
    seen = Counter(draw(ways, rng) for _ in range(n))
    for text, count in seen.items():
        p = math.exp(log_prob(ways, text))
        assert abs(count / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_what_cannot_be_said_has_no_probability() -> None:
    ways = [Way(1.0, "move", ("yes",))]
    assert log_prob(ways, "no") == log_prob(ways, "ye") == log_prob(ways, "") == -math.inf
    assert log_prob(ways, "ye", complete=False) == 0.0
