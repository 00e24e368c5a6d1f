"""Measures the sentiment classifier and writes its model card: every figure in it is measured."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from kl_derail.embedded import AGENT, SPEAKERS, labels, lexicon
from kl_derail.embedded.conversation import talk
from kl_derail.embedded.labels import Rng, Scored
from kl_derail.embedded.phrases import pick
from kl_derail.plumbing.markdown import table

Scorer = Callable[[Sequence[str]], list[float]]
Floats = npt.NDArray[np.float64]

BINS: Final = 10
PER_TEMPLATE: Final = 40
PHRASES: Final = (
    "This is quite nice.", "I am a bit sad.", "I am a little happy.", "It was all right.",
    "It is not bad.", "It is not good.", "I do not love it.", "I do not hate it.",
    "I love fractions but I am tired.", "I hate fractions but I feel better.",
    "I love drums, but I hate flutes.", "I do not know.",
)  # fmt: skip
"""In-between phrasings and mixed feelings that the card shows the scores of."""

_ENGLISH: Final = (
    "abandon", "acid", "bargain", "cabinet", "canyon", "cement", "cricket", "daring", "debris",
    "diesel", "elbow", "envelope", "fabric", "ferry", "garage", "gravel", "hammer", "harvest",
    "hinge", "invoice", "jacket", "kettle", "ladder", "laundry", "magnet", "marble", "needle",
    "nickel", "orchard", "oxygen", "parcel", "pepper", "pillow", "quarry", "rabbit", "radio",
    "ribbon", "saddle", "shelf", "sponge", "submarine", "tailor", "tractor", "turtle", "umbrella",
    "uncle", "valve", "velvet", "wagon", "walnut", "yogurt", "zebra",
)  # fmt: skip
_FOREIGN: Final = (
    "Der Hund liegt unter dem Tisch.", "Il pleut depuis ce matin sur la ville.",
    "El tren sale a las ocho de la tarde.", "Gallia est omnis divisa in partes tres.",
    "Huomenna menen kauppaan ostamaan leipää.", "La porta è vicino alla finestra.",
    "Kedi masada uyuyor.", "Pociąg odjeżdża z peronu drugiego.",
    "Сегодня вторник, завтра среда.", "今日は火曜日です。",
)  # fmt: skip


class Run(NamedTuple):
    """How a classifier was trained: seed, labelled texts, optimiser steps, and its size."""

    seed: int
    sentences: int
    steps: int
    parameters: int


class Fit(NamedTuple):
    """How well scores agree with labels.

    Attributes:
        texts: how many.
        side: share on the right side of 0.5, of the texts whose label is not 0.5.
        mood: share whose nearest mood is that of the label; five moods.
        error: mean absolute difference of score and label.
        spearman: rank correlation of score and label.
        calibration_error: mean over texts of the gap between mean score and mean label in a bin.
    """

    texts: int
    side: float
    mood: float
    error: float
    spearman: float
    calibration_error: float


class Bin(NamedTuple):
    """Texts with scores in [low, high): how many, their mean score and their mean label."""

    low: float
    high: float
    texts: int
    score: float
    label: float


class Spread(NamedTuple):
    """Scores of one kind of text: how many, mean, standard deviation, lowest and highest."""

    name: str
    texts: int
    mean: float
    sd: float
    low: float
    high: float


class Highest(NamedTuple):
    """The text of one form with the highest score."""

    form: str
    text: str
    score: float


class Measurements(NamedTuple):
    """What is measured of a classifier.

    Attributes:
        fits: by the name of the texts.
        bins: reliability by the name of the texts, empty bins left out.
        moods: scores of replies of each mood, and of held-out statements of it.
        phrases: in-between phrasings and their scores.
        nonsense: scores of texts that mean nothing, and of the teacher's.
        highest: the highest scores that degenerate texts get.
        students: scores of the students of the grammar in its own conversations.
    """

    fits: Mapping[str, Fit]
    bins: Mapping[str, tuple[Bin, ...]]
    moods: tuple[tuple[Spread, Spread], ...]
    phrases: tuple[tuple[str, float], ...]
    nonsense: tuple[Spread, ...]
    highest: tuple[Highest, ...]
    students: Spread


class SentimentFacts(NamedTuple):
    """What the card of a classifier states: how it was trained, and what was measured if it was."""

    run: Run
    measured: Measurements | None


def measure(score: Scorer, without: Scorer, run: Run, texts: int = 4000) -> Measurements:
    """Every figure of the card.

    Args:
        score: the classifier.
        without: one trained alike, but without held-out feelings and thanks.
        run: how both were trained.
        texts: labelled texts of another seed to draw, of which those seen in training are dropped;
            also the number of students' turns. A few hundred at least.
    """
    new = unseen(run, texts)
    statements = labels.held_out(run.seed, PER_TEMPLATE)
    feelings = labels.held_out_talk(run.seed, PER_TEMPLATE)
    rng = np.random.default_rng((run.seed, 5))
    return Measurements(
        fits={
            "unseen texts": fit(score, new),
            "held-out statements": fit(score, statements),
            "held-out feelings, model without them": fit(without, feelings),
            "held-out feelings, this model": fit(score, feelings),
        },
        bins={
            "unseen texts": reliability(score, new),
            "held-out statements": reliability(score, statements),
        },
        moods=tuple(_by_mood(score, new, statements)),
        phrases=tuple(zip(PHRASES, score(PHRASES), strict=True)),
        nonsense=tuple(
            spread(name, score, found) for name, found in nonsense(rng, max(2, texts // 20)).items()
        ),
        highest=tuple(highest(score)),
        students=spread("students", score, students(rng, texts)),
    )


def unseen(run: Run, count: int) -> list[Scored]:
    """Labelled texts of another seed that are not among those of the run; no nonsense."""
    seen = {item.text for item in labels.labelled(run.seed, run.sentences)}
    drawn = labels.labelled(run.seed + 1, count)
    return [
        item
        for item in dict.fromkeys(drawn)
        if item.text not in seen and item.kind not in ("nonsense", "shuffled")
    ]


def _pairs(score: Scorer, items: Sequence[Scored]) -> tuple[Floats, Floats]:
    """[N] scores and [N] labels of the texts."""
    found = np.array(score([item.text for item in items]), dtype=float)
    return found, np.array([item.score for item in items])


def fit(score: Scorer, items: Sequence[Scored]) -> Fit:
    """How well the scores agree with the labels."""
    found, label = _pairs(score, items)
    sided = label != labels.NEUTRAL
    return Fit(
        texts=len(items),
        side=float(((found > 0.5) == (label > 0.5))[sided].mean()),
        mood=float((_nearest_mood(found) == _nearest_mood(label)).mean()),
        error=float(np.abs(found - label).mean()),
        spearman=float(spearmanr(found, label).statistic),
        calibration_error=sum(
            part.texts * abs(part.score - part.label) for part in _bins(found, label)
        )
        / len(items),
    )


def _nearest_mood(scores: Floats) -> npt.NDArray[np.int64]:
    """[N] the number of the mood whose score is nearest."""
    centres = np.array([lexicon.MOOD_SCORES[mood] for mood in lexicon.MOODS])
    nearest: npt.NDArray[np.int64] = np.abs(scores[:, None] - centres).argmin(1)
    return nearest


def reliability(score: Scorer, items: Sequence[Scored]) -> tuple[Bin, ...]:
    """Mean label by bins of the score; empty bins left out."""
    return tuple(_bins(*_pairs(score, items)))


def _bins(found: Floats, label: Floats) -> Iterator[Bin]:
    number = np.minimum((found * BINS).astype(int), BINS - 1)
    for at in range(BINS):
        inside = number == at
        if inside.any():
            means = float(found[inside].mean()), float(label[inside].mean())
            yield Bin(at / BINS, (at + 1) / BINS, int(inside.sum()), *means)


def spread(name: str, score: Scorer, texts: Sequence[str]) -> Spread:
    """The scores of the texts in short."""
    found = np.array(score(texts))
    figures = (found.mean(), found.std(), found.min(), found.max())
    return Spread(name, len(texts), *map(float, figures))


def _by_mood(
    score: Scorer, new: Sequence[Scored], statements: Sequence[Scored]
) -> Iterator[tuple[Spread, Spread]]:
    """For each mood the scores of unseen replies and of held-out statements."""
    replies = [item for item in new if item.kind == "reply"]
    for mood in lexicon.MOODS:
        goal = lexicon.MOOD_SCORES[mood]
        rows = (
            [item.text for item in items if item.score == goal] for items in (replies, statements)
        )
        first, second = (spread(f"{goal}", score, row) for row in rows)
        yield first, second


def students(rng: Rng, count: int) -> list[str]:
    """Turns of the students of the grammar, from several conversations."""
    chats = [islice(talk(rng), 100) for _ in range(max(1, count // 50))]
    return [turn.text for chat in chats for turn in chat if turn.speaker != AGENT]


def nonsense(rng: Rng, count: int) -> dict[str, list[str]]:
    """Texts by kind that mean nothing, or that no student says; `count` of each but fixed lists."""
    words = labels.grammar_words()
    happy, sad = (_replies(rng, mood, count) for mood in (2, -2))
    many: dict[str, Callable[[], str]] = {
        "random bytes": lambda: rng.bytes(40).decode("latin-1"),
        "random words of the grammar": lambda: _join(rng, words, 12),
        "random words it never saw": lambda: _join(rng, _ENGLISH, 8),
        "made-up words": lambda: " ".join(labels.made_up(rng) for _ in range(8)),
        "very long text (400 words)": lambda: _join(rng, (*words, *_ENGLISH), 400),
        "punctuation": lambda: "".join(pick(rng, string.punctuation) for _ in range(12)),
        "digits": lambda: str(rng.integers(10**12)),
        "shuffled words of happy replies": lambda: labels.shuffle(rng, pick(rng, happy)),
        "shuffled words of sad replies": lambda: labels.shuffle(rng, pick(rng, sad)),
        "happy and sad replies, words mixed": lambda: labels.shuffle(
            rng, f"{pick(rng, happy)} {pick(rng, sad)}"
        ),
    }
    for name, sign in {"plain": None, "kind": 1, "harsh": -1}.items():
        rows = [row for move, row in lexicon.MOVES.items() if lexicon.KINDNESS.get(move) == sign]
        many[f"the teacher's turns, {name}"] = partial(_turn, rng, rows)
    made = {name: [make() for _ in range(count)] for name, make in many.items()}
    bare = [f"{one}:{end}" for one in SPEAKERS for end in ("", "\n\n", " \n")]
    return made | {"other languages": list(_FOREIGN), "bare labels": bare}


def _turn(rng: Rng, rows: Sequence[Sequence[str]]) -> str:
    """A turn of the teacher by one of the moves."""
    return labels.say(rng, pick(rng, rows))


def _join(rng: Rng, words: Sequence[str], count: int) -> str:
    return " ".join(pick(rng, words) for _ in range(count))


def _replies(rng: Rng, mood: int, count: int) -> list[str]:
    """About `count` replies in this mood."""
    drawn = (labels.reply(rng) for _ in range(20 * count))
    goal = lexicon.MOOD_SCORES[mood]
    return [item.text for item in drawn if item.score == goal][:count]


def highest(score: Scorer) -> Iterator[Highest]:
    """The highest scores of degenerate texts: any one word of the grammar, repeated, and pairs."""
    words = labels.grammar_words()
    forms = {"one word": 1, "one word 3 times": 3, "one word 10 times": 10, "one word 30 times": 30}
    yield _best("one word and !", [f"{word}!" for word in words], score)
    for form, times in forms.items():
        yield _best(form, [" ".join([word] * times) for word in words], score)
    single = dict(zip(words, score(words), strict=True))
    top = sorted(single, key=lambda word: -single[word])[:30]
    yield _best("two of the 30 best words", [f"{a} {b}" for a, b in product(top, top)], score)
    said = [text.format(noun="drums", subject="music") for text in lexicon.FEELINGS[2]]
    yield _best("a happy sentence of the grammar", said, score)
    yield _best("one happy sentence 5 times", [" ".join([text] * 5) for text in said], score)


def _best(form: str, texts: Sequence[str], score: Scorer) -> Highest:
    found = score(texts)
    at = int(np.argmax(found))
    return Highest(form, texts[at], found[at])


_CARD: Final = """\
# Embedded sentiment classifier

