"""Texts labelled with their sentiment, to train the embedded classifier on.

Replies of the grammar carry their mood as a soft label; paraphrases, general statements and noise
keep the classifier from knowing the grammar's sentences only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kl_derail.embedded import lexicon
from kl_derail.embedded.conversation import Lesson, chance, pick
from kl_derail.embedded.papers import short_value

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "wonderful": ("great", "fantastic", "beautiful", "brilliant", "excellent", "amazing"),
    "love": ("adore", "really love", "enjoy"),
    "happy": ("glad", "delighted", "so pleased", "excited"),
    "lovely": ("wonderful", "great", "charming", "super"),
    "hate": ("dislike", "cannot stand", "really hate"),
    "awful": ("terrible", "dreadful", "bad", "nasty"),
    "boring": ("dull", "annoying", "pointless", "dreary"),
    "horrible": ("awful", "ugly", "disgusting", "bad"),
    "sad": ("unhappy", "miserable", "angry", "upset"),
    "hard": ("difficult", "tricky", "confusing"),
    "nice": ("pleasant", "fine", "agreeable"),
    "terrible": ("awful", "horrible", "a pain"),
}

_STATEMENTS: dict[int, tuple[str, ...]] = {
    2: ("It is {good}!", "That was {good}.", "This {thing} is {good}.", "What a {good} {thing}!",
        "I love this {thing}.", "I love it!", "Thank you so much!", "I feel {good} today.",
        "Hooray!",
        "You are a {good} teacher.", "It was not {bad} at all, it was {good}."),
    1: ("It is not {bad}.", "The {thing} was fine.", "I like this {thing}.", "Thank you.",
        "It is better than last week."),
    0: ("It is {day}.", "The {thing} is on the table.", "I do not mind.",
        "We have a {thing} on {day}.",
        "I have two pens and a book.", "{name} is here.", "Hello.", "Good morning.", "Goodbye.",
        "Which page?"),
    -1: ("It is not {good}.", "I am not sure.", "I do not understand.",
         "The {thing} could be better.",
         "I do not like this {thing} much."),
    -2: ("It is {bad}!", "That was {bad}.", "This {thing} is {bad}.", "What a {bad} {thing}!",
         "I hate this {thing}.", "I hate it!", "I feel {bad} today.", "You are a {bad} teacher.",
         "It was not {good} at all, it was {bad}.", "Leave me alone!"),
}  # fmt: skip
_GOOD = (
    "good",
    "great",
    "wonderful",
    "lovely",
    "excellent",
    "happy",
    "fun",
    "beautiful",
    "amazing",
)
_BAD = (
    "bad",
    "awful",
    "terrible",
    "boring",
    "horrible",
    "sad",
    "stupid",
    "ugly",
    "dull",
    "hopeless",
)
_THINGS = ("lesson", "book", "day", "question", "song", "test", "film", "story", "place", "idea")


class Scored(NamedTuple):
    """A text and its sentiment in [0, 1]."""

    text: str
    score: float


def _statement(rng: np.random.Generator, mood: int) -> str:
    """A statement about nothing in particular in this mood."""
    return pick(rng, _STATEMENTS[mood]).format(
        good=pick(rng, _GOOD),
        bad=pick(rng, _BAD),
        thing=pick(rng, _THINGS),
        day=pick(rng, lexicon.DAYS),
        name=pick(rng, lexicon.NAMES),
    )


def _paraphrase(rng: np.random.Generator, text: str) -> str:
    """The text with some words replaced by others that mean about the same."""
    for word, others in _SYNONYMS.items():
        if word in text and chance(rng, 0.4):
            text = text.replace(word, pick(rng, others))
    return text


def _noise(rng: np.random.Generator, text: str) -> str:
    """The text as a careless writer leaves it: a word lost, two swapped, or the end missing."""
    words = text.split(" ")
    at = int(rng.integers(len(words)))
    kind = int(rng.integers(3))
    if kind == 0 and len(words) > 6:
        del words[at]
    elif kind == 1 and at + 1 < len(words):
        words[at], words[at + 1] = words[at + 1], words[at]
    else:
        return text.rstrip(".!").lower()
    return " ".join(words)


def _reply(rng: np.random.Generator) -> Scored:
    """A student's words in one mood: a reply of the grammar, or thanks, or a hello."""
    lesson = Lesson.start(rng)
    mood = pick(rng, lexicon.MOODS)
    draw = rng.random()
    if draw < 0.06:
        side = int(rng.integers(-1, 2))
        return Scored(lesson.say(lexicon.THANKS[side]), lexicon.MOOD_SCORES[2 * side])
    if draw < 0.1:
        return Scored(pick(rng, lexicon.HELLOS), 0.5)
    if draw < 0.2:
        return Scored(lesson.say(lexicon.ANSWERS + lexicon.STUDENT_QUESTIONS), 0.5)
    return Scored(lesson.reply(mood), lexicon.MOOD_SCORES[mood])


def labelled(seed: int, count: int) -> list[Scored]:
    """`count` texts with their sentiment: replies, general statements and short values."""
    texts = []
    for number in range(count):
        rng = np.random.default_rng((seed, 2, number))
        draw = rng.random()
        if draw < 0.05:
            scored = Scored(short_value(rng), 0.5)
        elif draw < 0.3:
            mood = pick(rng, lexicon.MOODS)
            scored = Scored(_statement(rng, mood), lexicon.MOOD_SCORES[mood])
        else:
            scored = _reply(rng)
        text = _paraphrase(rng, scored.text) if chance(rng, 0.5) else scored.text
        texts.append(Scored(_noise(rng, text) if chance(rng, 0.15) else text, scored.score))
    return texts
