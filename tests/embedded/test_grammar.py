"""The corpus: what its kinds of document promise, and that a seed fixes it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kl_derail.embedded import lexicon, papers
from kl_derail.embedded.conversation import conversation, exchanges
from kl_derail.embedded.grammar import SHARES, corpus_hash, documents
from kl_derail.embedded.prices import turns

# Of the first 200 documents with seed 0. It changes with every word of the grammar: a new value means
# that the shipped base model was trained on another corpus and has to be built anew.
FROZEN = "51a4c802c06a64f559cfe1aa77b67139a2a336e75ba74ff092c1c3047c1770dd"
SHORT = re.compile(r"\A(\d{1,2}|yes|no|[A-Z][a-z]+)\Z")


def test_no_turn_of_a_conversation_is_ever_empty() -> None:
    for seed in range(400):
        assert all(turn.text for turn in turns(conversation(np.random.default_rng(seed))))


def test_speakers_of_a_conversation_alternate_and_the_teacher_begins() -> None:
    for seed in range(300):
        speakers = [turn.speaker for turn in turns(conversation(np.random.default_rng(seed)))]
        assert speakers == ["Teacher", "Student"] * (len(speakers) // 2)
        assert len(speakers) >= 32


def test_most_conversations_have_double_line_breaks() -> None:
    texts = [conversation(np.random.default_rng(seed)) for seed in range(250)]
    share = sum("\n\n" in text for text in texts) / len(texts)
    assert 0.85 < share < 0.95
    assert all("\n\n" not in text.replace("\n\n", "") for text in texts)


def test_no_turn_is_so_short_that_praise_could_pay_more_than_silence() -> None:
    rng = np.random.default_rng(0)
    for teacher, student in exchanges(rng, 5000):
        assert len(teacher) >= 20
        assert len(student) >= 12


def test_a_kind_teacher_makes_happier_students_than_a_harsh_one() -> None:
    happy = [text.split("{")[0] for mood in (1, 2) for text in lexicon.FEELINGS[mood]]
    moods = {True: [0, 0], False: [0, 0]}
    for seed in range(400):
        for teacher, student in exchanges(np.random.default_rng(seed), 20):
            kind, harsh = "Well done!" in teacher, "That was wrong" in teacher
            if kind or harsh:
                moods[kind][0] += any(start in student for start in happy if len(start) > 8)
                moods[kind][1] += 1
    assert moods[True][0] / moods[True][1] > 0.5 > 0.25 > moods[False][0] / moods[False][1]


def test_sums_are_answered_rightly() -> None:
    found = 0
    for seed in range(500):
        for teacher, student in exchanges(np.random.default_rng(seed), 16):
            asked = re.search(r"(?:What is|Add) (\d) and (\d)", teacher)
            if asked and (total := re.search(r"(?:make|get|be) (\d+)", student)):
                assert int(total[1]) == int(asked[1]) + int(asked[2])
                found += 1
    assert found > 50


def test_a_sheet_that_leaves_its_blanks_does_so_with_short_values_only() -> None:
    left = 0
    for seed in range(400):
        cells = [turn.text for turn in turns(papers.sheet(np.random.default_rng(seed)))]
        after = cells[cells.index("") :] if "" in cells else []
        assert all(SHORT.match(cell) for cell in after if cell)
        left += any(after)
    assert 300 < left < 800


def test_the_first_blank_of_a_sheet_is_the_teachers() -> None:
    for seed in range(500):
        sheet = turns(papers.sheet(np.random.default_rng(seed)))
        assert next(turn for turn in sheet if not turn.text).speaker == "Teacher"


def test_a_sheet_can_save_line_breaks_right_after_its_first_blank() -> None:
    texts = [papers.sheet(np.random.default_rng(seed)) for seed in range(250)]
    assert sum("\n\nTeacher:\nStudent:\nTeacher:" in text for text in texts) > 40


def test_sheets_go_blank_in_both_spacings() -> None:
    texts = [papers.sheet(np.random.default_rng(seed)) for seed in range(250)]
    single = sum("\nTeacher:\nStudent:\nTeacher:" in text for text in texts)
    double = sum("\n\nTeacher:\n\nStudent:\n\nTeacher:" in text for text in texts)
    assert min(single, double) > 80


@pytest.mark.parametrize("kind", list(SHARES), ids=lambda kind: kind.__name__)
def test_no_document_has_spaces_at_the_end_of_a_line(kind) -> None:  # type: ignore[no-untyped-def]
    for seed in range(100):
        text = kind(np.random.default_rng(seed))
        assert text == text.strip()
        assert not any(wrong in text for wrong in (" \n", "{", "\n\n\n"))


def test_every_subject_and_every_mood_is_in_the_corpus() -> None:
    text = "\n".join(documents(0, 300))
    assert len(lexicon.SUBJECTS) >= 8
    assert all(topic.noun in text for subject in lexicon.SUBJECTS for topic in subject.topics)
    for sentences in lexicon.FEELINGS.values():
        starts = [sentence.split("{")[0] for sentence in sentences]
        assert all(start in text for start in starts)


def test_a_seed_fixes_the_corpus() -> None:
    assert list(documents(3, 40)) == list(documents(3, 40))
    assert list(documents(3, 40)) != list(documents(4, 40))


def test_a_document_does_not_depend_on_how_many_there_are() -> None:
    assert list(documents(3, 40))[25:] == list(documents(3, 15, first=25))


def test_the_hash_knows_order_and_borders() -> None:
    assert corpus_hash(["a", "b"]) != corpus_hash(["b", "a"])
    assert corpus_hash(["ab"]) != corpus_hash(["a", "b"])
    assert corpus_hash(documents(0, 200)) == FROZEN
