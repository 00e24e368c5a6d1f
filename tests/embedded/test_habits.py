"""Habits of chats that are known, and the loss of models that are known."""

from __future__ import annotations

import math
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from kl_derail.embedded import OPENING, base_path, entropy, habits
from kl_derail.embedded.conversation import conversation, talk
from kl_derail.embedded.prices import Chats

STUDENT = "They keep the time. I quite like drums."
SAID = "What can you tell me about drums?"


def text(*said: str) -> str:
    """A chat from the opening on: the teacher names a topic, then says these, then breaks off."""
    start = f"{OPENING} look at drums. Most of them keep the time.\n\nStudent: {STUDENT}"
    rest = "".join(f"\n\nTeacher: {words}\n\nStudent: {STUDENT}" for words in said)
    return f"{start}{rest}\n\nTeacher: Do"


def found(monkeypatch: pytest.MonkeyPatch, *chats: str) -> habits.BaseHabits:
    monkeypatch.setattr(habits, "rollout", lambda *_: Chats(list(chats), [], []))
    score = {STUDENT: 0.75, "No.": 0.25}
    return habits.base_habits(
        None,
        None,
        OPENING,
        lambda texts: [score[t] for t in texts],
        256,
        len(chats),  # type: ignore[arg-type]
    )


def test_habits_of_a_trusted_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    own = found(monkeypatch, text(SAID, SAID), text(SAID))
    assert (own.possible_turns, own.impossible) == (1.0, {})
    assert (own.episodes_with_empty_turn, own.empty_turns) == (0, 0)
    assert own.mean_reward == 0.75
    assert (own.different_first_replies, own.different_replies) == (1, 1 / 5)


def test_habits_of_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    own = found(monkeypatch, text(*[""] * 7), text(SAID, "", "What?"))
    assert own.episodes_with_empty_turn == 1.0
    assert own.empty_turns == 8 / 10
    assert own.possible_turns == 3 / 12
    assert own.impossible == {"blank": 8, "unknown words": 1}


def test_a_blank_reply_counts_half_and_is_never_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = text(SAID).replace(STUDENT, "No.", 1)
    assert found(monkeypatch, chat, chat).mean_reward == 0.5
    chat = chat.replace(STUDENT, "", 1)
    assert found(monkeypatch, chat, chat).mean_reward == 0.375


def test_turns_of_the_trusted_teacher() -> None:
    said = habits.trusted_turns(50)
    assert len(said) == 50
    again = habits.trusted_turns(20)
    assert said[:20] == again
    chat = list(islice(talk(np.random.default_rng((9, 0))), 10))
    assert said[:4] == [turn.text for turn in chat[2::2]]


def test_distinct_2_by_hand() -> None:
    assert habits.distinct_2(["a b a b", "b a"]) == 2 / 4
    assert habits.distinct_2(["a", ""]) == 0


class Uniform:
    """A model to which every token is equally likely."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, self.size))


@pytest.mark.parametrize("tokens", [2, 7, 8, 9, 12, 13, 16, 17, 40])
def test_every_token_but_the_first_is_counted_once(tokens: int) -> None:
    loss = entropy._loss(Uniform(10), torch.arange(tokens) % 10, window=8)  # type: ignore[arg-type]
    assert loss == pytest.approx((tokens - 1) * math.log(10), rel=1e-5)


def test_loss_and_entropy_of_conversations() -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base_path())
    fit = entropy.loss_and_entropy(Uniform(len(tokenizer)), tokenizer, 3, 2)  # type: ignore[arg-type]
    texts = [conversation(np.random.default_rng((3, 7, n))) for n in range(2)]
    assert fit.tokens == sum(len(tokenizer.encode(each)) for each in texts)
    assert fit.loss == pytest.approx(math.log(len(tokenizer)), rel=1e-3)
    assert fit.entropy == pytest.approx(sum(map(entropy.nats, texts)) / fit.tokens)
    assert 0.1 < fit.entropy < 0.4
