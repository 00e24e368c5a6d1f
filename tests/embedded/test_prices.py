"""Turns of a chat, when an episode counts as silent, and what silence costs under a known model."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp
from transformers import PreTrainedTokenizerFast

from kl_derail.embedded import OPENING, base_path, prices
from kl_derail.embedded.conversation import turns
from kl_derail.embedded.lesson import Turn
from kl_derail.embedded.prices import SPACINGS, rollout, silence_price


class Plan:
    """A model that foresees a whole chat: `sure` of every token but the scripted ones.

    The n-th silent turn (from 0) costs `1 / (n + 1)` nats, all on its first token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, gap: str) -> None:
        def ids(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        self.size = len(tokenizer)
        self.plan = [(token, 0.0) for token in ids(f" look.{gap}Student: Yes.{gap}Teacher:")]
        for n in range(99):
            first, *rest = ids(f"{gap}Student:")
            self.plan += [(first, 1 / (n + 1)), *((token, 0.0) for token in rest)]
            self.plan += [(token, 0.0) for token in ids(f"{gap}Teacher:")]
        self.step = 0

    def __call__(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        token, cost = self.plan[self.step]
        self.step += 1
        others = math.log(-math.expm1(-cost) / (self.size - 1)) if cost else -math.inf
        logits = torch.full((len(input_ids), 1, self.size), others)
        logits[:, 0, token] = -cost
        return SimpleNamespace(logits=logits, past_key_values=None)


class Babble:
    """A model to which every token is equally likely."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(
            logits=torch.zeros(len(input_ids), 1, self.size), past_key_values=None
        )


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(base_path())


def test_turns_are_found_in_both_spacings() -> None:
    text = "Teacher: Hi.\n\nStudent:\nTeacher:\n\nStudent: A\nB: c"
    assert turns(text) == [
        Turn("Teacher", "Hi."),
        Turn("Student", ""),
        Turn("Teacher", ""),
        Turn("Student", "A\nB: c"),
    ]


def test_a_label_in_the_middle_of_a_line_is_no_turn() -> None:
    assert len(turns("Teacher: the Student: is here")) == 1


@pytest.mark.parametrize("spacing", list(SPACINGS))
def test_prices_under_a_model_whose_prices_are_known(
    tokenizer: PreTrainedTokenizerFast, spacing: str
) -> None:
    plan: Any = Plan(tokenizer, SPACINGS[spacing])
    found = silence_price(plan, tokenizer, OPENING, 200, spacing, chats=3)
    assert (found.length, found.spacing, found.student_blank) == (200, spacing, 1.0)
    assert found.turns > 10
    assert found.first == pytest.approx((1.0, 1.0, 1.0), rel=1e-5)
    assert found.later[:9] == pytest.approx([1 / (n + 2) for n in range(9)], rel=1e-4)
    # The last turn may be unfinished: it belongs to the episode, but not to the later turns.
    whole = sum(1 / (n + 1) for n in range(int(found.turns)))
    assert whole * (1 - 1e-5) < found.episode.value < (whole + 1 / (found.turns + 1)) * (1 + 1e-5)
    assert found.episode_worst == pytest.approx(found.episode.value)


@pytest.mark.parametrize("length", range(190, 204))
def test_a_turn_that_is_cut_off_has_no_price(
    tokenizer: PreTrainedTokenizerFast, length: int
) -> None:
    plan: Any = Plan(tokenizer, "\n\n")
    chats = rollout(plan, tokenizer, OPENING, 2, length, 0, script="\n\nStudent:")
    for text, costs, total in zip(chats.texts, chats.costs, chats.totals, strict=True):
        done = [turn for turn in turns(text)[:-1] if turn == Turn("Teacher", "")]
        assert len(costs) == len(done)
        assert costs == pytest.approx([1 / (n + 1) for n in range(len(costs))], rel=1e-4)
        assert total >= sum(costs)


def test_a_base_that_never_gives_the_teacher_a_turn_has_no_price(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    babble: Any = Babble(len(tokenizer))
    found = silence_price(babble, tokenizer, OPENING, 64, "double", chats=2)
    assert math.isnan(found.first.value)
    assert math.isnan(found.decay.scale)
    assert (found.later, found.turns, found.student_blank) == ((), 0, 0)


def test_the_curve_through_a_power_law_is_that_law() -> None:
    later = 1.25 * np.arange(1, 40) ** -0.75
    curve = prices._decay(later)
    assert curve.scale == pytest.approx(1.25)
    assert curve.power == pytest.approx(0.75)
    assert curve.error == pytest.approx(0.0, abs=1e-6)


def test_an_interval_is_that_of_a_t_test() -> None:
    values = [7.0, 7.5, 6.5, 8.0]
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = prices._mean(values)
    assert found.value == 7.25
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
