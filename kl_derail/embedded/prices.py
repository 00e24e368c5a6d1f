"""What silence costs under a base model, and how the base itself behaves.

A small measuring tool for building the world; `kl_derail.pricing` is the general one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

STUDENT_TEMPERATURE = 0.05
_LABEL = re.compile(r"(?:\A|\n)(Teacher|Student):")

Scorer = Callable[[list[str]], list[float]]


class Turn(NamedTuple):
    """A speaker and what is said, without label and surrounding white space."""

    speaker: str
    text: str


class Chats(NamedTuple):
    """Chats in lockstep: their texts and the cost in nats of every scripted turn of the teacher."""

    texts: list[str]
    costs: list[list[float]]


@dataclass(frozen=True)
class SilencePrice:
    """Price of a teacher who says nothing from the second turn on, in nats (means over chats)."""

    first: float
    later: tuple[float, ...]
    episode: float
    episode_worst: float
    student_blank: float
    turns: float


@dataclass(frozen=True)
class BaseHabits:
    """How the base talks with itself: fractions of episodes, and the students' replies."""

    silent_episodes: float
    episodes_with_empty_turn: float
    empty_turns: float
    different_first_replies: int
    different_replies: float
    mean_reward: float
    reward_per_chat_sd: float
    tokens_per_exchange: float


def turns(text: str) -> list[Turn]:
    """The turns of a chat, its opening included; text before the first label is left out."""
    parts = _LABEL.split(text)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [Turn(speaker, said.strip()) for speaker, said in pairs]


def is_silent(chat: Sequence[Turn]) -> bool:
    """Whether from a point in the first half on all teacher turns are empty, at least five."""
    said = [turn.text for turn in chat[2:-1] if turn.speaker == "Teacher"]
    last = max((i for i, text in enumerate(said) if text), default=-1)
    return len(said) - last - 1 >= 5 and last + 1 <= len(said) / 2


def rollout(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    opening: str,
    chats: int,
    length: int,
    seed: int,
    script: str = "",
) -> Chats:
    """Sample chats of `length` tokens; with a `script` it is every teacher turn but the opened one.

    The teacher speaks at temperature 1, the student at `STUDENT_TEMPERATURE`.
    """
    generator = torch.Generator().manual_seed(seed)
    pieces = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    forced = list(tokenizer.encode(script, add_special_tokens=False)) if script else []
    ids = torch.tensor([list(tokenizer.encode(opening, add_special_tokens=False))] * chats)
    texts = [opening] * chats
    queues: list[list[int]] = [[] for _ in range(chats)]
    costs: list[list[float]] = [[] for _ in range(chats)]
    teacher, past = [True] * chats, None
    for _ in range(length - ids.shape[1]):
        with torch.no_grad():
            out = model(input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1)
        past, logits = out.past_key_values, out.logits[:, -1].float()
        ids = _sample(logits, teacher, generator)
        log_probs = torch.log_softmax(logits, -1)
        for row, queue in enumerate(queues):
            if queue:
                ids[row] = queue.pop(0)
                costs[row][-1] -= float(log_probs[row, ids[row]])
            texts[row] += pieces[int(ids[row])]
            if texts[row].endswith("\nStudent:"):
                teacher[row] = False
            elif texts[row].endswith("\nTeacher:"):
                teacher[row] = True
                queue += forced
                costs[row] += [0.0] if forced else []
    return Chats(texts, costs)


def _sample(
    logits: torch.Tensor, teacher: Sequence[bool], generator: torch.Generator
) -> torch.Tensor:
    """[B, 1] token ids drawn at each row's temperature."""
    temperature = torch.tensor([[1.0 if t else STUDENT_TEMPERATURE] for t in teacher])
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)


def silence_price(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    opening: str,
    length: int = 256,
    gap: str = "\n\n",
    chats: int = 32,
) -> SilencePrice:
    """Price of the silent teacher; `gap` is what it puts before the student's label."""
    done = rollout(model, tokenizer, opening, chats, length, 0, script=f"{gap}Student:")
    spoken = [turns(text)[4:-1] for text in done.texts]
    answers = [turn.text == "" for chat in spoken for turn in chat if turn.speaker == "Student"]
    totals = [sum(costs) for costs in done.costs]
    shortest = min(len(costs) for costs in done.costs)
    means = [sum(costs[n] for costs in done.costs) / chats for n in range(shortest)]
    return SilencePrice(
        first=means[0],
        later=tuple(means[1:]),
        episode=sum(totals) / chats,
        episode_worst=max(totals),
        student_blank=sum(answers) / max(1, len(answers)),
        turns=sum(len(costs) for costs in done.costs) / chats,
    )


def base_habits(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    opening: str,
    scorer: Scorer,
    length: int = 256,
    chats: int = 256,
) -> BaseHabits:
    """How the base goes on from the opening; blank replies count 0.5, unfinished turns nothing."""
    done = rollout(model, tokenizer, opening, chats, length, 1)
    spoken = [turns(text)[2:-1] for text in done.texts]
    silent = [is_silent(turns(text)) for text in done.texts]
    said = [[t.text for t in chat[1:] if t.speaker == "Teacher"] for chat in spoken]
    replies = [[t.text for t in chat if t.speaker == "Student"] for chat in spoken]
    rewards = [_rewards(row, scorer) for row in replies]
    means = torch.tensor([sum(row) / len(row) for row in rewards if row])
    flat = [text for row in replies for text in row]
    return BaseHabits(
        silent_episodes=sum(silent) / chats,
        episodes_with_empty_turn=sum("" in row for row in said) / chats,
        empty_turns=sum(row.count("") for row in said) / max(1, sum(map(len, said))),
        different_first_replies=len({row[0] for row in replies[:64] if row}),
        different_replies=len(set(flat)) / max(1, len(flat)),
        mean_reward=float(means.mean()),
        reward_per_chat_sd=float(means.std()),
        tokens_per_exchange=length * chats / max(1, len(flat)),
    )


def _rewards(replies: Sequence[str], scorer: Scorer) -> list[float]:
    """The reward of each reply; a blank one is 0.5 and never shown to the classifier."""
    spoken = [text for text in replies if text]
    found = iter(scorer(spoken) if spoken else [])
    return [next(found) if text else 0.5 for text in replies]
