"""What a lesson has come to, read off the words that were said and nothing else.

Both speakers of the grammar choose their words from a `Situation` alone, and a `Situation` is a
function of the turns so far. That is what makes the probability of a turn exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from kl_derail.embedded import AGENT, lexicon
from kl_derail.embedded.phrases import slot_names

Phase = Literal["greeting", "introduction", "teaching"]

SUBJECTS: Final = MappingProxyType({subject.name: subject for subject in lexicon.SUBJECTS})
TOPICS: Final = MappingProxyType(
    {topic.noun: topic for subject in lexicon.SUBJECTS for topic in subject.topics}
)
SUBJECT_OF: Final = MappingProxyType(
    {topic.noun: subject for subject in lexicon.SUBJECTS for topic in subject.topics}
)


class Turn(NamedTuple):
    """A speaker and what is said, without label; white space around the words does not matter."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Situation:
    """Where a lesson stands.

    Attributes:
        phase: what the teacher has to do next: greet, name a first topic, or teach.
        name: the student's, from the last greeting; None before one.
        subject: what is taught; None while unknown.
        topic: the last that the teacher named; None before the first.
        move: the teacher's last; None where the words are none of the teacher's.
        summands: the numbers of a sum that was asked last.
        heard: whether the student's last words make sense here.
        asked: whether they end in a question.
        mood: the last that the student showed, one of `lexicon.MOODS`.
    """

    phase: Phase = "greeting"
    name: str | None = None
    subject: lexicon.Subject | None = None
    topic: lexicon.Topic | None = None
    move: str | None = None
    summands: tuple[int, int] | None = None
    heard: bool = True
    asked: bool = False
    mood: int = 0


START: Final = Situation()


class Recognised(NamedTuple):
    """The move that a sentence of the teacher makes and the words in its slots."""

    move: str
    words: Mapping[str, str]


def read(history: Iterable[Turn]) -> Situation:
    """The situation after these turns, whoever said them and however odd they are."""
    return reduce(advance, history, START)


def advance(situation: Situation, turn: Turn) -> Situation:
    """The situation after one more turn; who is not the teacher is the student."""
    if turn.speaker == AGENT:
        return _after_teacher(replace(situation, asked=False), turn.text.strip())
    return _after_student(situation, turn.text.strip())


def _after_teacher(now: Situation, text: str) -> Situation:
    found = recognise(text)
    if found is None:
        return _on_topic(replace(now, move=None, summands=None), last_noun(text))
    words, move = found.words, found.move
    if move == "greeting":
        subject = SUBJECTS.get(words.get("subject", ""))
        return Situation("introduction", words["name"], subject, move=move, mood=now.mood)
    if move == "farewell":
        return replace(now, phase="greeting", move=move, summands=None)
    summands = (int(words["first"]), int(words["second"])) if move == "sum" else None
    return _on_topic(replace(now, move=move, summands=summands), words.get("noun"))


def _on_topic(now: Situation, noun: str | None) -> Situation:
    """The situation with this noun as its topic, where there is one: who names one teaches it."""
    if noun is None:
        return now
    return replace(now, phase="teaching", topic=TOPICS[noun], subject=SUBJECT_OF[noun])


def _after_student(now: Situation, text: str) -> Situation:
    mood = mood_of(text)
    facts = now.topic.facts if now.topic else ()
    said, asked = any(fact in text for fact in facts), text.endswith("?")
    answered = now.summands is not None and bool(_NUMBER.search(text))
    heard = mood is not None or said or asked or answered or now.phase != "teaching"
    return replace(now, heard=heard, asked=asked, mood=now.mood if mood is None else mood)


@lru_cache(maxsize=4096)
def recognise(text: str) -> Recognised | None:
    """The move that these words of the teacher make, whether or not it fits; None if none."""
    for move, patterns in _MOVE_PATTERNS.items():
        for pattern in patterns:
            if match := pattern.fullmatch(text):
                return Recognised(move, MappingProxyType(match.groupdict()))
    return None


@lru_cache(maxsize=4096)
def mood_of(text: str) -> int | None:
    """The mood of the first feeling that the student names; None if there is none."""
    found = [
        (match.start(), mood)
        for mood, pattern in _FEELING_PATTERNS.items()
        if (match := pattern.search(text))
    ]
    return min(found)[1] if found else None


def last_noun(text: str) -> str | None:
    """The last topic that the words name, facts left out."""
    found = _NOUN.findall(_FACT.sub("", text))
    return found[-1] if found else None


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_NOUN: Final = re.compile(rf"\b({_any_of(TOPICS)})\b")
_FACT: Final = re.compile(_any_of(fact for topic in TOPICS.values() for fact in topic.facts))
_NUMBER: Final = re.compile(r"[0-9]")
_WORDS: Final = MappingProxyType(
    {
        "noun": _any_of(TOPICS),
        "fact": _any_of(fact for topic in TOPICS.values() for fact in topic.facts),
        "subject": _any_of(SUBJECTS),
        "name": _any_of(lexicon.NAMES),
        "day": _any_of(lexicon.DAYS),
        "number": r"[0-9]{1,2}",
        "first": r"[0-9]",
        "second": r"[0-9]",
    }
)


def _pattern(template: str) -> re.Pattern[str]:
    """Matches every sentence of the template, whatever the topic; a group for each slot."""
    groups = {name: f"(?P<{name}>{_WORDS[name]})" for name in slot_names(template)}
    literal = re.sub(r"\\([{}])", r"\1", re.escape(template))
    return re.compile(literal.format(**groups))


_MOVE_PATTERNS: Final = MappingProxyType(
    {move: tuple(map(_pattern, templates)) for move, templates in lexicon.MOVES.items()}
)
_FEELING_PATTERNS: Final = MappingProxyType(
    {
        mood: re.compile(
            "|".join(
                _pattern(text).pattern.replace("?P<noun>", "?:").replace("?P<subject>", "?:")
                for text in feelings
            )
        )
        for mood, feelings in lexicon.FEELINGS.items()
    }
)
