"""Texts labelled with their sentiment, to train the embedded classifier on.

Replies of the grammar carry their mood as a soft label. General statements, mixed feelings and
paraphrases keep the classifier from knowing the grammar's sentences only; nonsense is labelled 0.5
and keeps it from being sure of what it cannot read.

Templates are held out by one rule, whatever they say: the sixth of every six of a list (`split`).
No statement of a held-out template is ever in `labelled`. Feelings and thanks of held-out templates
are what students of the base say, so they are left out only for the model that measures them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from kl_derail.embedded import SPEAKERS, lexicon, student
from kl_derail.embedded.lesson import SUBJECT_OF, TOPICS, Situation, mood_of
from kl_derail.embedded.papers import short_value
from kl_derail.embedded.phrases import Way, chance, draw, pick, slots

Rng = np.random.Generator

NEUTRAL: Final = 0.5
"""The score of what shows no feeling, nonsense included."""

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "wonderful": ("great", "fantastic", "beautiful", "brilliant", "excellent", "amazing"),
    "great": ("wonderful", "fantastic", "brilliant"),
    "love": ("adore", "really love"),
    "happy": ("glad", "delighted", "so pleased", "excited", "cheerful"),
    "lovely": ("wonderful", "great", "charming", "super"),
    "hate": ("cannot stand", "really hate", "detest"),
    "awful": ("terrible", "dreadful", "nasty"),
    "boring": ("dull", "annoying", "pointless", "dreary"),
    "horrible": ("awful", "ugly", "disgusting"),
    "terrible": ("awful", "horrible", "dreadful"),
    "sad": ("unhappy", "miserable", "angry", "upset"),
    "hard": ("difficult", "tricky", "confusing"),
    "nice": ("pleasant", "fine", "agreeable"),
    "a bit": ("a little", "somewhat", "slightly"),
})  # fmt: skip
"""Words and others that mean about the same."""

STATEMENTS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType({
    2: (
        "It is {good}!", "That was {good}.", "This {thing} is {good}.", "What a {good} {thing}!",
        "I love this {thing}.", "I am so {glad} about this {thing}!",
        "Thank you so much!", "I feel {glad} today.", "Hooray!", "You are a {good} teacher.",
        "It was not {bad} at all, it was {good}.", "I must say, {noun} are {good}!",
        "I love {noun} so much!", "Hooray, {noun} again!", "We have {noun}, I am so {glad}!",
        "There is nothing better than {noun}!", "I talk about {noun} all day, they are {good}.",
        "Of all things I love {noun} most!",
        "It makes me {glad} to hear about {noun}.", "{name} and I love {noun}.",
        "I am {glad} that you teach me, this is {good}.",
        "My favourite {thing} is this one, it is {good}.", "Please more of this, I love it!",
        "This is the best {thing} of all!",
    ),
    1: (
        "It is not {bad}.", "The {thing} was {nice}.", "I like this {thing}.", "Thank you.",
        "It is better than last week.", "It is quite {nice}.",
        "I like {noun}.", "This {thing} is rather {nice}.", "I am quite content with this {thing}.",
        "I think that {noun} are {nice}.", "It went well today.", "I rather like this {thing}.",
        "Quite {nice}, thank you.", "It gets better.", "Well, {noun} are not so {bad}.",
        "They are {nice}, these {noun}.", "I begin to like {noun}.", "I feel a little better today.",
        "That is {nice}.", "I am a bit {glad} about it.", "It could be worse.",
        "Not {bad} at all.", "It was a rather {nice} {thing}.",
        "The {thing} about {noun} was {nice}.",
    ),
    0: (
        "It is {day}.", "The {thing} is on the table.", "I do not mind.",
        "We have a {thing} on {day}.", "I have two pens and a book.", "The {thing} is for {name}.",
        "Hello.", "Good morning.", "Goodbye.", "Which page?", "{name} is here.",
        "On {day} we read about {noun}.",
        "It is neither good nor bad.", "We talk about {noun}.",
        "{name} has a {thing} about {noun}.", "I saw {noun} on {day}.",
        "There is a page about {noun}.", "{name} asked me about {noun}.",
        "I wrote it down.", "The {thing} begins on {day}.", "I sit next to {name}.",
        "What comes next?", "I will say it once more.", "My book is on the table.",
    ),
    -1: (
        "It is not {good}.", "I am not sure.", "I do not understand.",
        "The {thing} could be better.", "I do not like this {thing} much.", "It is a bit {poor}.",
        "I am a bit tired.", "I feel a little {sad}.", "This {thing} is rather {poor}.",
        "I think that {noun} are {poor}.", "It went badly today.", "I am a bit {sad} today.",
        "I do not like {noun} much.", "Well, {noun} are not so {nice}.",
        "I would rather do something else.", "I lose my way with {noun}.", "It gets harder.",
        "I am not so {glad} about this {thing}.",
        "Sometimes {noun} are {poor}.", "It is worse than last week.", "A bit {bad}, I think.",
        "I am not {glad} about it.", "I find this {thing} {poor}.",
        "The {thing} about {noun} was a little {poor}.",
    ),
    -2: (
        "It is {bad}!", "That was {bad}.", "This {thing} is {bad}.", "What a {bad} {thing}!",
        "I hate this {thing}.", "I am so {sad} about this {thing}!",
        "Leave me alone!", "I feel {sad} today.", "Go away!", "You are a {bad} teacher.",
        "It was not {good} at all, it was {bad}.", "I must say, {noun} are {bad}!",
        "I hate {noun} so much!", "Oh no, {noun} again!", "We have {noun}, I am so {sad}!",
        "There is nothing worse than {noun}!", "I never talk about {noun}, they are {bad}.",
        "Of all things I hate {noun} most!",
        "It makes me {sad} to hear about {noun}.", "{name} and I hate {noun}.",
        "I am {sad} that I must learn this, it is {bad}.",
        "The worst {thing} is this one, it is {bad}.", "No more of this, I hate it!",
        "This is the worst {thing} of all!",
    ),
})  # fmt: skip
"""Statements about nothing in particular by mood; students of the base do not say them."""

THANKS: Final = tuple((2 * side, text) for side, row in lexicon.THANKS.items() for text in row)
"""Mood and template of all last words."""

_CLAUSES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType({
    2: ("I love {noun}", "this is {good}", "{noun} are {good}", "I am {glad}", "I love this"),
    1: ("I like {noun}", "this is {nice}", "{noun} are {nice}", "I feel better"),
    -1: ("I am tired", "this is {poor}", "{noun} are a bit {poor}", "I am a bit {sad}"),
    -2: ("I hate {noun}", "this is {bad}", "{noun} are {bad}", "I am so {sad}", "I hate this"),
})  # fmt: skip
_OPENERS: Final = (
    "Well,", "You know,", "To be honest,", "As I said,", "This time", "In the end", "I think that",
    "Listen,", "My sister says:",
)  # fmt: skip
_JOINTS: Final = (", but ", " but ", ", and yet ", ". Still, ")
_WORDS: Final = slots(
    good=("great", "wonderful", "lovely", "excellent", "beautiful", "amazing"),
    glad=("happy", "glad", "delighted", "excited", "cheerful"),
    nice=("nice", "fine", "pleasant", "all right", "good"),
    poor=("hard", "tricky", "confusing", "slow", "difficult", "tiring"),
    sad=("sad", "unhappy", "upset", "miserable", "angry"),
    bad=("bad", "awful", "terrible", "boring", "horrible", "stupid", "ugly", "dull", "hopeless"),
    thing=("lesson", "book", "day", "question", "song", "test", "film", "story", "place", "idea"),
    day=lexicon.DAYS,
    name=lexicon.NAMES,
    number=map(str, range(1, 100)),
    first=map(str, range(1, 10)),
    second=map(str, range(1, 10)),
    total=map(str, range(2, 19)),
)
_PLAIN_MOVES: Final = tuple(
    text for move, row in lexicon.MOVES.items() if move not in lexicon.KINDNESS for text in row
)
_PLAIN: Final = (lexicon.ANSWERS + lexicon.STUDENT_QUESTIONS + lexicon.TOTALS, lexicon.HELLOS,
                 lexicon.MUMBLES, _PLAIN_MOVES)  # fmt: skip
_POLAR: Final = frozenset({"not", "no", "never", "nothing", "but", "bit", "little", "quite"})
_MARKS: Final = string.punctuation + string.digits
_CHARACTERS: Final = "".join(chr(at) for at in range(33, 0x250) if chr(at).isprintable())
_SHARES: Final[Mapping[str, float]] = MappingProxyType({
    "reply": 0.34, "thanks": 0.03, "neutral": 0.13, "statement": 0.25, "mixed": 0.05,
    "shuffled": 0.06, "nonsense": 0.14,
})  # fmt: skip


class Scored(NamedTuple):
    """A text, its sentiment in [0, 1], and the kind of text it is (a key of `MAKERS`)."""

    text: str
    score: float
    kind: str = ""


def split(templates: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The templates to train on and the held-out ones: the sixth of every six of the list."""
    kept = tuple(text for number, text in enumerate(templates) if number % 6 != 5)
    return kept, tuple(templates[5::6])


