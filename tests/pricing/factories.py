"""Scripted episodes and prices made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kl_derail.pricing import ChatCost, Price
from kl_derail.transcripts import EVALUATION, Episode, named_path, write_episodes
from tests.transcripts.factories import make_episode

OPENING = [("Teacher", " Hello."), ("Student", " Hi.")]


def scripted(
    exchanges: Sequence[tuple[str, str, float, float]], *, cut: bool = True, **columns: Any
) -> Episode:
    """An episode whose agent's turns after the opening are scripted.

    Args:
        exchanges: what the agent says, what the student replies, nats of the first, reward of the second.
        cut: the episode ends within a last turn of the agent, which has cost 0.5 nats so far.
        columns: of the log.
    """
    turns = [
        *OPENING,
        *(
            (who, text)
            for said, reply, *_ in exchanges
            for who, text in (("Teacher", said), ("Student", reply))
        ),
    ]
    if cut:
        turns.append(("Teacher", " and"))
    own = range(2, len(turns), 2)
    made = make_episode(
        turns,
        cut=cut,
        turn_kl={
            turn: ([nats for *_, nats, _ in exchanges] + [0.5])[n] for n, turn in enumerate(own)
        },
        turn_reward={turn + 1: exchanges[n][3] for n, turn in enumerate(own) if n < len(exchanges)},
        opening_tokens=_tokens_of_opening(),
        **columns,
    )
    alpha = np.where(made.agent_tokens, 1.0, np.nan)
    return Episode.from_columns(made.columns() | {"alpha": alpha})


def _tokens_of_opening() -> int:
    """Up to the header that gives the word to the agent."""
    return int(make_episode([*OPENING, ("Teacher", "")]).turn_end[1])


def chat(*turns: float, unfinished: float = 0.0, reward: float = 1.0, replies: int = 1) -> ChatCost:
    """A chat whose scripted turns cost this much."""
    return ChatCost(turns, sum(turns) + unfinished, reward, replies, replies, replies)


def price(*chats: ChatCost, **fields: Any) -> Price:
    """The price of silence in these chats."""
    given = {
        "behaviour": "silent",
        "spacing": "single",
        "length": 256,
        "base_fingerprint": "base-1",
    }
    return Price(**{**given, **fields}, chats=chats)


def talking(exchanges: int = 6, empty: int = 0, **columns: Any) -> Episode:
    """An episode whose first agent turns are empty."""
    said = [("Teacher", "" if n < empty else " Well.") for n in range(exchanges)]
    turns = [
        *OPENING,
        *(turn for each in said for turn in (each, ("Student", " Yes."))),
        ("Teacher", ""),
    ]
    return make_episode(turns, **columns)


def evaluated(
    run: Path, budget: float, episodes: Sequence[Episode], name: str = "agent", **columns: Any
) -> Path:
    """A run folder with an evaluation of its agent."""
    made = [
        Episode.from_columns(
            {
                **each.columns(),
                "run_id": run.name,
                "budget": budget,
                "update": EVALUATION,
                "episode": number,
                "policy": "agent",
                "opening_tokens": 4,
                **columns,
            }
        )
        for number, each in enumerate(episodes)
    ]
    write_episodes(named_path(run, name), made)
    return run
