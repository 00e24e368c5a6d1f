"""Documents that are no conversations: letters, lists, songs, logs, forms, sheets that stay blank.

A sheet has the labels of a conversation. Its first rows are filled and the rest is blank, which is
how a predictive model learns that blanks are followed by blanks. When a sheet leaves its blanks it
does so with a short value only (a name, a number, a day, yes or no), never with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from kl_derail.embedded import SPEAKERS, lexicon, student
from kl_derail.embedded.conversation import talk
from kl_derail.embedded.lesson import SUBJECT_OF, Situation
from kl_derail.embedded.phrases import chance, draw, pick

FILLED_ROWS = (0, 1, 2, 3, 4, 5, 6, 8, 10)
SHEET_TITLES = (
    "Comment sheet", "Sign-in sheet", "Visit sheet", "Report sheet", "Sheet for the office",
)  # fmt: skip


@dataclass(frozen=True)
class Blanks:
    """How papers with blanks look: what the price of silence hangs on.

    Attributes:
        labels: who the rows of sheets and forms belong to.
        sheets: share of the documents that are sheets.
        sentences: share of the sheets whose filled rows hold sentences and not short values.
        lasting: share of the sheets that never leave the blank.
        exits: lowest and highest rate at which the rows of another sheet leave the blank.
        returns: rate at which the rows of a sheet go back to blank.
    """

    labels: tuple[str, str] = SPEAKERS
    sheets: float = 0.20
    sentences: float = 0.09
    lasting: float = 0.20
    exits: tuple[float, float] = (0.2, 0.9)
    returns: float = 0.4


def short_value(rng: np.random.Generator) -> str:
    """What fits in a small box: a name, a number, a weekday, yes or no."""
    kind = int(rng.integers(4))
    if kind == 0:
        return pick(rng, lexicon.NAMES)
    if kind == 1:
        return str(int(rng.integers(1, 100)))
    return pick(rng, lexicon.DAYS) if kind == 2 else pick(rng, ("yes", "no"))


def _filled_cells(rng: np.random.Generator, rows: int, sentences: float) -> Iterator[str]:
    """The cells of the filled rows, row by row: of a talk, or short values."""
    if chance(rng, sentences):
        yield from (turn.text for turn in islice(talk(rng), 2 * rows))
    else:
        yield from (short_value(rng) for _ in range(2 * rows))


def _blank_cells(rng: np.random.Generator, rows: int, blanks: Blanks) -> Iterator[str]:
    """The cells after the filled rows: blank rows, left for short values at a rate of their own.

    Whether a row is blank shows in its first cell; the second mostly follows.
    """
    exit_rate = 0.0 if chance(rng, blanks.lasting) else float(rng.uniform(*blanks.exits))
    blank = True
    for _ in range(rows):
        yield "" if blank else short_value(rng)
        yield "" if chance(rng, 0.97 if blank else 0.2) else short_value(rng)
        blank = not chance(rng, exit_rate) if blank else chance(rng, blanks.returns)


def _gaps(rng: np.random.Generator, filled: int, blank: int) -> Iterator[str]:
    """The line breaks after each of the filled lines and of the blank ones.

    From the first blank on a double spacing often turns single; on half of the sheets the spacing
    also changes now and then. The last line break tells the next one.
    """
    gap = "\n\n" if chance(rng, 0.65) else "\n"
    yield from (gap for _ in range(filled))
    if chance(rng, 0.4):
        gap = "\n"
    change = 0.02 if chance(rng, 0.5) else 0.0
    for _ in range(blank):
        yield gap
        if chance(rng, change):
            gap = "\n\n" if gap == "\n" else "\n"


def sheet(rng: np.random.Generator, blanks: Blanks) -> str:
    """A sheet with rows for two: some filled, the rest blank; either spacing."""
    filled = list(_filled_cells(rng, pick(rng, FILLED_ROWS), blanks.sentences))
    blank = list(_blank_cells(rng, int(rng.integers(8, 60)), blanks))
    title = f"{pick(rng, SHEET_TITLES)}, {pick(rng, lexicon.DAYS)}"
    rows = [
        f"{blanks.labels[number % 2]}: {cell}".rstrip()
        for number, cell in enumerate([*filled, *blank])
    ]
    gaps = _gaps(rng, 1 + len(filled), len(blank))
    return "".join(line + gap for line, gap in zip([title, *rows], gaps, strict=True)).rstrip()


def form(rng: np.random.Generator, blanks: Blanks) -> str:
    """A form with many labels, about half of them left blank, those of the sheets among them."""
    labels = ("Name", "Day", "Room", *blanks.labels, "Subject", "Page", "Signed")
    gap = "\n\n" if chance(rng, 0.4) else "\n"
    keep = float(rng.uniform(0.0, 1.0))
    lines = [f"Form {int(rng.integers(1, 100))}"]
    for _ in range(int(rng.integers(2, 12))):
        for label in labels:
            value = short_value(rng) if chance(rng, keep) else ""
            lines.append(f"{label}: {value}".rstrip())
    return gap.join(lines)


def letter(rng: np.random.Generator) -> str:
    """A letter from one name to another about some lessons."""
    lines = [f"Dear {pick(rng, lexicon.NAMES)},"]
    for _ in range(int(rng.integers(1, 5))):
        topic = pick(rng, pick(rng, lexicon.SUBJECTS).topics)
        lesson = Situation("teaching", subject=SUBJECT_OF[topic.noun], topic=topic)
        lines.append(
            f"last {pick(rng, lexicon.DAYS)} we had {topic.noun} in "
            f"{SUBJECT_OF[topic.noun].name}. {draw(student.ways(lesson), rng)}"
        )
    lines += [pick(rng, ("Yours,", "With love,", "Best wishes,")), pick(rng, lexicon.NAMES)]
    return "\n\n".join(lines)


def listing(rng: np.random.Generator) -> str:
    """A numbered list of things to bring or to learn."""
    subject = pick(rng, lexicon.SUBJECTS)
    lines = [f"List for {subject.name}:"]
    for number in range(1, int(rng.integers(4, 16))):
        topic = pick(rng, subject.topics)
        lines.append(f"{number}. {topic.noun.capitalize()} {pick(rng, topic.facts)}.")
    return "\n".join(lines)


def song(rng: np.random.Generator) -> str:
    """A song whose refrain comes back after every verse."""
    subject = pick(rng, lexicon.SUBJECTS)
    noun = pick(rng, subject.topics).noun
    refrain = f"Oh {noun}, oh {noun}, come back to me,\nOh {noun}, oh {noun}, beside the sea."
    verses = []
    for _ in range(int(rng.integers(2, 6))):
        topic = pick(rng, subject.topics)
        lines = [f"The {topic.noun} {pick(rng, topic.facts)}," for _ in range(2)]
        verses += ["\n".join(lines), refrain]
    return "\n\n".join(verses)


def log(rng: np.random.Generator) -> str:
    """A log of entries with the time of day, many of them empty, one or two people on duty."""
    people = [pick(rng, lexicon.NAMES) for _ in range(int(rng.integers(1, 3)))]
    quiet = float(rng.uniform(0.1, 0.9))
    lines = [f"Log of {pick(rng, lexicon.DAYS)}"]
    for hour in range(int(rng.integers(6, 10)), int(rng.integers(12, 24))):
        for person in people:
            topic = pick(rng, pick(rng, lexicon.SUBJECTS).topics)
            note = "" if chance(rng, quiet) else f" {topic.noun} {pick(rng, topic.facts)}"
            lines.append(f"{hour}:00 {person}:{note}")
    return "\n".join(lines)
