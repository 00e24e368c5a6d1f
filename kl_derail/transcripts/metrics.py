"""What one episode amounts to: pure functions of the log."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from kl_derail.transcripts.schema import Episode
from kl_derail.transcripts.turns import (
    SHORT_TURN_TOKENS,
    CountedTurns,
    counted_agent_turns,
    reply_texts,
)

SILENT_TURNS = 5
"""A silent episode has at least so many empty turns in its silence."""

OVERSPEND_TOLERANCE = 1e-9
"""Nats above the budget that a sum of float64 may show without anyone having overspent."""


class Nats(NamedTuple):
    """One amount under both accountings, nats."""

    expected: float
    realised: float


def spent(episode: Episode) -> Nats:
    """What the agent spent: sum of the exact KLs, and sum of the realised log-ratios."""
    return Nats(float(episode.kl.sum()), float(episode.log_ratio.sum()))


def overspend(episode: Episode) -> Nats:
    """Nats spent above the budget in force; 0 where it was kept (to `OVERSPEND_TOLERANCE`)."""
    return Nats(*(_excess(nats, episode.budget) for nats in spent(episode)))


def _excess(nats: float, budget: float) -> float:
    excess = nats - budget
    return excess if excess > OVERSPEND_TOLERANCE else 0.0


def kl_quarters(episode: Episode) -> tuple[float, float, float, float]:
    """Exact KL spent in each quarter of the tokens after the opening, nats.

    Token i of the N after the opening belongs to quarter floor(4 i / N), counted from 0.
    """
    kl = episode.kl[episode.opening_tokens :]
    edges = [-(-quarter * len(kl) // 4) for quarter in range(5)]
    first, second, third, fourth = (float(kl[start:end].sum()) for start, end in pairwise(edges))
    return first, second, third, fourth


def kl_by_quarter(episode: Episode) -> tuple[float, float, float, float]:
    """Share of the KL spent in each quarter after the opening; NaN where none was spent."""
    return shares(kl_quarters(episode))


def shares(quarters: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The four amounts as shares of their sum; NaN where it is 0."""
    total = sum(quarters)
    if total == 0:
        return (np.nan,) * 4
    first, second, third, fourth = (amount / total for amount in quarters)
    return first, second, third, fourth


def empty_turn_fraction(episode: Episode) -> float:
    """Share of the agent's turns that are blank; NaN where there is none to count.

    Turns begun in the opening and an unfinished last turn do not count.
    """
    return _share(counted_agent_turns(episode).empty.tolist())


def short_turn_fraction(episode: Episode, tokens: int = SHORT_TURN_TOKENS) -> float:
    """Share of the agent's counted turns of at most `tokens` tokens, speaker change included."""
    return _share((counted_agent_turns(episode).tokens <= tokens).tolist())


def _share(marks: list[bool]) -> float:
    return sum(marks) / len(marks) if marks else np.nan


def silence_start(episode: Episode, minimum: int = SILENT_TURNS) -> int | None:
    """The token with which a silent episode's silence begins, or None; see `is_silent`."""
    return silence_start_of(counted_agent_turns(episode), episode.length, minimum)


def silence_start_of(turns: CountedTurns, length: int, minimum: int = SILENT_TURNS) -> int | None:
    """`silence_start` for turns already counted, in an episode of `length` tokens."""
    talking = np.flatnonzero(~turns.empty)
    first = int(talking[-1]) + 1 if len(talking) else 0
    if len(turns.empty) - first < max(minimum, 1):
        return None
    start = int(turns.start[first])
    return start if 2 * start < length else None


def is_silent(episode: Episode, minimum: int = SILENT_TURNS) -> bool:
    """Whether the agent falls silent in the first half of the episode and stays so.

    From some turn on that starts before the middle token of the episode, every finished turn of
    the agent is blank, and there are at least `minimum` of them. Turns begun in the opening do
    not count.
    """
    return silence_start(episode, minimum) is not None


def total_reward(episode: Episode) -> float:
    """Sum of the rewards of the episode."""
    return float(np.nansum(episode.reward, dtype=np.float64))


def reward_per_reply(episode: Episode) -> float:
    """Mean score of the scored replies; NaN where there is none."""
    scores = episode.turn_reward[~np.isnan(episode.turn_reward)]
    return float(scores.mean(dtype=np.float64)) if len(scores) else np.nan


def distinct_replies(episodes: Iterable[Episode]) -> int:
    """How many different texts the replies of all these episodes have."""
    return len({text for episode in episodes for text in reply_texts(episode)})
