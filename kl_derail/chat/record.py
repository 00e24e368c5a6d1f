"""From a rollout to the typed log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kl_derail.budget import k3
from kl_derail.chat.replies import Rewards
from kl_derail.chat.rollout import Candidates, Rollout, Stage
from kl_derail.transcripts import Episode


@dataclass(frozen=True)
class Origin:
    """Where episodes come from; stands in each of them.

    Attributes:
        run_id: name of the run.
        policy: "agent", "base" or "scripted:NAME".
    """

    run_id: str
    policy: str


def record(
    played: Rollout, stage: Stage, rewards: Rewards, origin: Origin, value: Tensor | None = None
) -> list[Episode]:
    """The episodes of a rollout.

    Args:
        played: a finished rollout.
        stage: what it was played on.
        rewards: scores of its replies.
        origin: run and policy.
        value: [steps, B] the critic's values, NaN where the agent did not choose.
    """
    columns = _token_columns(played, rewards, value)
    return [
        Episode.from_columns(
            {
                "run_id": origin.run_id,
                "policy": origin.policy,
                **_identity(played, stage),
                "episode": number,
                **{name: column[:, chat] for name, column in columns.items()},
                **_texts(played, stage, chat),
                **_candidates(played, chat),
                **_turns(played, rewards, chat),
            }
        )
        for chat, number in enumerate(played.draw.chats)
    ]


def _identity(played: Rollout, stage: Stage) -> dict[str, Any]:
    """What all episodes of a rollout share."""
    return {
        "base_fingerprint": stage.base.fingerprint,
        "trusted_policy": stage.base.trusted_policy,
        "update": played.draw.update,
        "seed": played.draw.seed,
        "budget": played.draw.budget,
        "accounting": played.draw.accounting,
        "length": stage.scene.length,
        "opening_tokens": len(played.opening),
        "agent": stage.scene.agent,
        "speakers": stage.scene.speakers,
    }


def _token_columns(
    played: Rollout, rewards: Rewards, value: Tensor | None
) -> dict[str, NDArray[Any]]:
    """Columns [T, B], opening included."""
    steps = played.steps
    unknown = torch.full_like(steps.fraction, torch.nan)
    after: dict[str, tuple[Tensor, float]] = {
        "kl": (steps.kl, 0.0),
        "log_ratio": (steps.log_ratio, 0.0),
        "kl_k3": (torch.where(steps.agent, k3(steps.log_ratio), 0.0), 0.0),
        "alpha": (steps.alpha, np.nan),
        "fraction": (steps.fraction, np.nan),
        "kl_target": (steps.kl_target, np.nan),
        "budget_left": (torch.where(steps.agent, steps.budget_left, torch.nan), np.nan),
        "value": (unknown if value is None else value, np.nan),
        "base_log_prob": (steps.base_log_prob, np.nan),
        "policy_log_prob": (steps.policy_log_prob, np.nan),
        "base_entropy": (steps.base_entropy, np.nan),
        "reward": (rewards.by_step, np.nan),
    }
    opening = (len(played.opening), steps.token.shape[1])
    return {
        name: np.concatenate([np.full(opening, fill, dtype=column.numpy().dtype), column.numpy()])
        for name, (column, fill) in after.items()
    }


def _texts(played: Rollout, stage: Stage, chat: int) -> dict[str, Any]:
    """Tokens and their text. The opening's pieces are its own, lest they merge with what follows."""
    tokens = played.steps.token[:, chat].tolist()
    pieces = stage.opening_pieces() + stage.pieces.split(tokens)
    return {"token_id": [*played.opening, *tokens], "token_text": pieces}


def _turns(played: Rollout, rewards: Rewards, chat: int) -> dict[str, Any]:
    turns = played.turns[chat]
    lengths = [turn.end - turn.start for turn in turns]
    return {
        "speaker": np.repeat([turn.speaker for turn in turns], lengths),
        "turn": np.repeat(np.arange(len(turns)), lengths),
        "turn_speaker": [turn.speaker for turn in turns],
        "turn_start": [turn.start for turn in turns],
        "turn_end": [turn.end for turn in turns],
        "turn_text": [turn.text for turn in turns],
        "turn_complete": [turn.complete for turn in turns],
        "turn_reward": np.asarray(rewards.by_turn[chat], dtype=np.float32),
    }


def _candidates(played: Rollout, chat: int) -> dict[str, Any]:
    if played.candidates is None:
        return {}
    rows: list[list[Any]] = [[] for _ in played.opening]
    names = [f"top_{name}" for name in Candidates._fields]
    return {
        name: rows + column[:, chat].tolist()
        for name, column in zip(names, played.candidates, strict=True)
    }
