"""Episodes for viewers: silence, odd tokens, nothing at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from kl_derail.transcripts import Episode
from tests.transcripts.factories import make_episode

HELLO = [("Teacher", " Hello."), ("Student", " Hi.")]
TALK = [*HELLO, ("Teacher", " Go on."), ("Student", " Why?")]
CANDIDATES = ("top_base_ids", "top_base_log_probs", "top_policy_ids", "top_policy_log_probs")


def silent(exchanges: int, reply: str = "", **columns: Any) -> Episode:
    """So many exchanges in which the agent says nothing, for 0.25 nats and a reward of 0.5 each."""
    turns = [*HELLO, *(("Teacher", ""), ("Student", reply)) * exchanges, ("Teacher", "")]
    return make_episode(
        turns,
        turn_kl=dict.fromkeys(range(2, len(turns) - 1, 2), 0.25),
        turn_reward=dict.fromkeys(range(3, len(turns) - 1, 2), 0.5),
        **columns,
    )


def one_token_a_turn(pieces: list[str]) -> Episode:
    """Turns of one token each, which may hold anything; the agent begins."""
    count = len(pieces)
    return make_episode(
        [(("Teacher", "Student")[turn % 2], "x") for turn in range(count)],
        **_columns(pieces),
    )


def _columns(pieces: list[str]) -> dict[str, Any]:
    """Columns for one token a turn, the agent's first."""
    count = len(pieces)
    agent = np.arange(count) % 2 == 0
    off_agent, number = np.where(agent, 0.5, np.nan), np.full(count, -1.0)
    return {
        "token_text": pieces,
        "length": count,
        "opening_tokens": 0,
        "token_id": range(count),
        "speaker": 1 - agent,
        "turn": range(count),
        **dict.fromkeys(("kl", "log_ratio", "kl_k3"), np.where(agent, 1.0, 0.0)),
        **dict.fromkeys(("alpha", "fraction", "kl_target", "budget_left", "value"), off_agent),
        **dict.fromkeys(("base_log_prob", "policy_log_prob"), number),
        "base_entropy": -number,
        "reward": np.full(count, np.nan),
        "turn_start": range(count),
        "turn_end": range(1, count + 1),
        **dict.fromkeys(CANDIDATES, ()),
    }


def no_tokens() -> Episode:
    """An episode in which nothing happened."""
    columns = make_episode(TALK).columns()
    keep = {name: value for name, value in columns.items() if np.ndim(value) == 0}
    empty = {name: () for name in columns if name not in keep} | dict.fromkeys(CANDIDATES, ())
    kept = {"speakers": columns["speakers"], "length": 0, "opening_tokens": 0}
    return Episode.from_columns({**keep, **empty, **kept})
