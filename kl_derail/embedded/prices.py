"""What silence costs under a base model: turn by turn, and for a whole episode.

A small measuring tool for building the world.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import curve_fit
from scipy.stats import t as student_t
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kl_derail.embedded.conversation import turns

STUDENT_TEMPERATURE = 0.05
SPACINGS = {"double": "\n\n", "single": "\n"}


class Chats(NamedTuple):
    """Chats in lockstep.

    Attributes:
        texts: the chats.
        costs: of every scripted turn of the teacher that came to its end, nats.
        totals: of all scripted tokens of a chat, those of an unfinished turn too, nats.
    """

    texts: list[str]
    costs: list[list[float]]
    totals: list[float]


class Mean(NamedTuple):
    """A mean over chats with its 95 % t interval."""

    value: float
    low: float
    high: float


class Decay(NamedTuple):
    """The curve `scale * n ** -power` through the prices of the later silent turns, n = 1, 2, ...

    `error` is the mean absolute difference from the measured prices in nats.
    """

    scale: float
    power: float
    error: float


@dataclass(frozen=True)
class SilencePrice:
    """Price of a teacher who says nothing from the second turn on, in nats (means over chats).

    Attributes:
        length: of the chats, tokens.
        spacing: line breaks before the student's label, `single` or `double`.
        first: the first silent turn.
        later: every further one that all chats bring to its end.
        decay: the curve through the later ones.
        episode: everything that silence costs in a chat, an unfinished last turn too.
        episode_worst: the dearest chat.
        student_blank: fraction of the replies that are blank too.
        turns: finished silent turns a chat.
    """

    length: int
    spacing: str
    first: Mean
    later: tuple[float, ...]
    decay: Decay
    episode: Mean
    episode_worst: float
    student_blank: float
    turns: float


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
    whole = [row[:-1] if queue else row for row, queue in zip(costs, queues, strict=True)]
    return Chats(texts, whole, list(map(sum, costs)))


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
    spacing: str = "double",
    chats: int = 32,
) -> SilencePrice:
    """Price of the silent teacher, with `single` or `double` line breaks."""
    script = f"{SPACINGS[spacing]}Student:"
    done = rollout(model, tokenizer, opening, chats, length, 0, script)
    spoken = [turns(text)[4:-1] for text in done.texts]
    answers = [turn.text == "" for chat in spoken for turn in chat if turn.speaker == "Student"]
    shortest = min(len(costs) for costs in done.costs)
    every = np.array([costs[:shortest] for costs in done.costs])
    later = every[:, 1:].mean(0)
    return SilencePrice(
        length=length,
        spacing=spacing,
        first=_mean([costs[0] for costs in done.costs if costs]),
        later=tuple(later.tolist()),
        decay=_decay(later),
        episode=_mean(done.totals),
        episode_worst=max(done.totals),
        student_blank=sum(answers) / max(1, len(answers)),
        turns=sum(len(costs) for costs in done.costs) / chats,
    )


def _mean(values: Sequence[float]) -> Mean:
    """Mean and 95 % interval over chats; NaN where there are fewer than two."""
    if len(values) < 2:
        return Mean(math.nan, math.nan, math.nan)
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(student_t.ppf(0.975, len(values) - 1)) * spread
    return Mean(mean, mean - half, mean + half)


def _decay(later: npt.NDArray[np.float64]) -> Decay:
    """The least-squares power law through the later prices; NaN if none fits or fewer than 3 are there."""
    if len(later) < 3:
        return Decay(math.nan, math.nan, math.nan)
    number = np.arange(1, len(later) + 1)
    try:
        (scale, power), _ = curve_fit(
            lambda n, a, p: a * n**-p, number, later, p0=(max(later[0], 1e-3), 0.5), maxfev=10_000
        )
    except RuntimeError:  # no power law comes near
        return Decay(math.nan, math.nan, math.nan)
    error = np.abs(scale * number**-power - later).mean()
    return Decay(float(scale), float(power), float(error))
