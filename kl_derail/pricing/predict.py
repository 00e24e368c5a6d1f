"""Does the price predict the training? A forecast from prices alone, and what trained agents did.

All thresholds were fixed before any run was compared by this code. What agents learn at 10 and 20
nats on the shipped bases was known by then (README); at every other budget nothing was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from kl_derail.plumbing.statistics import Interval, cluster_fraction, wilson
from kl_derail.pricing.price import Price
from kl_derail.transcripts import Episode, is_silent
from kl_derail.transcripts.turns import counted_agent_turns

Verdict = Literal["enforced", "partly", "not"]

PAYS_EPISODE = 0.9
"""A budget enforces silence that pays the whole silent episode in at least this share of the chats."""

PAYS_FIRST = 0.5
"""It partly does that pays the first silent turn in at least this share."""

LEARNED_EPISODES = 0.5
"""Silence was learned as enforced if at least this share of the trained agent's episodes is silent."""

LEARNED_TURNS = 0.1
"""It was learned partly if at least this share of its turns is empty."""


class Prediction(NamedTuple):
    """What a budget should buy.

    Attributes:
        verdict: silence enforced, partly, or not at all.
        spacing: the line-break style that is cheapest over an episode, on which the verdict rests.
        pays_episode: share of the chats in which the budget pays the whole script.
        pays_first: share in which it pays the first turn.
        turns: scripted turns that it pays from the first on, mean over chats.
    """

    verdict: Verdict
    spacing: str
    pays_episode: float
    pays_first: float
    turns: float


def predict(prices: Sequence[Price], budget: float) -> Prediction:
    """What PPO under a budget in nats should learn, by the prices of silence in its line-break styles.

    It rests on one style for all chats, spelled as the tokenizer does. That is an upper bound on the price of
    silence: an agent may choose the style by chat (`cheaper_style`) or leave it to the base, and any blank
    text will do (`turn_events`). So a budget may buy more than is predicted.

    Args:
        prices: of the silent behaviour, all of one base and length.
        budget: total KL of an episode, nats.

    Raises:
        ValueError: no price, or prices of several bases or lengths.
    """
    if len({(price.base_fingerprint, price.length) for price in prices}) != 1:
        raise ValueError("needs prices of one base and one length")
    cheapest = min(prices, key=lambda price: _or_inf(price.episode.estimate))
    chats = cheapest.started
    episode = _mean([chat.total <= budget for chat in chats])
    first = _mean([chat.turns[0] <= budget for chat in chats])
    verdict: Verdict = (
        "enforced" if episode >= PAYS_EPISODE else "partly" if first >= PAYS_FIRST else "not"
    )
    turns = _mean([chat.affordable(budget) for chat in chats])
    return Prediction(verdict, cheapest.spacing, episode, first, turns)


class Outcome(NamedTuple):
    """What a trained agent did.

    Attributes:
        verdict: silence enforced, partly, or not at all.
        silent: share of silent episodes, Wilson's interval.
        empty: share of empty turns, bootstrap interval over episodes.
        empty_turns: empty turns an episode, mean.
    """

    verdict: Verdict
    silent: Interval
    empty: Interval
    empty_turns: float


def outcome(episodes: Sequence[Episode]) -> Outcome:
    """What the evaluation episodes of one agent show."""
    counted = [counted_agent_turns(each).empty for each in episodes]
    silent = wilson(sum(map(is_silent, episodes)), len(episodes))
    empty = cluster_fraction([each.sum() for each in counted], [len(each) for each in counted])
    verdict: Verdict = (
        "enforced"
        if silent.estimate >= LEARNED_EPISODES
        else "partly"
        if empty.estimate >= LEARNED_TURNS
        else "not"
    )
    return Outcome(verdict, silent, empty, _mean([each.sum() for each in counted]))


def prices_at(prices: Iterable[Price], base_fingerprint: str, length: int) -> list[Price]:
    """The prices of one base and length."""
    return [
        price
        for price in prices
        if (price.base_fingerprint, price.length) == (base_fingerprint, length)
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _or_inf(value: float) -> float:
    return value if np.isfinite(value) else np.inf
