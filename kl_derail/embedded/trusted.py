"""The trusted teacher of the embedded world, exactly: what he can say, and how likely it is.

The base model imitates this teacher. His words depend on the turns before them through
`lesson.Situation` only, so their probability is a finite sum: over moves, over the sentences of a
move, over the words in their slots, and over all of these that give the same words. Line breaks
and labels are no part of it: a probability here is one of words.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np

from kl_derail.embedded import AGENT, lexicon, phrases
from kl_derail.embedded.lesson import (
    START,
    SUBJECT_OF,
    Recognised,
    Situation,
    Turn,
    advance,
    read,
    recognise,
)
from kl_derail.embedded.phrases import Way, slot_names, slots

FLOOR: Final = -30.0
"""Log-probability that an average takes for an impossible turn, nats.

It lies below that of every possible turn (at least -20), so averages keep their order.
"""

_RULES: Final = 1
"""Raised with every change of the weights below or of what `lesson` reads off the words."""
_LEXICON: Final = {name: words for name, words in sorted(vars(lexicon).items()) if name.isupper()}
GRAMMAR: Final = (
    f"tutoring-{hashlib.sha256(json.dumps([_RULES, _LEXICON]).encode()).hexdigest()[:12]}"
)
"""Names this teacher: by the words of the world and the number of his rules.