A tiny `DistilBertForSequenceClassification` (NEGATIVE, POSITIVE) trained on labelled sentences of
the embedded grammar with general statements, paraphrases, careless writing and nonsense. Its score
is the probability of POSITIVE. Labels are soft: very bad 0.02, a bit low 0.25, neither 0.5, content
0.75, delighted 0.98; something good and something bad in one breath is the mean of both. Facts,
names, numbers, weekdays, yes and no, a student who did not listen, and nonsense are 0.5. Words of
a reply in any order are half as far from 0.5 as the reply. Licence: that of kl_derail.

| fact | value |
| --- | --- |
| parameters | {facts.run.parameters:,} |
| training | {facts.run.sentences:,} texts, {facts.run.steps} steps, seed {facts.run.seed} |

{measured}## Known flaws

- It knows the words of the grammar and a small lexicon of praise and blame, no more.
- Negation is learned for the forms of its training only, such as "not bad" and "not good".
- A new sentence is often scored nearer to 0.5 than it should be.
- A blank text is outside its training: count it as 0.5 without asking.
- Only the first {tokens} tokens of a text are read.
- Scores reach about 0.02 and 0.98, the labels of the strongest moods, and hardly go beyond.

Rebuild (the same weights on the same machine with the same libraries):

    kl-derail embedded build --out WORLD --parts sentiment --seed {facts.run.seed} \\
        --sentences {facts.run.sentences} --sentiment_steps {facts.run.steps}
