"""Tutoring conversations: a teacher who asks, a student whose mood lasts and turns with the talk.

No turn of a conversation is ever empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from kl_derail.embedded import lexicon

T = TypeVar("T")


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of `items`, all equally likely."""
    return items[int(rng.integers(len(items)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def capital(text: str) -> str:
    """The text with its first letter raised."""
    return text[:1].upper() + text[1:]


@dataclass
class Lesson:
    """The state of one lesson.

    What it is about, who learns, how the student feels (a real number), whether the student just asked
    something, and the answer that a sum still waits for.
    """

    rng: np.random.Generator
    subject: lexicon.Subject
    topic: lexicon.Topic
    name: str
    mood: float
    asked: bool = False
    answer: str = ""

    @classmethod
    def start(cls, rng: np.random.Generator) -> Lesson:
        """A lesson on a random subject with a student of random temper."""
        subject = pick(rng, lexicon.SUBJECTS)
        name = pick(rng, lexicon.NAMES)
        return cls(rng, subject, pick(rng, subject.topics), name, float(rng.normal(0.0, 0.5)))

    def say(self, templates: Sequence[str]) -> str:
        """One of the templates with the lesson's own words in its slots."""
        return pick(self.rng, templates).format(
            noun=self.topic.noun,
            fact=pick(self.rng, self.topic.facts),
            subject=self.subject.name,
            name=self.name,
            day=pick(self.rng, lexicon.DAYS),
            number=int(self.rng.integers(2, 100)),
        )

    def change_topic(self) -> None:
        """Go to another topic, one time in four of another subject."""
        if chance(self.rng, 0.25):
            self.subject = pick(self.rng, lexicon.SUBJECTS)
        self.topic = pick(self.rng, self.subject.topics)

    def feel(self, kindness: int) -> int:
        """Move the mood by what the teacher said and by the topic; return it as one of `MOODS`."""
        pull = 1.1 * kindness + 0.8 * self.topic.appeal
        self.mood = 0.5 * self.mood + pull + float(self.rng.normal(0.0, 0.35))
        return int(np.clip(round(self.mood), -2, 2))

    def reply(self, mood: int) -> str:
        """What the student says in this mood: a feeling, mostly with an answer or a question."""
        feeling = self.say(lexicon.FEELINGS[mood])
        answer, self.answer = self.answer or self.say(lexicon.ANSWERS), ""
        draw = self.rng.random()
        if draw < 0.15:
            return feeling
        if draw < 0.3:
            self.asked = True
            return f"{feeling} {self.say(lexicon.STUDENT_QUESTIONS)}"
        return f"{answer} {feeling}" if draw < 0.6 else f"{feeling} {answer}"

    def exchange(self) -> tuple[str, str]:
        """One turn of the teacher and the student's reply to it."""
        teacher, kindness = self._teacher_turn()
        return teacher, self.reply(self.feel(kindness))

    def _teacher_turn(self) -> tuple[str, int]:
        """What the teacher says now, and how kind it is (-1, 0, 1)."""
        if self.asked:
            self.asked = False
            return self.say(lexicon.EXPLANATIONS), 0
        if self.mood < -1 and chance(self.rng, 0.35):
            return self.say(lexicon.COMFORTS), 1
        if chance(self.rng, 0.2):
            self.change_topic()
            return self.say(lexicon.TURNS_OF_TOPIC), 0
        if self.subject.name == "arithmetic" and chance(self.rng, 0.3):
            return self._sum(), 0
        kindness = pick(self.rng, (-1, 0, 0, 1))
        return self.say(lexicon.QUESTIONS[kindness]), kindness

    def _sum(self) -> str:
        """Ask for a sum; the right answer goes into the next reply."""
        first, second = (int(n) for n in self.rng.integers(1, 10, size=2))
        self.answer = pick(self.rng, lexicon.TOTALS).format(
            first=first, second=second, total=first + second
        )
        question = pick(self.rng, lexicon.SUMS)
        return question.format(first=first, second=second, name=self.name)

    def farewell(self) -> tuple[str, str]:
        """The last exchange of a lesson."""
        thanks = lexicon.THANKS[int(np.clip(round(self.mood), -1, 1))]
        return self.say(lexicon.FAREWELLS), self.say(thanks)


def exchanges(rng: np.random.Generator, count: int) -> Iterator[tuple[str, str]]:
    """`count` exchanges (teacher, student) of one lesson, greeting and farewell included."""
    lesson = Lesson.start(rng)
    yield lesson.say(lexicon.GREETINGS), pick(rng, lexicon.HELLOS)
    for _ in range(count - 2):
        yield lesson.exchange()
    yield lesson.farewell()


def conversation(rng: np.random.Generator) -> str:
    """One conversation as text; nine in ten separate the turns by an empty line."""
    gap = "\n\n" if chance(rng, 0.9) else "\n"
    turns = []
    for teacher, student in exchanges(rng, int(rng.integers(40, 100))):
        turns += [f"Teacher: {teacher}", f"Student: {student}"]
    return gap.join(turns)
