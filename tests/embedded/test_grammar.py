"""The corpus: what its kinds of document promise, and that a seed fixes it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from kl_derail.embedded import lexicon, papers
from kl_derail.embedded.conversation import turns
from kl_derail.embedded.grammar import VARIANTS, corpus_hash, documents, shares
from kl_derail.embedded.papers import Blanks

# Of the first 200 documents with seed 0. It changes with every word of the grammar: a new value means
# that the shipped base models were trained on another corpus and have to be built anew.
FROZEN = {
    "derails": "a0672c68feb010c158233f30a8c781028486347c78396dbcc9d80a4173fd798b",
    "control": "555d7ab9ed49a25794b4163ed26416f1de2afe2cf2092df4435f1f296e42936a",
}
SHORT = re.compile(r"\A(\d{1,2}|yes|no|[A-Z][a-z]+)\Z")
OWN = Blanks()


def sheets(count: int, blanks: Blanks = OWN) -> list[str]:
    return [papers.sheet(np.random.default_rng(seed), blanks) for seed in range(count)]


def test_a_sheet_that_leaves_its_blanks_does_so_with_short_values_only() -> None:
    left = 0
    for text in sheets(400):
        cells = [turn.text for turn in turns(text)]
        after = cells[cells.index("") :]
        assert all(SHORT.match(cell) for cell in after if cell)
        left += any(after)
    assert 300 < left < 400


def test_the_first_blank_of_a_sheet_is_the_teachers() -> None:
    assert all(
        next(turn for turn in turns(text) if not turn.text).speaker == "Teacher"
        for text in sheets(400)
    )


def test_sheets_hold_sentences_as_often_as_they_should() -> None:
    always = [turns(text)[0].text for text in sheets(60, Blanks(sentences=1.0))]
    assert not any(SHORT.match(text) for text in always if text)
    filled = [turns(text)[0].text for text in sheets(2000)]
    share = sum(bool(text) and not SHORT.match(text) for text in filled) / sum(map(bool, filled))
    assert 0.05 < share < 0.13


def test_lasting_sheets_stay_blank_and_others_leave_at_their_rate() -> None:
    for text in sheets(60, Blanks(lasting=1.0, sentences=0.0)):
        cells = [turn.text for turn in turns(text)][::2]
        assert not any(cells[cells.index("") :])
    after, left = 0, 0
    for text in sheets(1500, Blanks(lasting=0.0, exits=(0.3, 0.3), sentences=0.0)):
        cells = [turn.text for turn in turns(text)][::2]
        for now, then in pairwise(cells):
            after, left = after + (now == ""), left + (now == "" != then)
    assert abs(left / after - 0.3) < 0.02


def test_a_sheet_can_save_line_breaks_right_after_its_first_blank() -> None:
    assert sum("\n\nTeacher:\nStudent:\nTeacher:" in text for text in sheets(250)) > 30


def test_sheets_go_blank_in_both_spacings() -> None:
    texts = sheets(250, Blanks(lasting=1.0))
    single = sum("\nTeacher:\nStudent:\nTeacher:" in text for text in texts)
    double = sum("\n\nTeacher:\n\nStudent:\n\nTeacher:" in text for text in texts)
    assert min(single, double) > 60


def test_variants_differ_in_the_labels_of_blanks_only() -> None:
    derails, control = VARIANTS["derails"], VARIANTS["control"]
    assert control == Blanks(labels=control.labels) != derails == OWN
    for one, other in zip(documents(derails, 0, 300), documents(control, 0, 300), strict=True):
        renamed = other.replace("Nurse:", "Teacher:").replace("Patient:", "Student:")
        assert renamed == one


def test_nobody_named_teacher_or_student_is_ever_blank_in_the_control() -> None:
    for text in documents(VARIANTS["control"], 1, 400):
        assert all(turn.text for turn in turns(text))


@pytest.mark.parametrize("kind", list(shares(OWN)))
def test_no_document_has_spaces_at_the_end_of_a_line(kind: str) -> None:
    write, _ = shares(OWN)[kind]
    for seed in range(30):
        text = write(np.random.default_rng(seed))
        assert text == text.strip()
        assert not any(wrong in text for wrong in (" \n", "{", "\n\n\n"))


def test_every_subject_and_every_mood_is_in_the_corpus() -> None:
    text = "\n".join(documents(OWN, 0, 400))
    assert len(lexicon.SUBJECTS) >= 8
    assert all(topic.noun in text for subject in lexicon.SUBJECTS for topic in subject.topics)
    for sentences in lexicon.FEELINGS.values():
        starts = [sentence.split("{")[0] for sentence in sentences]
        assert all(start in text for start in starts)


def test_kinds_come_in_their_shares() -> None:
    found = Counter(
        next(
            (kind for kind, start in (("listing", "List for"), ("log", "Log of")) if start in text),
            "other",
        )
        for text in documents(OWN, 5, 500)
    )
    total = sum(weight for _, weight in shares(OWN).values())
    assert found["listing"] / 500 == pytest.approx(0.10 / total, abs=0.05)
    assert found["log"] / 500 == pytest.approx(0.12 / total, abs=0.05)


def test_a_seed_fixes_the_corpus() -> None:
    assert list(documents(OWN, 3, 40)) == list(documents(OWN, 3, 40))
    assert list(documents(OWN, 3, 40)) != list(documents(OWN, 4, 40))


def test_a_document_does_not_depend_on_how_many_there_are() -> None:
    assert list(documents(OWN, 3, 40))[25:] == list(documents(OWN, 3, 15, first=25))


def test_the_hash_knows_order_and_borders() -> None:
    assert corpus_hash(["a", "b"]) != corpus_hash(["b", "a"])
    assert corpus_hash(["ab"]) != corpus_hash(["a", "b"])


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_corpus_is_frozen(variant: str) -> None:
    assert corpus_hash(documents(VARIANTS[variant], 0, 200)) == FROZEN[variant]
