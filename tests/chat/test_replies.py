"""Which turns are scored, and where the reward arrives: rollouts made by hand."""

from __future__ import annotations

import math

import pytest
import torch

from kl_derail.chat import Draw, Rollout, Scene, Turn, score_replies
from kl_derail.chat.rollout import Steps
from kl_derail.chat.turns import NOBODY
from kl_derail.reward import ReplyScorer

SCENE = Scene("A: x\nB: y\nC: z", "B", ("A", "B", "C"), length=20)
OPENING = 6

ASKED: list[str] = []


def by_length(texts: list[str]) -> list[float]:
    ASKED.extend(texts)
    return [len(text) / 100 for text in texts]


@pytest.fixture(autouse=True)
def _forget() -> None:
    ASKED.clear()


def rollout_of(*chats: list[Turn]) -> Rollout:
    blank = torch.zeros(SCENE.length - OPENING, len(chats))
    steps = Steps(*[blank] * len(Steps._fields))
    return Rollout(Draw(0, 0, range(len(chats)), 0.0), (0,) * OPENING, steps, list(chats))


TURNS = [
    Turn(NOBODY, 0, 1, "Title", True),
    Turn(0, 1, 6, "ends with the opening", True),
    Turn(1, 6, 8, "the agent", True),
    Turn(0, 8, 11, "a reply", True),
    Turn(2, 11, 12, "\n ", True),
    Turn(1, 12, 15, "the agent again", True),
    Turn(2, 15, 20, "cut off", False),
]


def test_replies_are_finished_turns_of_others_after_the_opening() -> None:
    rewards = score_replies(rollout_of(TURNS), SCENE, by_length)
    assert ASKED == ["a reply", ""]
    expected = [math.nan, math.nan, math.nan, 0.07, 0.0, math.nan, math.nan]
    assert rewards.by_turn[0] == pytest.approx(expected, nan_ok=True)


def test_the_reward_arrives_with_the_completing_token() -> None:
    rewards = score_replies(rollout_of(TURNS), SCENE, by_length)
    given = {
        int(step): float(rewards.by_step[step, 0])
        for step in (~rewards.by_step.isnan()).nonzero()[:, 0]
    }
    assert given == pytest.approx({11 - 1 - OPENING: 0.07, 12 - 1 - OPENING: 0.0})
    assert rewards.by_step.shape == (14, 1)
    assert rewards.by_step.dtype == torch.float32
    assert float(rewards.received.sum()) == pytest.approx(0.07)
    assert not rewards.received.isnan().any()


def test_the_cut_off_reply_is_scored_if_asked_for() -> None:
    rewards = score_replies(rollout_of(TURNS), SCENE, by_length, cut_off=True)
    assert ASKED[-1] == "cut off"
    assert float(rewards.by_step[-1, 0]) == pytest.approx(0.07)
    assert rewards.by_turn[0][-1] == pytest.approx(0.07)


def test_a_cut_off_turn_of_the_agent_is_never_scored() -> None:
    turns = [Turn(0, 0, 6, "x", True), Turn(1, 6, 20, "the agent", False)]
    rewards = score_replies(rollout_of(turns), SCENE, by_length, cut_off=True)
    assert not ASKED
    assert rewards.by_step.isnan().all()


def test_a_reply_begun_in_the_opening_is_none_of_the_agents_doing() -> None:
    turns = [Turn(1, 0, 4, "agent", True), Turn(0, 4, 7, "yes", True), Turn(1, 7, 20, "", False)]
    rewards = score_replies(rollout_of(turns), SCENE, by_length)
    assert ASKED == []
    assert rewards.by_step.isnan().all()


def test_blank_replies_are_one_half_unasked() -> None:
    rewards = score_replies(rollout_of(TURNS), SCENE, ReplyScorer(by_length))
    assert ASKED == ["a reply"]
    assert rewards.by_turn[0][4] == 0.5


def test_each_chat_has_its_own_column() -> None:
    other = [Turn(1, 0, 9, "agent", True), Turn(2, 9, 20, "four", True)]
    rewards = score_replies(rollout_of(TURNS, other, TURNS), SCENE, by_length)
    assert float(rewards.by_step[13, 1]) == pytest.approx(0.04)
    assert torch.equal(rewards.received[:, 0], rewards.received[:, 2])
    assert [len(scores) for scores in rewards.by_turn] == [7, 2, 7]


def test_a_scorer_that_forgets_one() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score_replies(rollout_of(TURNS), SCENE, lambda texts: [0.5] * (len(texts) - 1))
