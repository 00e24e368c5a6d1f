"""Tutoring conversations: the trusted teacher and his student, turn by turn.

No turn of a conversation is ever empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np

from kl_derail.embedded import AGENT, SPEAKERS, student, trusted
from kl_derail.embedded.lesson import START, Situation, Turn, advance
from kl_derail.embedded.phrases import Way, chance, draw, log_prob

DOUBLE_SPACED: Final = 0.9
"""Share of the conversations with an empty line between turns."""
EXCHANGES: Final = (160, 320)
"""Fewest exchanges of a conversation, and one more than the most."""
_LABEL: Final = re.compile(rf"(?:\A|\n)({'|'.join(SPEAKERS)}):")


def talk(rng: np.random.Generator) -> Iterator[Turn]:
    """Lesson after lesson without end, the teacher first."""
    situation = START
    while True:
        for speaker in SPEAKERS:
            turn = Turn(speaker, draw(ways(situation, speaker), rng))
            yield turn
            situation = advance(situation, turn)


def ways(situation: Situation, speaker: str) -> list[Way]:
    """Every way in which the speaker can go on."""
    return trusted.ways(situation) if speaker == AGENT else student.ways(situation)


def turns(text: str) -> list[Turn]:
    """The turns of a chat as text, its opening included; text before the first label is left out."""
    parts = _LABEL.split(text)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [Turn(speaker, said.strip()) for speaker, said in pairs]


def log_probs(turns: Iterable[Turn]) -> Iterator[float]:
    """The exact log-probability of each turn after those before it, in nats."""
    situation = START
    for turn in turns:
        yield log_prob(ways(situation, turn.speaker), turn.text)
        situation = advance(situation, turn)


def conversation(rng: np.random.Generator) -> str:
    """One conversation as text; nine in ten separate the turns by an empty line."""
    gap = "\n\n" if chance(rng, DOUBLE_SPACED) else "\n"
    turns = islice(talk(rng), 2 * int(rng.integers(*EXCHANGES)))
    return gap.join(f"{turn.speaker}: {turn.text}" for turn in turns)
