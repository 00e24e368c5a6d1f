"""Episodes of the log against the rollout they come from."""

from __future__ import annotations

from pathlib import Path

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
    Episode,
    episodes_equal,
    read_episodes,
    replies,
    turns_of,
    write_episodes,
)
from tests.models import Models

ORIGIN = Origin("run-1", "scripted:good")


def play(stage: Stage, *, top_k: int = 0) -> tuple[Rollout, Rewards, list[Episode]]:
    script = ScriptedPolicy(stage.tokens_of(" Good.\n\nStudent:"))
    played = rollout(stage, script, Draw(8, 3, range(2, 5), 50.0), top_k=top_k)
    rewards = score_replies(played, stage.scene, lambda texts: [0.25 + len(t) / 1000 for t in texts])
    return played, rewards, record(played, stage, rewards, ORIGIN)


@pytest.fixture(params=["embedded", "llama"])
def stage(request: pytest.FixtureRequest, models: Models) -> Stage:
    return models.stage(request.param, length=130, max_reply_tokens=12)


@pytest.fixture(autouse=True)
def _boundless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script obeys no budget."""
    monkeypatch.setattr(Draw, "__new__", lambda cls, *a: tuple.__new__(cls, (*a[:3], float("inf"), "expected")))


def test_who_and_where(stage: Stage) -> None:
    played, _, episodes = play(stage)
    assert [episode.episode for episode in episodes] == [2, 3, 4]
    for episode in episodes:
        assert (episode.run_id, episode.policy, episode.update, episode.seed) == ("run-1", "scripted:good", 3, 8)
        assert episode.base_fingerprint == stage.base.fingerprint
        assert (episode.length, episode.opening_tokens) == (130, len(stage.opening))
        assert (episode.agent, episode.speakers) == ("Teacher", ("Teacher", "Student"))
        assert (episode.budget, episode.accounting) == (float("inf"), "expected")
