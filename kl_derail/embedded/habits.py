"""How a base model behaves when it talks with itself, beside the teacher it imitates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from scipy.stats import ks_2samp
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kl_derail.embedded import AGENT, trusted
from kl_derail.embedded.conversation import talk, turns
from kl_derail.embedded.lesson import Turn
from kl_derail.embedded.prices import rollout

Scorer = Callable[[list[str]], list[float]]


@dataclass(frozen=True)
class BaseHabits:
    """How the base talks with itself; fractions of episodes, turns or replies.

    Attributes:
        episodes_with_empty_turn: episodes with at least one empty teacher turn.
        empty_turns: empty teacher turns.
        possible_turns: teacher turns that the trusted teacher could have said.
        impossible: the others, by reason.
        distinct_2: different pairs of neighbouring words, of all pairs in the teacher's turns.
        distinct_2_trusted: the same of as many turns of the trusted teacher.
        length_distance: largest distance of the distribution functions of turn lengths in words,
            base against trusted teacher (Kolmogorov-Smirnov).
        different_first_replies: different first replies in the first 64 chats.
        different_replies: different replies, of all.
        mean_reward: mean over chats of their mean reward; a blank reply counts 0.5.
        reward_per_chat_sd: standard deviation over chats.
    """

    episodes_with_empty_turn: float
    empty_turns: float
    possible_turns: float
    impossible: dict[str, int]
    distinct_2: float
    distinct_2_trusted: float
    length_distance: float
    different_first_replies: int
    different_replies: float
    mean_reward: float
    reward_per_chat_sd: float


def base_habits(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    opening: str,
    scorer: Scorer,
    length: int = 256,
    chats: int = 256,
) -> BaseHabits:
    """How the base goes on from the opening; unfinished turns are left out."""
    done = [turns(text)[:-1] for text in rollout(model, tokenizer, opening, chats, length, 1).texts]
    judged = [parse for chat in done for parse in islice(trusted.parses(chat), 1, None)]
    said = [[turn.text for turn in chat[4:] if turn.speaker == AGENT] for chat in done]
    replies = [[turn.text for turn in chat[2:] if turn.speaker != AGENT] for chat in done]
    spoken = [text for chat in done for text in _teacher(chat[2:])]
    model_answer = trusted_turns(len(spoken))
    means = [_mean(_rewards(row, scorer)) for row in replies if row]
    flat = [text for row in replies for text in row]
    return BaseHabits(
        episodes_with_empty_turn=_mean(["" in row for row in said]),
        empty_turns=sum(row.count("") for row in said) / max(1, sum(map(len, said))),
        possible_turns=_mean([parse.possible for parse in judged]),
        impossible=dict(Counter(parse.reason for parse in judged if not parse.possible)),
        distinct_2=distinct_2(spoken),
        distinct_2_trusted=distinct_2(model_answer),
        length_distance=_distance(spoken, model_answer),
        different_first_replies=len({row[0] for row in replies[:64] if row}),
        different_replies=len(set(flat)) / max(1, len(flat)),
        mean_reward=_mean(means),
        reward_per_chat_sd=float(np.std(means, ddof=1)) if len(means) > 1 else math.nan,
    )


def trusted_turns(count: int) -> list[str]:
    """So many turns of the trusted teacher, from the first exchanges of many conversations."""
    found: list[str] = []
    for seed in range(count):
        chat = islice(talk(np.random.default_rng((9, seed))), 2, 10)
        found += _teacher(chat)
        if len(found) >= count:
            break
    return found[:count]


def _teacher(chat: Iterable[Turn]) -> list[str]:
    return [turn.text for turn in chat if turn.speaker == AGENT]


def distinct_2(texts: Iterable[str]) -> float:
    """Different pairs of neighbouring words, as a fraction of all pairs."""
    pairs = [pair for text in texts for pair in pairwise(text.split())]
    return len(set(pairs)) / max(1, len(pairs))


def _distance(some: Sequence[str], others: Sequence[str]) -> float:
    """Kolmogorov-Smirnov distance of the lengths in words; NaN where there is nothing to compare."""
    lengths = [[len(text.split()) for text in texts] for texts in (some, others)]
    return float(ks_2samp(*lengths).statistic) if all(lengths) else math.nan


def _mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else math.nan


def _rewards(replies: Sequence[str], scorer: Scorer) -> list[float]:
    """The reward of each reply; a blank one is 0.5 and never shown to the classifier."""
    spoken = [text for text in replies if text]
    found = iter(scorer(spoken) if spoken else [])
    return [next(found) if text else 0.5 for text in replies]