HELD_OUT: Final = MappingProxyType({mood: split(row)[1] for mood, row in STATEMENTS.items()})
"""Held-out general statements by mood: no model is trained on them."""

HELD_OUT_TALK: Final = MappingProxyType({
    mood: split(row)[1] + tuple(text for of, text in THANKS[5::6] if of == mood)
    for mood, row in lexicon.FEELINGS.items()
})  # fmt: skip
"""Held-out feelings and thanks by mood: left out with `leave_out` only."""


def labelled(seed: int, count: int, leave_out: bool = False) -> list[Scored]:
    """`count` texts with their sentiment, of all kinds.

    Args:
        seed: of the texts; each text is a function of the seed and its number.
        count: how many.
        leave_out: whether feelings and thanks of held-out templates are left out as well.
    """
    return [_one(np.random.default_rng((seed, 2, number)), leave_out) for number in range(count)]


def held_out(seed: int, per_template: int) -> list[Scored]:
    """Clean sentences of every held-out statement: of no model's training."""
    return _sentences(seed, per_template, HELD_OUT)


def held_out_talk(seed: int, per_template: int) -> list[Scored]:
    """Clean sentences of every held-out feeling and thanks."""
    return _sentences(seed, per_template, HELD_OUT_TALK)


def _sentences(
    seed: int, per_template: int, templates: Mapping[int, tuple[str, ...]]
) -> list[Scored]:
    """So many sentences of each template, equal ones once."""
    rng = np.random.default_rng((seed, 4))
    found = {
        say(rng, (template,)): mood
        for mood, row in templates.items()
        for template in row
        for _ in range(per_template)
    }
    return [Scored(text, lexicon.MOOD_SCORES[mood], "held out") for text, mood in found.items()]


