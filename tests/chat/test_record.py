"""Episodes of the log against the rollout they come from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kl_derail.chat import (
    BasePolicy,
    Draw,
    Origin,
    Rewards,
    Rollout,
    ScriptedPolicy,
    Stage,
    record,
    rollout,
    score_replies,
)
from kl_derail.transcripts import (
    EVALUATION,
    Episode,
    episodes_equal,
    read_episodes,
    replies,
    turns_of,
    write_episodes,
)
from tests.models import STUDENT_OPENING, Models

TOP = 3


class Log(NamedTuple):
    stage: Stage
    played: Rollout
    rewards: Rewards
    value: torch.Tensor
    episodes: list[Episode]


@pytest.fixture(scope="module", params=["embedded", "llama"])
def log(request: pytest.FixtureRequest, models: Models) -> Log:
    stage = models.stage(request.param, opening=STUDENT_OPENING, length=130, max_reply_tokens=12)
    script = ScriptedPolicy(stage.tokens_of(" Good.\n\nStudent:"))
    played = rollout(stage, script, Draw(8, 3, range(2, 5), math.inf), top_k=TOP)
    rewards = score_replies(played, stage.scene, lambda texts: [1 / (2 + len(t)) for t in texts])
    value = torch.where(played.steps.agent, played.steps.base_log_prob, torch.nan)
    episodes = record(played, stage, rewards, Origin("run-1", "scripted:good"), value)
    return Log(stage, played, rewards, value, episodes)


def test_who_and_where(log: Log) -> None:
    assert [episode.episode for episode in log.episodes] == [2, 3, 4]
    for episode in log.episodes:
        assert (episode.run_id, episode.policy) == ("run-1", "scripted:good")
        assert (episode.update, episode.seed) == (3, 8)
        assert episode.base_fingerprint == log.stage.base.fingerprint
        assert episode.trusted_policy == log.stage.base.trusted_policy
        assert (episode.length, episode.opening_tokens) == (130, len(log.stage.opening))
        assert (episode.agent, episode.speakers) == ("Teacher", ("Teacher", "Student"))
        assert (episode.budget, episode.accounting) == (math.inf, "expected")


def test_the_text_is_the_decoded_tokens(log: Log) -> None:
    tokenizer = log.stage.base.tokenizer
    for chat, episode in enumerate(log.episodes):
        ids = [*log.stage.opening, *log.played.steps.token[:, chat].tolist()]
        assert episode.token_id.tolist() == ids
        assert episode.text.startswith(log.stage.scene.opening)
        if log.stage.opening[0] not in tokenizer.all_special_ids:
            assert episode.text == tokenizer.decode(ids, clean_up_tokenization_spaces=False)


STEP_COLUMNS = [
    "kl",
    "log_ratio",
    "alpha",
    "fraction",
    "kl_target",
    "base_log_prob",
    "policy_log_prob",
    "base_entropy",
]


@pytest.mark.parametrize("name", STEP_COLUMNS)
def test_columns_are_those_of_the_steps(log: Log, name: str) -> None:
    start = len(log.stage.opening)
    for chat, episode in enumerate(log.episodes):
        column = getattr(episode, name)
        np.testing.assert_array_equal(
            column[start:], getattr(log.played.steps, name)[:, chat].numpy()
        )
        opening = column[:start]
        assert not opening.any() if name in ("kl", "log_ratio") else np.isnan(opening).all()


def test_columns_that_are_worked_out(log: Log) -> None:
    start = len(log.stage.opening)
    for chat, episode in enumerate(log.episodes):
        agent = episode.agent_tokens
        np.testing.assert_array_equal(agent[start:], log.played.steps.agent[:, chat].numpy())
        ratio = episode.log_ratio
        np.testing.assert_allclose(
            episode.kl_k3, np.where(agent, np.exp(-ratio) - 1 + ratio, 0), rtol=1e-9, atol=1e-15
        )
        assert (episode.budget_left[agent] == math.inf).all()
        assert np.isnan(episode.budget_left[~agent]).all()
        np.testing.assert_array_equal(episode.value[start:], log.value[:, chat].numpy())


def test_turns_and_rewards(log: Log) -> None:
    start = len(log.stage.opening)
    for chat, episode in enumerate(log.episodes):
        turns = log.played.turns[chat]
        for number, (turn, found) in enumerate(zip(turns, turns_of(episode), strict=True)):
            assert (found.start, found.end, found.text, found.complete) == (
                turn.start, turn.end, turn.text, turn.complete,
            )  # fmt: skip
            assert found.speaker == ("Teacher", "Student")[turn.speaker]
            assert set(episode.turn[turn.start : turn.end]) <= {number}
            assert set(episode.speaker[turn.start : turn.end]) <= {turn.speaker}
            assert "".join(episode.token_text[turn.start : turn.end]).count(turn.text.strip()) >= 1
        scored = replies(episode)
        assert scored
        for turn in scored:
            expected = 1 / (2 + len(turn.text.strip()))
            assert turn.reward == pytest.approx(expected)
            assert episode.reward[turn.end - 1] == pytest.approx(expected)
        assert np.isfinite(episode.reward).sum() == len(scored)
        np.testing.assert_array_equal(episode.reward[start:], log.rewards.by_step[:, chat].numpy())


def test_candidates(log: Log) -> None:
    start = len(log.stage.opening)
    assert log.played.candidates is not None
    for chat, episode in enumerate(log.episodes):
        for name, column in log.played.candidates._asdict().items():
            rows = list(getattr(episode, f"top_{name}"))
            assert all(len(row) == 0 for row in rows[:start])
            np.testing.assert_array_equal(np.stack(rows[start:]), column[:, chat].numpy())


def test_survives_the_file(log: Log, tmp_path: Path) -> None:
    back = read_episodes(write_episodes(tmp_path / "log.parquet", log.episodes))
    assert all(episodes_equal(a, b) for a, b in zip(log.episodes, back, strict=True))


def test_without_value_and_candidates(models: Models) -> None:
    stage = models.stage("gpt2", length=30)
    played = rollout(stage, BasePolicy(), Draw(0, EVALUATION, range(1), 0.0))
    rewards = score_replies(played, stage.scene, lambda texts: [0.5] * len(texts))
    (episode,) = record(played, stage, rewards, Origin("run", "base"))
    assert episode.update == EVALUATION
    assert np.isnan(episode.value).all()
    assert all(len(row) == 0 for row in episode.top_base_ids)