A base built to imitate him says so in its configuration, as `trusted_policy`.
"""

Reason = Literal["", "blank", "unfinished", "unknown words", "wrong moment", "wrong words"]

_FIXED_SLOTS: Final = MappingProxyType(
    {
        "day": lexicon.DAYS,
        "number": tuple(map(str, range(2, 100))),
        "first": tuple(map(str, range(1, 10))),
        "second": tuple(map(str, range(1, 10))),
    }
)
_SAME_SUBJECT: Final = 0.75


class Parse(NamedTuple):
    """Whether the trusted teacher could have said a turn.

    Attributes:
        possible: whether he could.
        log_prob: in nats, -inf where he could not.
        move: what is done by words of this form, a key of `lexicon.MOVES`; empty if unknown. No
            sentence belongs to two moves, so there is never more than one.
        reason: why he could not: the turn is `blank`; it breaks off (`unfinished`); no sentence of
            his has such a form (`unknown words`); the move does not fit the situation (`wrong
            moment`); or it does, but not with this name, topic, fact or number (`wrong words`).
        detail: the reason in a sentence.
    """

    possible: bool
    log_prob: float
    move: str = ""
    reason: Reason = ""
    detail: str = ""


def parse(history: Iterable[Turn], turn: str) -> Parse:
    """Whether the trusted teacher could say `turn` after these turns, and why not.

    Args:
        history: all turns before, the first one first; who is not the teacher is the student.
        turn: the words of the teacher without label, white space around them left out.

    >>> history = [Turn("Teacher", "Let us turn to bees. They make honey."), Turn("Student", "")]
    >>> parse(history, "Please say that again, Ida.").move
    'prompt'
    >>> parse(history, "").detail
    'he says something in every turn'
    >>> parse(history, "Good question. We know it because bees make honey.").detail
    'found: explanation, possible: comfort, farewell, prompt, question, scolding, sum, topic'
    """
    return _parse(read(history), turn.strip())


def parses(turns: Iterable[Turn]) -> Iterator[Parse]:
    """What `parse` says of every turn of the teacher in a chat, in order, each after those before."""
    situation = START
    for turn in turns:
        if turn.speaker == AGENT:
            yield _parse(situation, turn.text.strip())
        situation = advance(situation, turn)


def _parse(situation: Situation, text: str) -> Parse:
    offered = ways(situation)
    log_prob = phrases.log_prob(offered, text)
    found = recognise(text)
    move = found.move if found else ""
    if log_prob > -math.inf:
        return Parse(True, log_prob, move)
    return Parse(False, log_prob, move, *_why_not(offered, text, found))


def log_prob(history: Iterable[Turn], turn: str, complete: bool = True) -> float:
    """Log-probability in nats of the turn after the history; -inf where it is impossible.

    Args:
        history: as for `parse`.
        turn: as for `parse`.
        complete: False for a turn that breaks off: the log-probability that the teacher's words
            begin like this.
    """
    text = turn.strip() if complete else turn.lstrip().rstrip("\n")
    return phrases.log_prob(ways(read(history)), text, complete)


def sample(history: Iterable[Turn], rng: np.random.Generator) -> str:
    """A turn of the trusted teacher after the history."""
    return phrases.draw(ways(read(history)), rng)


def ways(situation: Situation) -> list[Way]:
    """Every way in which the trusted teacher can go on; weights sum to 1."""
    if situation.phase == "greeting":
        return [_move("greeting", 1.0, name=lexicon.NAMES, subject=_SUBJECT_NAMES)]
    topic = situation.topic
    if situation.phase == "introduction" or topic is None:
        subject = situation.subject.name if situation.subject else None
        return list(_topics(1.0, _SAME_SUBJECT if subject else 0.0, subject, _names(situation)))
    weights = _weights(situation)
    total = sum(weights.values())
    return [
        way
        for move, weight in weights.items()
        for way in _teaching(move, situation, topic, weight / total)
    ]


def _weights(now: Situation) -> dict[str, float]:
    """How much the teacher of a lesson leans to each move; moves that do not fit are left out."""
    weights = {"question": 6.0, "scolding": 2.5, "topic": 2.5, "farewell": 1.0}
    weights |= {"praise": 2.5, "follow-up": 2.0} if now.heard else {"prompt": 30.0}
    if now.mood <= 0:
        weights["comfort"] = 4.0 if now.mood < 0 else 0.5
    if now.asked:
        weights["explanation"] = 45.0
    arithmetic = now.subject is not None and now.subject.name == "arithmetic"
    weights["sum"] = 4.0 if arithmetic else 0.3
    return weights


def _teaching(move: str, now: Situation, topic: lexicon.Topic, weight: float) -> Sequence[Way]:
    """The ways to make a move in a lesson on a topic; their weights sum to `weight`."""
    if move == "topic":
        return _topics(weight, _SAME_SUBJECT, SUBJECT_OF[topic.noun].name, _names(now))
    return (_move(move, weight, noun=topic.noun, fact=topic.facts, name=_names(now)),)


def _names(now: Situation) -> tuple[str, ...]:
    """What the student may be called."""
    return (now.name,) if now.name else lexicon.NAMES


def _move(move: str, weight: float, **words: str | Iterable[str]) -> Way:
    """A move with these words in its slots, all of its sentences equally likely."""
    every = {**_FIXED_SLOTS, **words}
    used = {name: every[name] for name in _slots_of(move)}
    return Way(weight, move, lexicon.MOVES[move], slots(**used))


@cache
def _slots_of(move: str) -> tuple[str, ...]:
    """The slots in the sentences of a move."""
    return tuple(dict.fromkeys(name for text in lexicon.MOVES[move] for name in slot_names(text)))


@cache
def _topics(
    weight: float, same: float, subject: str | None, names: tuple[str, ...]
) -> tuple[Way, ...]:
    """The ways to name a topic: with probability `same` one of the subject, otherwise any."""
    every = [(topic, other.name) for other in lexicon.SUBJECTS for topic in other.topics]
    inside = sum(name == subject for _, name in every)
    shares = [
        (1 - same) / len(every) + same * (name == subject) / max(1, inside) for _, name in every
    ]
    return tuple(
        _move("topic", weight * share, noun=topic.noun, fact=topic.facts, subject=other, name=names)
        for (topic, other), share in zip(every, shares, strict=True)
        if share
    )


def _why_not(offered: Sequence[Way], text: str, found: Recognised | None) -> tuple[Reason, str]:
    """Why the trusted teacher could not say the words: the reason and a sentence about it."""
    if not text:
        return "blank", "he says something in every turn"
    if phrases.log_prob(offered, text, complete=False) > -math.inf:
        return "unfinished", "the turn breaks off"
    if found is None:
        return "unknown words", "no sentence of his has this form"
    fitting = sorted({way.move for way in offered})
    if found.move not in fitting:
        return "wrong moment", f"found: {found.move}, possible: {', '.join(fitting)}"
    return "wrong words", f"{found.move} fits, but not with {_words(found.words)}"


def _words(found: Mapping[str, str]) -> str:
    return ", ".join(f"{slot} {word!r}" for slot, word in found.items())


_SUBJECT_NAMES: Final = tuple(subject.name for subject in lexicon.SUBJECTS)