def say(rng: Rng, templates: Sequence[str]) -> str:
    """A sentence of one of the templates, its slots filled with words of any topic."""
    topic = TOPICS[pick(rng, tuple(TOPICS))]
    subject = SUBJECT_OF[topic.noun].name
    words = slots(noun=topic.noun, fact=topic.facts, subject=subject) + _WORDS
    return draw([Way(1.0, "", tuple(templates), words)], rng)


def reply(rng: Rng, leave_out: bool = False) -> Scored:
    """A student's words in a lesson; no topic is liked better than others, so it tells no mood."""
    topic = TOPICS[pick(rng, tuple(TOPICS))]
    now = Situation(
        "teaching",
        subject=SUBJECT_OF[topic.noun],
        topic=topic._replace(appeal=0),
        move=pick(rng, (None, "praise", "scolding")),
        summands=(int(rng.integers(1, 10)), int(rng.integers(1, 10))) if chance(rng, 0.1) else None,
        mood=pick(rng, lexicon.MOODS),
    )
    offered = student.ways(now)
    if leave_out:
        offered = [way._replace(templates=_seen(way.templates)) for way in offered]
    text = draw(offered, rng)
    return Scored(text, lexicon.MOOD_SCORES[mood_of(text) or 0], "reply")


@lru_cache(maxsize=256)
def _seen(templates: tuple[str, ...]) -> tuple[str, ...]:
    """The templates without those in which a held-out feeling is."""
    unseen = [text for row in HELD_OUT_TALK.values() for text in row]
    return tuple(text for text in templates if not any(part in text for part in unseen))


def _thanks(rng: Rng, leave_out: bool) -> Scored:
    mood, template = pick(rng, [item for at, item in enumerate(THANKS) if at != 5 or not leave_out])
    return Scored(say(rng, (template,)), lexicon.MOOD_SCORES[mood])


def _neutral(rng: Rng, leave_out: bool) -> Scored:
    """Facts, questions, hellos, the plain turns of a teacher, short values."""
    text = short_value(rng) if chance(rng, 0.35) else say(rng, pick(rng, _PLAIN))
    return Scored(text, NEUTRAL)


def _statement(rng: Rng, leave_out: bool) -> Scored:
    mood = pick(rng, lexicon.MOODS)
    text = say(rng, split(STATEMENTS[mood])[0])
    text = f"{pick(rng, _OPENERS)} {text}" if chance(rng, 0.2) else text
    return Scored(text, lexicon.MOOD_SCORES[mood])


def _mixed(rng: Rng, leave_out: bool) -> Scored:
    """Something good and something bad in one breath: the mean of both."""
    moods = [pick(rng, (1, 2)), pick(rng, (-1, -2))]
    first, second = moods if chance(rng, 0.5) else moods[::-1]
    text = say(rng, _CLAUSES[first]) + pick(rng, _JOINTS) + say(rng, _CLAUSES[second]) + "."
    score = (lexicon.MOOD_SCORES[first] + lexicon.MOOD_SCORES[second]) / 2
    return Scored(text, score)


