"""Titles and rows of panels."""

from __future__ import annotations

from kl_derail.figures.panels import rows_of, titles
from tests.figures.factories import key


def test_a_title_names_the_base_only_among_several() -> None:
    one, two = key(), key(base="other", setting="trained at 5 nats")
    assert titles([one]) == {one: "agent, 10 nats, 64 tokens"}
    assert titles([one, two]) == {
        one: "tiny\nagent, 10 nats, 64 tokens",
        two: "other\nagent, 10 nats, 64 tokens\ntrained at 5 nats",
    }


def test_a_base_begins_a_row() -> None:
    a, b = key(base="a"), key(base="b")
    assert rows_of([a] * 5 + [b], 2) == [2, 2, 1, 1]
    assert rows_of([], 3) == []
