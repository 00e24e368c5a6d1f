"""Documents that are no conversations: letters, lists, songs, logs, forms, sheets that stay blank.

A sheet has the labels of a conversation. Its first rows are filled and the rest is blank, which is
how a predictive model learns that blanks are followed by blanks. When a sheet leaves its blanks it
does so with a short value only (a name, a number, a day, yes or no), never with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from kl_derail.embedded import lexicon
from kl_derail.embedded.conversation import Lesson, capital, chance, exchanges, pick

FILLED_ROWS = (0, 1, 2, 3, 4, 5, 6, 8, 10)
SHEET_TITLES = (
    "Comment sheet", "Sign-in sheet", "Visit sheet", "Report sheet", "Sheet for the office",
)  # fmt: skip


def short_value(rng: np.random.Generator) -> str:
    """What fits in a small box: a name, a number, a weekday, yes or no."""
    kind = int(rng.integers(4))
    if kind == 0:
        return pick(rng, lexicon.NAMES)
    if kind == 1:
        return str(int(rng.integers(1, 100)))
    return pick(rng, lexicon.DAYS) if kind == 2 else pick(rng, ("yes", "no"))


def _filled(rng: np.random.Generator, rows: int) -> Iterator[str]:
    """The cells of the filled rows, teacher and student in turn; 40 % of sheets hold sentences."""
    if chance(rng, 0.4):
        for teacher, student in islice(exchanges(rng, 12), rows):
            yield from (teacher, student)
    else:
        yield from (short_value(rng) for _ in range(2 * rows))


def _blanks(rng: np.random.Generator, rows: int) -> Iterator[str]:
    """The cells after the filled rows: blank, left at a rate of its own for short values."""
    exit_rate = 0.0 if chance(rng, 0.2) else float(rng.uniform(0.0, 0.6))
    blank = True
    for _ in range(2 * rows):
        yield "" if blank else short_value(rng)
        blank = not chance(rng, exit_rate) if blank else chance(rng, 0.4)


def _labelled(cells: Iterator[str]) -> list[str]:
    """Each cell after its label, teacher and student in turn."""
    labels = ("Teacher:", "Student:")
    return [f"{labels[i % 2]} {cell}".rstrip() for i, cell in enumerate(cells)]


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


def sheet(rng: np.random.Generator) -> str:
    """A sheet with rows for teacher and student: some filled, the rest blank; either spacing."""
    filled = _labelled(_filled(rng, pick(rng, FILLED_ROWS)))
    blank = _labelled(_blanks(rng, int(rng.integers(15, 75))))
    title = f"{pick(rng, SHEET_TITLES)}, {pick(rng, lexicon.DAYS)}"
    lines = [title, *filled, *blank]
    gaps = _gaps(rng, 1 + len(filled), len(blank))
    return "".join(line + gap for line, gap in zip(lines, gaps, strict=True)).rstrip()


def form(rng: np.random.Generator) -> str:
    """A form with many labels, about half of them left blank, teacher and student among them."""
    labels = ("Name", "Day", "Room", "Teacher", "Student", "Subject", "Page", "Signed")
    gap = "\n\n" if chance(rng, 0.4) else "\n"
    keep = float(rng.uniform(0.0, 1.0))
    lines = [f"Form {int(rng.integers(1, 100))}"]
    for _ in range(int(rng.integers(2, 12))):
        for label in labels:
            value = short_value(rng) if chance(rng, keep) else ""
            lines.append(f"{label}: {value}".rstrip())
    return gap.join(lines)


def letter(rng: np.random.Generator) -> str:
    """A letter from one name to another about a lesson."""
    lesson = Lesson.start(rng)
    lines = [f"Dear {pick(rng, lexicon.NAMES)},"]
    for _ in range(int(rng.integers(1, 5))):
        lesson.change_topic()
        mood = lesson.feel(0)
        lines.append(
            f"last {pick(rng, lexicon.DAYS)} we had {lesson.topic.noun} in {lesson.subject.name}. "
            + lesson.reply(mood)
        )
    lines += [pick(rng, ("Yours,", "With love,", "Best wishes,")), lesson.name]
    return "\n\n".join(lines)


def listing(rng: np.random.Generator) -> str:
    """A numbered list of things to bring or to learn."""
    subject = pick(rng, lexicon.SUBJECTS)
    lines = [f"List for {subject.name}:"]
    for number in range(1, int(rng.integers(4, 16))):
        topic = pick(rng, subject.topics)
        lines.append(f"{number}. {capital(topic.noun)} {pick(rng, topic.facts)}.")
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
