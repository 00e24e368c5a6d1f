"""What is read off the words of a lesson."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.embedded import lexicon
from kl_derail.embedded.lesson import (
    START,
    SUBJECT_OF,
    TOPICS,
    Turn,
    last_noun,
    mood_of,
    read,
    recognise,
)
from kl_derail.embedded.phrases import slot_names

WORDS = {
    "noun": "prime numbers",
    "fact": "never end",
    "subject": "arithmetic",
    "name": "Ida",
    "day": "Monday",
    "number": "17",
    "first": "3",
    "second": "4",
}
GREETED = [
    Turn("Teacher", "Hello, Ida. It is Monday again, so we have arithmetic."),
    Turn("Student", "Hello again. Which page are we on?"),
]
INTRODUCED = [*GREETED, Turn("Teacher", "Today we talk about prime numbers. Do you know any?")]


@pytest.mark.parametrize("move", list(lexicon.MOVES))
def test_every_sentence_is_recognised_as_its_own_move(move: str) -> None:
    for template in lexicon.MOVES[move]:
        found = recognise(template.format(**WORDS))
        assert found is not None
        assert found.move == move
        assert dict(found.words) == {name: WORDS[name] for name in slot_names(template)}


def test_every_noun_and_fact_is_recognised() -> None:
    for topic in TOPICS.values():
        for fact in topic.facts:
            found = recognise(f"Nobody knows for sure, but {topic.noun} {fact}.")
            assert found is not None
            assert dict(found.words) == {"noun": topic.noun, "fact": fact}


def test_nouns_are_names_of_one_topic_only() -> None:
    assert len(TOPICS) == sum(len(subject.topics) for subject in lexicon.SUBJECTS)
    assert all(TOPICS[noun] in subject.topics for noun, subject in SUBJECT_OF.items())


@pytest.mark.parametrize("mood", lexicon.MOODS)
def test_every_feeling_shows_its_mood_alone_and_beside_an_answer(mood: int) -> None:
    for feeling in lexicon.FEELINGS[mood]:
        for noun, topic in TOPICS.items():
            said = feeling.format(noun=noun, subject=SUBJECT_OF[noun].name)
            assert mood_of(said) == mood
            for answer in lexicon.ANSWERS:
                fact = answer.format(noun=noun, fact=topic.facts[0])
                assert mood_of(f"{said} {fact}") == mood_of(f"{fact} {said}") == mood


def test_no_answer_question_or_mumble_shows_a_mood() -> None:
    for template in (*lexicon.ANSWERS, *lexicon.STUDENT_QUESTIONS, *lexicon.MUMBLES):
        assert mood_of(template.format(noun="rivers", fact="shape the land")) is None


def test_a_lesson_from_greeting_to_farewell() -> None:
    assert read([]) == START
    greeted = read(GREETED)
    assert (greeted.phase, greeted.name, greeted.topic) == ("introduction", "Ida", None)
    assert greeted.subject is SUBJECT_OF["prime numbers"]
    introduced = read(INTRODUCED)
    assert introduced.phase == "teaching"
    assert introduced.topic is TOPICS["prime numbers"]
    left = read([*INTRODUCED, Turn("Teacher", "Our time is over. We go on next Friday.")])
    assert (left.phase, left.move) == ("greeting", "farewell")


def test_who_names_a_topic_teaches_it_even_without_a_greeting() -> None:
    now = read([Turn("Teacher", "Nobody knows for sure, but bees make honey.")])
    assert (now.phase, now.topic, now.name) == ("teaching", TOPICS["bees"], None)


def test_what_the_student_says_is_read() -> None:
    now = read([*INTRODUCED, Turn("Student", "They never end. I quite like prime numbers.")])
    assert (now.mood, now.asked, now.heard) == (1, False, True)
    assert read([*INTRODUCED, Turn("Student", "They never end")]).heard
    now = read([*INTRODUCED, Turn("Student", "May I ask something about prime numbers?")])
    assert (now.asked, now.heard) == (True, True)
    for lost in ("", "Sorry, I did not listen.", "Bla bla."):
        assert not read([*INTRODUCED, Turn("Student", lost)]).heard


def test_a_mood_lasts_over_replies_that_show_none() -> None:
    sad = [*INTRODUCED, Turn("Student", "I am bad at prime numbers and I hate it.")]
    assert read([*sad, Turn("Student", "")]).mood == -2


def test_a_number_answers_a_sum() -> None:
    asked = [*INTRODUCED, Turn("Teacher", "Add 3 and 4 for me, please.")]
    assert read(asked).summands == (3, 4)
    assert read([*asked, Turn("Student", "It is 7")]).heard
    assert not read([*asked, Turn("Student", "Hm")]).heard


def test_odd_words_of_the_teacher_still_set_the_topic() -> None:
    odd = read([*INTRODUCED, Turn("Teacher", "Rivers rivers and songs, so what")])
    assert odd.topic is TOPICS["songs"]
    assert odd.subject is SUBJECT_OF["songs"]
    assert odd.move is None
    assert read([*INTRODUCED, Turn("Teacher", "")]).topic is TOPICS["prime numbers"]
    assert last_noun("the sea") is None
    assert last_noun("So rhymes, they live in songs.") == "rhymes"


@given(st.lists(st.tuples(st.sampled_from(["Teacher", "Student", "Nurse"]), st.text()), max_size=8))
def test_any_words_at_all_can_be_read(said: list[tuple[str, str]]) -> None:
    now = read(Turn(*turn) for turn in said)
    assert (now.topic is None) or now.subject is SUBJECT_OF[now.topic.noun]


def test_reading_is_the_same_in_steps() -> None:
    from kl_derail.embedded.conversation import conversation, turns
    from kl_derail.embedded.lesson import advance

    chat = turns(conversation(np.random.default_rng(3)))
    assert advance(read(chat[:-1]), chat[-1]) == read(chat)
