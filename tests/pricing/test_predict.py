"""Predictions from prices, and what trained agents did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.pricing import Price, outcome, predict
from kl_derail.transcripts import Episode
from tests.inspect.factories import silent
from tests.pricing.factories import chat, price, talking
from tests.transcripts.factories import make_episode

CHEAP = price(*[chat(6.0, 1.0, 1.0)] * 9, chat(9.0, 3.0, 3.0), spacing="single")
DEAR = price(*[chat(8.0, 1.0, 1.0)] * 10, spacing="double")


@pytest.mark.parametrize(
    ("budget", "verdict", "turns"),
    [(0.0, "not", 0.0), (5.9, "not", 0.0), (6.0, "partly", 0.9), (7.9, "partly", 1.8),
     (8.0, "enforced", 2.7), (9.0, "enforced", 2.8), (15.0, "enforced", 3.0)],
)  # fmt: skip
def test_what_a_budget_buys(budget: float, verdict: str, turns: float) -> None:
    found = predict([DEAR, CHEAP], budget)
    assert (found.verdict, found.spacing) == (verdict, "single")
    assert found.turns == pytest.approx(turns)


def test_the_shares_behind_it() -> None:
    found = predict([CHEAP], 8.0)
    assert (found.pays_episode, found.pays_first) == (0.9, 0.9)
    assert predict([CHEAP], 15.0).pays_episode == 1.0


costs = st.lists(st.floats(0.01, 20), min_size=1, max_size=4)


@given(st.lists(costs, min_size=1, max_size=6), st.floats(0, 40), st.floats(0, 40))
def test_more_nats_never_buy_less(chats: list[list[float]], a: float, b: float) -> None:
    made = price(*(chat(*turns) for turns in chats))
    less, more = (predict([made], nats) for nats in sorted((a, b)))
    order = ["not", "partly", "enforced"]
    assert order.index(less.verdict) <= order.index(more.verdict)
    assert less.turns <= more.turns
    assert less.pays_episode <= less.pays_first + 1e-12


def test_where_the_script_never_had_the_word_nothing_is_bought() -> None:
    never = price(chat(), spacing="double")
    assert predict([never], 99.0)[:3] == ("not", "double", 0.0)
    assert predict([never, CHEAP], 99.0).spacing == "single"


@pytest.mark.parametrize(
    "prices",
    [[], [CHEAP, price(chat(1.0), length=512)], [CHEAP, price(chat(1.0), base_fingerprint="b")]],
)
def test_one_base_and_length_at_a_time(prices: list[Price]) -> None:
    with pytest.raises(ValueError, match="one base and one length"):
        predict(prices, 1.0)


@pytest.mark.parametrize(
    ("episodes", "verdict"),
    [
        ([silent(6)] * 3 + [talking()] * 3, "enforced"),
        ([silent(6)] * 2 + [talking()] * 3, "partly"),
        ([talking(9, empty=1)] * 3, "partly"),
        ([talking()] * 3, "not"),
    ],
)
def test_what_was_learned(episodes: list[Episode], verdict: str) -> None:
    assert outcome(episodes).verdict == verdict


def test_shares_of_what_was_learned() -> None:
    found = outcome([silent(6)] * 3 + [talking()])
    assert (found.silent.estimate, found.silent.n) == (0.75, 4)
    assert 0.2 < found.silent.low < 0.75 < found.silent.high < 1
    counted = 3 * 6 + 0, 3 * 7 + 7  # the opening's "Hello." counts too: the episode has no opening
    assert found.empty.estimate == pytest.approx(counted[0] / counted[1])
    assert found.empty_turns == counted[0] / 4


def test_without_turns_there_is_no_share() -> None:
    assert np.isnan(outcome([make_episode([("Teacher", " Hi.")])]).empty.estimate)
