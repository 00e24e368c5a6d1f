"""The figures of a set of episodes, worded for people; and one sentence that sums them up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from kl_derail.embedded.trusted import FLOOR
from kl_derail.plumbing.statistics import Interval, cluster_fraction, cluster_ratio, wilson
from kl_derail.transcripts import (
    Episode,
    distinct_replies,
    is_silent,
    overspend,
    reply_texts,
    spent,
    total_reward,
)
from kl_derail.transcripts.judged import count, judgements, mean_log_prob
from kl_derail.transcripts.metrics import kl_quarters
from kl_derail.transcripts.turns import SHORT_TURN_TOKENS, counted_agent_turns

NONE = "-"
"""Stands where there is nothing to say."""


class Figure(NamedTuple):
    """One row of a table.

    Attributes:
        name: what was measured.
        value: the estimate, worded.
        interval: its 95 % interval, worded; empty where it has none.
    """

    name: str
    value: str
    interval: str = ""


def figures(episodes: Sequence[Episode], *, trusted: bool = False) -> list[Figure]:
    """The rows of a before/after table, the same ones in the same order for any episodes.

    Args:
        episodes: to be measured.
        trusted: with the rows about the trusted policy (see `is_measured`).
    """
    replies = sum(len(reply_texts(each)) for each in episodes)
    different = f"{distinct_replies(episodes)} of {replies}" if replies else NONE
    turns = [len(counted_agent_turns(each).start) for each in episodes]
    return [
        _mean("reward per episode", [total_reward(each) for each in episodes]),
        *_silence_figures(episodes),
        *(_trusted_figures(episodes) if trusted else ()),
        *_kl_figures(episodes),
        _mean("agent turns per episode", turns),
        Figure("distinct replies", different),
    ]


def _silence_figures(episodes: Sequence[Episode]) -> list[Figure]:
    counted = [counted_agent_turns(each) for each in episodes]
    turns = [len(each.start) for each in counted]
    empty = [np.count_nonzero(each.empty) for each in counted]
    short = [np.count_nonzero(each.tokens <= SHORT_TURN_TOKENS) for each in counted]
    silent = wilson(sum(map(is_silent, episodes)), len(episodes))
    return [
        _share("silent episodes", silent),
        _share("empty agent turns", cluster_fraction(empty, turns)),
        _share(
            f"agent turns, <= {SHORT_TURN_TOKENS} tokens",
            cluster_fraction(short, turns),
        ),
    ]


def _trusted_figures(episodes: Sequence[Episode]) -> list[Figure]:
    """Impossible turns, blank ones among them; why they are; how likely the agent's turns are."""
    judged = judgements(episodes)
    counts, parses = list(map(count, judged)), list(chain.from_iterable(judged))
    share = cluster_fraction([each.impossible for each in counts], [each.turns for each in counts])
    reasons = count(parses)._asdict()
    del reasons["possible"]
    return [
        _share("impossible agent turns", share),
        *(
            Figure(f"  {reason.replace('_', ' ')}", str(number) if parses else NONE)
            for reason, number in reasons.items()
        ),
        Figure(
            f"trusted log-prob, >= {FLOOR:g}",
            f"{mean_log_prob(parses):.2f}" if parses else NONE,
        ),
    ]


def _kl_figures(episodes: Sequence[Episode]) -> list[Figure]:
    budgeted = [each for each in episodes if each.budget > 0]
    limited = [each for each in budgeted if math.isfinite(each.budget)]
    quarters = [kl_quarters(each) for each in episodes]
    early = cluster_fraction([each[0] for each in quarters], [sum(each) for each in quarters])
    over = wilson(sum(overspend(each).realised > 0 for each in limited), len(limited))
    return [
        _mean("KL per episode", [spent(each).expected for each in budgeted]),
        Figure("largest KL of an episode", _largest_of(budgeted)),
        _share("KL in the first quarter", early),
        _mean("log-ratio per episode", [spent(each).realised for each in budgeted]),
        _share("log-ratio above the budget", over),
    ]


def _mean(name: str, values: Sequence[float]) -> Figure:
    found = cluster_ratio(values, [1] * len(values))
    return _worded(name, found, 1.0, "")


def _share(name: str, found: Interval) -> Figure:
    return _worded(name, found, 100.0, " %")


def _worded(name: str, found: Interval, scale: float, unit: str) -> Figure:
    if math.isnan(found.estimate):
        return Figure(name, NONE)
    digits = 2 if scale == 1 else 1
    low, value, high = (
        f"{scale * each:.{digits}f}" for each in (found.low, found.estimate, found.high)
    )
    interval = f"{low} to {high}" if low.startswith("-") else f"{low}\N{EN DASH}{high}"
    return Figure(name, value + unit, "" if math.isnan(found.low) else interval)


def headline(before: Sequence[Episode], after: Sequence[Episode]) -> str:
    """What was measured, in plain words and nothing more: spending, silence, reward, trust."""
    if not after:
        return "No episode of the agent was played."
    silent = f"was silent in {sum(map(is_silent, after))} of {len(after)} episodes"
    reward = f"{np.mean([total_reward(each) for each in after]):.2f}"
    base_silent = base_reward = ""
    if before:
        base_silent = f" (base: {sum(map(is_silent, before))} of {len(before)})"
        base_reward = f" (base: {np.mean([total_reward(each) for each in before]):.2f})"
    return (
        f"The agent {_spending(after)} and {silent}{base_silent}."
        f" Its reward per episode was {reward}{base_reward}.{_impossible(before, after)}"
    )


def _impossible(before: Sequence[Episode], after: Sequence[Episode]) -> str:
    """The share of the agent's turns that the trusted policy rules out; empty if unknown."""
    base, agent = (
        count(chain.from_iterable(judgements(each))).impossible_fraction for each in (before, after)
    )
    if math.isnan(agent):
        return ""
    beside = "" if math.isnan(base) else f" (base: {100 * base:.1f} %)"
    return f" The trusted teacher could never have said {100 * agent:.1f} % of its turns{beside}."


def _spending(episodes: Sequence[Episode]) -> str:
    """What an episode cost at most, and whether that kept to the budget."""
    over = sum(overspend(each).expected > 0 for each in episodes)
    if not over:
        return f"spent at most {_largest_of(episodes)} nats an episode"
    most = max(spent(each).expected for each in episodes)
    budgets = _budgets(episodes)
    return (
        f"spent up to {_at_most(most)} nats an episode, above its budget{budgets and f' of {budgets}'}"
        f" in {over} of {len(episodes)},"
    )


def _largest_of(episodes: Sequence[Episode]) -> str:
    """The largest KL of an episode against the budget in force: "19.99 of 20"."""
    if not episodes:
        return NONE
    most = _at_most(max(spent(each).expected for each in episodes))
    budgets = _budgets(episodes)
    return f"{most} of {budgets}" if budgets else most


def _budgets(episodes: Sequence[Episode]) -> str:
    """The budget in force, "10 to 20" where it differs, empty where there is none."""
    found = sorted({each.budget for each in episodes})
    if math.isinf(found[-1]):
        return ""
    ends = [f"{budget:g}" for budget in (found[0], found[-1])]
    return " to ".join(dict.fromkeys(ends))


def _at_most(nats: float) -> str:
    """Rounded up, so that "at most" is true; a sum's last bits aside."""
    return f"{math.ceil(100 * nats - 1e-6) / 100:.2f}"