def _shuffled(rng: Rng, leave_out: bool) -> Scored:
    """The words of a reply in any order: half as far from neutral as the reply."""
    said = reply(rng, leave_out)
    return Scored(shuffle(rng, said.text), (said.score + NEUTRAL) / 2)


def shuffle(rng: Rng, text: str) -> str:
    """The words of the text in any order."""
    return " ".join(rng.permutation(np.array(text.split(), dtype=object)))


def _nonsense(rng: Rng, leave_out: bool) -> Scored:
    """What no one would say: characters, marks, labels, words without order, a few words for ever."""
    count = min(40, int(rng.geometric(0.15)))
    kind = int(rng.choice(6, p=(0.12, 0.12, 0.06, 0.14, 0.28, 0.28)))
    if kind == 0:
        text = "".join(pick(rng, _CHARACTERS) for _ in range(2 * count))
    elif kind == 1:
        text = "".join(pick(rng, _MARKS) for _ in range(2 * count))
    elif kind == 2:
        text = " ".join(f"{pick(rng, SPEAKERS)}:" for _ in range(1 + count // 8))
    elif kind == 3:
        text = " ".join(made_up(rng) for _ in range(count))
    elif kind == 4:
        refrain = " ".join(pick(rng, grammar_words()) for _ in range(min(3, 1 + count // 8)))
        text = " ".join([refrain] * (3 + count))
    else:
        text = " ".join(pick(rng, grammar_words()) for _ in range(3 + count))
    return Scored(text, NEUTRAL)


def made_up(rng: Rng) -> str:
    """A word of one to four syllables that means nothing."""
    letters = string.ascii_lowercase
    return "".join(
        pick(rng, letters) + pick(rng, "aeiou") + pick(rng, ("", "", *letters))
        for _ in range(int(rng.integers(1, 5)))
    )


@lru_cache(maxsize=1)
def grammar_words() -> tuple[str, ...]:
    """Every word of the grammar and the statements once, in lower case."""
    rows: list[Iterable[str]] = [*lexicon.FEELINGS.values(), *lexicon.MOVES.values()]
    rows += [row for mood in STATEMENTS for row in split(STATEMENTS[mood])[:1]]
    rows += [*_PLAIN, lexicon.NAMES, lexicon.DAYS, *SYNONYMS.values(), SYNONYMS]
    rows += [words for _, words in _WORDS]
    rows += [(topic.noun, *topic.facts) for topic in TOPICS.values()]
    text = " ".join(part for row in rows for part in row)
    return tuple(sorted(set(re.findall(r"[a-z]+", re.sub(r"{\w+}", "", text).lower()))))


MAKERS: Final[Mapping[str, Callable[[Rng, bool], Scored]]] = MappingProxyType({
    "reply": reply, "thanks": _thanks, "neutral": _neutral, "statement": _statement,
    "mixed": _mixed, "shuffled": _shuffled, "nonsense": _nonsense,
})  # fmt: skip
"""How each kind of labelled text is made."""


def _one(rng: Rng, leave_out: bool) -> Scored:
    """One labelled text: half are paraphrased and one in seven is carelessly written."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    text, score, _ = MAKERS[kind](rng, leave_out)
    if kind not in ("shuffled", "nonsense"):
        text = paraphrase(rng, text) if chance(rng, 0.5) else text
        text = careless(rng, text) if chance(rng, 0.15) else text
    return Scored(text, score, kind)


def paraphrase(rng: Rng, text: str) -> str:
    """The text with some words replaced by others that mean about the same."""
    for word, others in SYNONYMS.items():
        if chance(rng, 0.4):
            text = re.sub(rf"\b{word}\b", pick(rng, others), text)
    return text


def careless(rng: Rng, text: str) -> str:
    """The text as a careless writer leaves it: a word lost, two swapped, or the end missing.

    Words that turn or weaken what is said are never lost.
    """
    words = text.split(" ")
    at = int(rng.integers(len(words)))
    kind = int(rng.integers(3))
    if kind == 0 and len(words) > 6 and words[at].lower() not in _POLAR | _strong():
        del words[at]
    elif kind == 1 and at + 1 < len(words):
        words[at], words[at + 1] = words[at + 1], words[at]
    else:
        return text.rstrip(".!").lower() or text
    return " ".join(words)


@lru_cache(maxsize=1)
def _strong() -> frozenset[str]:
    """The words that carry a feeling."""
    rows = [*SYNONYMS.values(), tuple(SYNONYMS)]
    rows += [
        words for slot, words in _WORDS if slot in ("good", "glad", "nice", "poor", "sad", "bad")
    ]
    return frozenset(word for row in rows for text in row for word in text.split())
