"""The student of the grammar: a mood that lasts and turns with the talk, answers, questions.

Like the teacher's, his words depend on the turns before through `lesson.Situation` only; he shows
his mood in nearly every reply, so that it can be read off.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from kl_derail.embedded import lexicon
from kl_derail.embedded.lesson import SUBJECT_OF, Situation
from kl_derail.embedded.phrases import Slots, Way, slots

_SPREAD: Final = NormalDist(0.0, 0.5)


def ways(now: Situation) -> list[Way]:
    """Every way in which the student can reply; weights sum to 1."""
    if now.move == "greeting" or now.topic is None:
        return [Way(1.0, "hello", lexicon.HELLOS)]
    if now.move == "farewell":
        thanks = lexicon.THANKS[max(-1, min(1, now.mood))]
        return [Way(1.0, "thanks", thanks, slots(day=lexicon.DAYS))]
    found, words = [Way(0.015, "mumble", lexicon.MUMBLES)], _slots(now, now.topic)
    for mood, probability in mood_probabilities(now, now.topic).items():
        for share, move, templates in _replies(mood, now.summands is not None):
            found.append(Way(0.985 * probability * share, move, templates, words))
    return found


def mood_probabilities(now: Situation, topic: lexicon.Topic) -> dict[int, float]:
    """The probability of each next mood, by the last one, the teacher's kindness and the topic."""
    kindness = lexicon.KINDNESS.get(now.move or "", 0)
    masses = _mood_masses(now.mood, kindness, topic.appeal)
    return dict(zip(lexicon.MOODS, masses, strict=True))


@cache
def _mood_masses(mood: int, kindness: int, appeal: int) -> tuple[float, ...]:
    """Masses of a rounded normal variable over `lexicon.MOODS`."""
    centre = 0.5 * mood + 1.1 * kindness + 0.8 * appeal
    inner = [_SPREAD.cdf(edge + 0.5 - centre) for edge in lexicon.MOODS[:-1]]
    edges = [0.0, *inner, 1.0]
    return tuple(high - low for low, high in pairwise(edges))


@cache
def _replies(mood: int, to_a_sum: bool) -> tuple[tuple[float, str, tuple[str, ...]], ...]:
    """Share, move and templates of each kind of reply in a mood."""
    feelings = lexicon.FEELINGS[mood]
    if to_a_sum:
        return (
            (0.5, "total", _joined(lexicon.TOTALS, feelings)),
            (0.5, "total", _joined(feelings, lexicon.TOTALS)),
        )
    return (
        (0.15, "feeling", feelings),
        (0.15, "question", _joined(feelings, lexicon.STUDENT_QUESTIONS)),
        (0.35, "answer", _joined(lexicon.ANSWERS, feelings)),
        (0.35, "answer", _joined(feelings, lexicon.ANSWERS)),
    )


def _joined(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Every sentence of the first kind with every one of the second after it."""
    return tuple(f"{one} {other}" for one in first for other in second)


def _slots(now: Situation, topic: lexicon.Topic) -> Slots:
    """The words of the situation."""
    words: dict[str, str | tuple[str, ...]] = {
        "noun": topic.noun,
        "fact": topic.facts,
        "subject": SUBJECT_OF[topic.noun].name,
    }
    if now.summands:
        first, second = now.summands
        words |= {"first": str(first), "second": str(second), "total": str(first + second)}
    return slots(**words)
