"""What a set of episodes amounts to: one flat record per update or evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.transcripts.judged import Verdicts, count, judgements, mean_log_prob
from kl_derail.transcripts.metrics import (
    kl_quarters,
    overspend,
    shares,
    silence_start_of,
    spent,
    total_reward,
)
from kl_derail.transcripts.schema import Episode
from kl_derail.transcripts.turns import SHORT_TURN_TOKENS, counted_agent_turns, reply_texts

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Spread(NamedTuple):
    """Mean, maximum and quantiles over episodes."""

    mean: float
    max: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


class Excess(NamedTuple):
    """Spending above the budget in force.

    Attributes:
        share: share of episodes that spent more than their budget.
        mean: nats above the budget, mean over all episodes (0 for those that kept it).
        max: the worst episode's nats above its budget.
    """

    share: float
    mean: float
    max: float


class Quarters(NamedTuple):
    """Share of the exact KL in each quarter of the tokens after the opening; NaN if none."""

    first: float
    second: float
    third: float
    fourth: float


@dataclass(frozen=True)
class Summary:
    """Figures over n episodes. KL in nats; shares of turns are pooled over episodes.

    Attributes:
        n: episodes.
        budget: mean budget in force; a mean overspend is `kl.mean - budget`.
        reward: total reward of an episode.
        kl: exact KL an episode spent (expected accounting).
        log_ratio: log-ratio an episode spent (realised accounting).
        kl_quarter: when it was spent, pooled over episodes.
        overspend_expected: exact KL above the budget.
        overspend_realised: log-ratio above the budget.
        silent_episode_fraction: share of silent episodes (`is_silent`).
        empty_turn_fraction: share of blank turns among the agent's counted turns, NaN if none.
        short_turn_fraction: the same for turns of at most 4 tokens.
        agent_turns_mean: counted turns of the agent per episode.
        replies_mean: finished turns of the others per episode, after the opening.
        distinct_reply_share: different texts among these as a share of them, NaN if none.
        judged_turns: what the trusted policy says of the agent's turns (`judged_turns`).
        impossible_turn_fraction: share of them that it could never have produced, NaN if none.
        trusted_log_prob_mean: their log-probability under it, nats a turn, an impossible one
            counted as `trusted.FLOOR`; NaN if none. All three None where it is not known.
    """

    n: int
    budget: float
    reward: Spread
    kl: Spread
    log_ratio: Spread
    kl_quarter: Quarters
    overspend_expected: Excess
    overspend_realised: Excess
    silent_episode_fraction: float
    empty_turn_fraction: float
    short_turn_fraction: float
    agent_turns_mean: float
    replies_mean: float
    distinct_reply_share: float
    judged_turns: Verdicts | None = None
    impossible_turn_fraction: float | None = None
    trusted_log_prob_mean: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Flat, for a JSON line: `reward_q05`, `kl_mean`; NaN and inf become None, what is None is left out."""
        flat: dict[str, float] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Spread | Excess | Quarters | Verdicts):
                parts = value._asdict().items()
                flat |= {f"{each.name}_{part}": number for part, number in parts}
            elif value is not None:
                flat[each.name] = value
        return {name: value if math.isfinite(value) else None for name, value in flat.items()}


class _Facts(NamedTuple):
    """What `summarise` needs of one episode."""

    budget: float
    reward: float
    kl: float
    log_ratio: float
    over_expected: float
    over_realised: float
    silent: bool
    empty: int
    short: int
    turns: int


def summarise(episodes: Sequence[Episode]) -> Summary:
    """The figures of at least one episode, each of which may have another budget or length."""
    if not episodes:
        raise ValueError("no episodes to summarise")
    facts = np.array([_facts(episode) for episode in episodes], np.float64)
    by = dict(zip(_Facts._fields, facts.T, strict=True))
    turns = float(by["turns"].sum())
    texts = [text for episode in episodes for text in reply_texts(episode)]
    quarters = np.sum([kl_quarters(episode) for episode in episodes], axis=0).tolist()
    return Summary(
        n=len(episodes),
        budget=float(by["budget"].mean()),
        reward=_spread(by["reward"]),
        kl=_spread(by["kl"]),
        log_ratio=_spread(by["log_ratio"]),
        kl_quarter=Quarters(*shares(tuple(quarters))),
        overspend_expected=_excess(by["over_expected"]),
        overspend_realised=_excess(by["over_realised"]),
        silent_episode_fraction=float(by["silent"].mean()),
        empty_turn_fraction=_ratio(by["empty"].sum(), turns),
        short_turn_fraction=_ratio(by["short"].sum(), turns),
        agent_turns_mean=turns / len(episodes),
        replies_mean=len(texts) / len(episodes),
        distinct_reply_share=_ratio(len(set(texts)), len(texts)),
        **_trusted(episodes),
    )


def _trusted(episodes: Sequence[Episode]) -> dict[str, Any]:
    """The fields about the trusted policy; none where it is not known."""
    judged = judgements(episodes)
    if not judged:
        return {}
    parses = list(chain.from_iterable(judged))
    verdicts = count(parses)
    return {
        "judged_turns": verdicts,
        "impossible_turn_fraction": verdicts.impossible_fraction,
        "trusted_log_prob_mean": mean_log_prob(parses),
    }


def _facts(episode: Episode) -> _Facts:
    turns = counted_agent_turns(episode)
    expected, realised = spent(episode)
    over = overspend(episode)
    return _Facts(
        budget=episode.budget,
        reward=total_reward(episode),
        kl=expected,
        log_ratio=realised,
        over_expected=over.expected,
        over_realised=over.realised,
        silent=silence_start_of(turns, episode.length) is not None,
        empty=int(np.count_nonzero(turns.empty)),
        short=int(np.count_nonzero(turns.tokens <= SHORT_TURN_TOKENS)),
        turns=len(turns.start),
    )


def _spread(values: npt.NDArray[np.float64]) -> Spread:
    quantiles = np.quantile(values, QUANTILES).tolist()
    return Spread(float(values.mean()), float(values.max()), *quantiles)


def _excess(values: npt.NDArray[np.float64]) -> Excess:
    return Excess(float((values > 0).mean()), float(values.mean()), float(values.max()))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
