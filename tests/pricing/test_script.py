"""A behaviour as a policy, against an uncached forward pass of each whole chat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch

from kl_derail.chat import Draw, Rollout, Stage, rollout
from kl_derail.errors import UserError
from kl_derail.pricing import BehaviourPolicy, Line, behaviour
from kl_derail.pricing.script import BREAKS, Spacing, other_speakers, turn_text
from tests.models import OPENING, STUDENT_OPENING, Models, uncached

ARCHITECTURES = ["embedded", "mixtral", "llama", "gpt2", "gemma3"]


def count(history: Sequence[Line]) -> str:
    """Says how many turns there were, so that every turn is another."""
    return f"Turn {len(history)}."


def played(stage: Stage, policy: BehaviourPolicy, chats: int = 2) -> Rollout:
    return rollout(stage, policy, Draw(1, -1, range(chats), math.inf))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("spacing", ["single", "double"])
def test_every_token_costs_minus_log_beta(models: Models, name: str, spacing: Spacing) -> None:
    stage = models.stage(name, length=110, opening=STUDENT_OPENING, max_reply_tokens=9)
    done = played(stage, BehaviourPolicy(stage, count, spacing))
    for chat, turns in enumerate(done.turns):
        own = [turn for turn in turns if turn.speaker == 0 and turn.start >= len(done.opening)]
        assert len(own) >= 3
        tokens = [*done.opening, *done.steps.token[:, chat].tolist()]
        log_probs = uncached(stage.base, tokens)[0].double()
        for turn in own:
            number = turns.index(turn)
            if turn.complete:
                assert turn.text == f" Turn {number}."
                said = stage.pieces.text(tokens[turn.start : turn.end])
                assert said == f" Turn {number}.{BREAKS[spacing]}Student:"
            exact = -sum(float(log_probs[at - 1, tokens[at]]) for at in range(turn.start, turn.end))
            rows = slice(turn.start - len(done.opening), turn.end - len(done.opening))
            assert float(done.steps.kl[rows, chat].sum()) == pytest.approx(exact, abs=1e-4)
            assert (done.steps.alpha[rows, chat] == 1).all()


def test_the_base_finishes_the_openings_turn(models: Models) -> None:
    stage = models.stage("embedded", length=150, max_reply_tokens=8)
    done = played(stage, BehaviourPolicy(stage, behaviour("silent")))
    for chat, turns in enumerate(done.turns):
        opened = next(turn for turn in turns if turn.end > len(done.opening))
        rest = slice(0, opened.end - len(done.opening))
        assert opened.text.startswith(" We")
        assert opened.text != " We"
        assert not done.steps.kl[rest, chat].any()
        assert not done.steps.alpha[rest, chat].any()


def test_the_openings_turn_is_cut_at_once(models: Models) -> None:
    stage = models.stage("embedded", length=100)
    policy = BehaviourPolicy(stage, behaviour("praise"), at_once=True)
    done = played(stage, policy)
    for turns in done.turns:
        own = [turn.text for turn in turns if turn.speaker == 0 and turn.complete]
        assert own[:3] == [" Good morning.", " We Very good.", " Well done."]


@pytest.mark.parametrize("turns", [0, 2])
def test_the_base_takes_over(models: Models, turns: int) -> None:
    stage = models.stage("embedded", length=200)
    done = played(stage, BehaviourPolicy(stage, behaviour("repeat:Why?"), turns=turns), chats=4)
    for chat in range(4):
        own = [
            turn
            for turn in done.turns[chat]
            if turn.speaker == 0 and turn.start >= len(done.opening) and turn.complete
        ]
        assert len(own) > 2
        assert [turn.text for turn in own[:turns]] == [" Why?"] * turns
        assert all(turn.text != " Why?" for turn in own[turns:])
        scripted = sum(turn.end - turn.start for turn in own[:turns])
        assert int(done.steps.alpha[:, chat].nansum()) == scripted


def test_chats_do_not_mix(models: Models) -> None:
    stage = models.stage("embedded", length=160, student_temperature=1.0)
    done = played(stage, BehaviourPolicy(stage, behaviour("copy")), chats=4)
    said = set()
    for turns in done.turns:
        for before, turn in pairwise(turns):
            if turn.speaker == 0 and turn.start >= len(done.opening) and turn.complete:
                assert turn.text.strip() == before.text.strip()
                said.add(turn.text)
    assert len(said) > 3


def test_a_policy_serves_one_batch_after_the_other(models: Models) -> None:
    stage = models.stage("embedded", length=100)
    policy = BehaviourPolicy(stage, behaviour("praise"))
    first, second = played(stage, policy), played(stage, policy)
    assert torch.equal(first.steps.token, second.steps.token)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("", "\n\nStudent:"),
        (" \n", "\n\nStudent:"),
        ("Hi.", " Hi.\n\nStudent:"),
        ("  Hi.\nYou?\n\n", " Hi.\nYou?\n\nStudent:"),
        ("Hi.\nStudent: Bye.", " Hi.\n\nStudent:"),
        ("Hi.\n\nTeacher: Bye.", " Hi.\n\nTeacher: Bye.\n\nStudent:"),
        ("Student: Bye.", " Student: Bye.\n\nStudent:"),
    ],
)
def test_the_text_of_a_turn(models: Models, said: str, text: str) -> None:
    assert turn_text(models.stage("embedded"), said, "double") == text


def test_the_next_speaker_is_named(models: Models) -> None:
    opening = f"Nurse: Hm.\n\n{OPENING}"
    stage = models.stage("embedded", opening=opening, speakers=("Nurse", "Teacher", "Student"))
    assert other_speakers(stage) == ["Student", "Nurse"]
    assert turn_text(stage, "", "single") == "\nStudent:"


def test_words_are_said_as_the_tokenizer_gives_them_back(models: Models) -> None:
    stage = models.stage("llama", opening=STUDENT_OPENING, length=80, max_reply_tokens=3)
    done = played(stage, BehaviourPolicy(stage, lambda _: "a▁b"))  # stands for a space here
    own = [turn for turn in done.turns[0] if turn.speaker == 0 and turn.complete]
    assert [turn.text for turn in own[1:]] == [" a b"] * (len(own) - 1)
    assert len(own) > 2


def test_a_turn_that_does_not_hand_on_the_word(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = models.stage("embedded")
    monkeypatch.setattr(type(stage), "tokens_of", lambda self, text: [5])
    with pytest.raises(UserError, match="which does not hand on the word"):
        played(stage, BehaviourPolicy(stage, behaviour("silent"), at_once=True))