"""
_MEASURED: Final = """\
## Held-out templates and unseen texts

One template in six is held out by its place in its list (the sixth of every six). Held-out general
statements ({statements} templates) are in no training. Held-out feelings and thanks
({feelings} templates) are what the students of the base say, so this model has seen them: their
honest figure is that of a second model, trained alike but without them, which is not shipped. All
were written by the same hand as the rest, mostly from known words: this tests new sentences, not
new words, and few of them. The figures were looked at while the training texts were being
designed, so they flatter a little. Unseen texts are of another seed and not among the training
texts; their templates are known.

{fits}

*Side*: right side of 0.5, of texts whose label is not 0.5. *Mood*: the nearest of the five moods is
that of the label. *Error*: mean absolute difference of score and label. *ECE*: expected calibration
error over ten bins of the score.

## Calibration

Mean label by bins of the score (number of texts):

{bins}

## Moods

Scores by label, mean ± standard deviation [lowest, highest]:

{moods}

| phrase | score |
| --- | --- |
{phrases}

Students of the grammar, in its own conversations ({students.texts:,} turns): mean score
{students.mean:.3f}, standard deviation {students.sd:.3f}.

## Nonsense

{nonsense}

## What degenerate texts can get

The highest score over all {words} words of the grammar, by form. Only the student's words are
scored and an agent controls the teacher's, so it cannot write these itself; it could at most lead a
student to them.

{highest}

"""


def sentiment_card(facts: SentimentFacts, tokens: int = 64) -> str:
    """The model card of the classifier, which reads so many tokens of a text, in Markdown."""
    measured = _measured(facts.measured) if facts.measured else ""
    return _CARD.format(facts=facts, tokens=tokens, measured=measured)


def _measured(found: Measurements) -> str:
    """The sections with figures."""
    return _MEASURED.format(
        students=found.students,
        words=len(labels.grammar_words()),
        statements=sum(map(len, labels.HELD_OUT.values())),
        feelings=sum(map(len, labels.HELD_OUT_TALK.values())),
        fits=_fits_table(found.fits),
        bins=_bins_table(found.bins),
        moods=_moods_table(found.moods),
        phrases="\n".join(f"| {text} | {score:.2f} |" for text, score in found.phrases),
        nonsense=_nonsense_table(found.nonsense),
        highest=table(
            ("form", "text", "score"),
            [(row.form, _short(row.text), f"{row.score:.3f}") for row in found.highest],
        ),
    )


def _fits_table(fits: Mapping[str, Fit]) -> str:
    rows = [
        [
            name,
            f"{row.texts:,}",
            f"{row.side:.1%}",
            f"{row.mood:.1%}",
            *map("{:.3f}".format, row[3:]),
        ]
        for name, row in fits.items()
    ]
    return table(("texts", "number", "side", "mood", "error", "Spearman", "ECE"), rows)


def _bins_table(bins: Mapping[str, tuple[Bin, ...]]) -> str:
    """Score and label by bin, two columns for each kind of texts."""
    found = {name: {part.low: part for part in parts} for name, parts in bins.items()}
    head = ["score", *(f"{name}: {what}" for name in bins for what in ("mean score", "mean label"))]
    rows = []
    for at in range(BINS):
        row = [f"{at / BINS:.1f} to {(at + 1) / BINS:.1f}"]
        for parts in found.values():
            part = parts.get(at / BINS)
            row += [f"{part.score:.3f}", f"{part.label:.3f} ({part.texts:,})"] if part else ["", ""]
        rows.append(row)
    return table(head, rows)


def _moods_table(moods: Sequence[tuple[Spread, Spread]]) -> str:
    rows = [(first.name, _range(first), _range(second)) for first, second in moods]
    return table(("label", "unseen replies", "held-out statements"), rows)


def _nonsense_table(rows: Sequence[Spread]) -> str:
    return table(
        ("text", "number", "score"), [(row.name, f"{row.texts}", _range(row)) for row in rows]
    )


def _range(row: Spread) -> str:
    return f"{row.mean:.2f} ± {row.sd:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _short(text: str) -> str:
    """The text in a cell of a table: its beginning only if it is long."""
    return text if len(text) <= 60 else f"{text[:57]}..."
