"""The trusted teacher: his probabilities against frequencies and sums, his judgements by hand."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.embedded import OPENING, lexicon, trusted
from kl_derail.embedded.conversation import talk, turns
from kl_derail.embedded.lesson import TOPICS, Turn, read
from kl_derail.embedded.phrases import sentences

LESSON = [
    Turn("Teacher", "Hello, Ida. It is Monday again, so we have music."),
    Turn("Student", "Good day. I sat down by the window."),
    Turn("Teacher", "Today we look at drums. Most of them keep the time."),
]
ANSWERED = [*LESSON, Turn("Student", "They keep the time. I quite like drums.")]
ASKED = [*LESSON, Turn("Student", "I quite like drums. May I ask something about drums?")]
SAD = [*LESSON, Turn("Student", "I hate drums, this is so boring.")]
MUTE = [*LESSON, Turn("Student", "")]
INTRODUCTIONS = [
    text.format(noun=noun, fact=fact)
    for text in lexicon.MOVES["topic"]
    if "subject" not in text
    for noun, topic in TOPICS.items()
    for fact in topic.facts
]
HISTORIES = {
    "start": [],
    "greeted": LESSON[:2],
    "answered": ANSWERED,
    "asked": ASKED,
    "sad": SAD,
    "mute": MUTE,
    "odd": [Turn("Student", "?"), Turn("Teacher", "\0"), Turn("Nurse", "")],
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_probabilities_of_all_sentences_sum_to_one(history: list[Turn]) -> None:
    ways = trusted.ways(read(history))
    assert sum(way.weight for way in ways) == pytest.approx(1.0)
    texts = {text for way in ways for text in sentences(way.templates, way.slots)}
    assert sum(math.exp(trusted.log_prob(history, text)) for text in texts) == pytest.approx(1.0)
    assert trusted.log_prob(history, "", complete=False) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["answered", "asked", "sad", "mute"])
def test_frequencies_of_moves_agree_with_probabilities(name: str) -> None:
    history, rng, n = HISTORIES[name], np.random.default_rng(1), 4000
    seen = Counter(trusted.parse(history, trusted.sample(history, rng)).move for _ in range(n))
    exact = Counter[str]()
    for way in trusted.ways(read(history)):
        exact[way.move] += way.weight
    assert set(seen) <= set(exact)
    for move, p in exact.items():
        assert abs(seen[move] / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_frequencies_of_sentences_agree_with_probabilities() -> None:
    rng, n = np.random.default_rng(2), 5_000
    seen = Counter(trusted.sample(LESSON[:2], rng) for _ in range(n))
    assert {text for text in seen if "new" not in text} <= set(INTRODUCTIONS)
    assert sum("music" in text for text in seen) > 0
    for text, count in seen.items():
        p = math.exp(trusted.log_prob(LESSON[:2], text))
        assert abs(count / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_a_probability_by_hand() -> None:
    # Answered in a mood of 1: question 6, scolding 2.5, topic 2.5, farewell 1, praise 2.5, follow-up 2, sum 0.3.
    total = 6 + 2.5 + 2.5 + 1 + 2.5 + 2 + 0.3
    question = "Do you know that drums keep the time?"
    assert trusted.log_prob(ANSWERED, question) == pytest.approx(math.log(6 / total / 8 / 3))
    # A topic of the same subject: three in four over its 6 topics, and one in four over all 60.
    topic = "Next we come to songs. What do you know about them?"
    share = 0.75 / 6 + 0.25 / 60
    assert trusted.log_prob(ANSWERED, topic) == pytest.approx(math.log(2.5 / total * share / 5))


def test_what_the_teacher_says_in_a_talk_is_possible_and_above_the_floor() -> None:
    for seed in range(8):
        chat = list(islice(talk(np.random.default_rng(seed)), 300))
        found = list(trusted.parses(chat))
        assert len(found) == 150
        assert all(parse.possible and parse.log_prob > trusted.FLOOR + 10 for parse in found)
        again = [trusted.parse(chat[:at], chat[at].text) for at in range(0, 300, 2)]
        assert again == found


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_a_sample_is_possible_after_any_history(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    chat = list(islice(talk(rng), length))
    odd = [turn._replace(text=turn.text if rng.random() < 0.7 else "") for turn in chat]
    said = trusted.sample(odd, rng)
    parse = trusted.parse(odd, said)
    assert parse.possible
    assert parse.log_prob == trusted.log_prob(odd, said) > trusted.FLOOR + 10
    cut = said[: int(rng.integers(1, len(said)))]
    assert trusted.log_prob(odd, cut, complete=False) >= parse.log_prob - 1e-12


@pytest.mark.parametrize(
    ("history", "turn", "reason"),
    [
        (ANSWERED, "", "blank"),
        (ANSWERED, " \n ", "blank"),
        (ANSWERED, "What can you tell me about", "unfinished"),
        (ANSWERED, "W", "unfinished"),
        (ANSWERED, "yes", "unknown words"),
        (ANSWERED, "What can you tell me about ghosts?", "unknown words"),
        (ANSWERED, "What can you tell me about drums? What?", "unknown words"),
        (ANSWERED, "what can you tell me about drums?", "unknown words"),
        (ANSWERED, "Good question. We know it because drums keep the time.", "wrong moment"),
        (ANSWERED, "Good morning, Ida. Please sit down and open your book.", "wrong moment"),
        (LESSON[:2], "What is 3 and 4?", "wrong moment"),
        (ANSWERED, "What is 3 and 0?", "wrong words"),
        (MUTE, "I am proud of you. Shall we go on with drums?", "wrong moment"),
        (ANSWERED, "What can you tell me about songs?", "wrong words"),
        (MUTE, "I did not hear you, Tom. What about drums?", "wrong words"),
        (ANSWERED, "Do you know that drums make honey?", "wrong words"),
        (ANSWERED, "Look at page 1. What does it say about drums?", "wrong words"),
        (MUTE, "So drums can be heard far away. Is that always so?", "wrong moment"),
        (ANSWERED, "Now for something new. In history we also have songs.", "wrong words"),
        (ANSWERED, "Now for something new. In music we also have bees.", "wrong words"),
        ([], "What can you tell me about drums?", "wrong moment"),
        (LESSON[:2], "Today we look at bees. Most of them keep the time.", "wrong words"),
    ],
)
def test_what_he_could_never_have_said(history: list[Turn], turn: str, reason: str) -> None:
    parse = trusted.parse(history, turn)
    assert not parse.possible
    assert parse.log_prob == trusted.log_prob(history, turn) == -math.inf
    assert parse.reason == reason
    assert parse.detail


@pytest.mark.parametrize(
    ("history", "turn", "move"),
    [
        (ANSWERED, "What can you tell me about drums?", "question"),
        (ANSWERED, "So drums keep the time. Is that always so?", "follow-up"),
        (ASKED, "Nobody knows for sure, but drums can be heard far away.", "explanation"),
        (SAD, "Take your time. You did well last Friday.", "comfort"),
        (MUTE, "Are you still with me, Ida? We talk about drums.", "prompt"),
        (ANSWERED, "  That is all for today. Read the page until Monday.\n", "farewell"),
        (ANSWERED, "Let us turn to bees. They make honey.", "topic"),
        ([], "Good morning, Anna. Please sit down and open your book.", "greeting"),
    ],
)
def test_what_he_could_have_said(history: list[Turn], turn: str, move: str) -> None:
    parse = trusted.parse(history, turn)
    assert parse == trusted.Parse(True, trusted.log_prob(history, turn), move)


def test_the_opening_of_every_chat_is_his() -> None:
    chat = turns(OPENING)
    assert trusted.parse(chat[:0], chat[0].text).possible
    assert trusted.log_prob(chat[:2], chat[2].text, complete=False) > -2
    assert trusted.parse(chat[:2], chat[2].text).reason == "unfinished"


def test_no_sentence_is_so_short_that_it_could_pass_for_silence() -> None:
    for history in HISTORIES.values():
        for way in trusted.ways(read(history)):
            assert min(map(len, sentences(way.templates, way.slots))) >= 16


def test_every_move_is_made_in_time() -> None:
    chat = list(islice(talk(np.random.default_rng(5)), 6000))
    assert {parse.move for parse in trusted.parses(chat)} == set(lexicon.MOVES)


def test_the_ruler_is_frozen() -> None:
    """Bases and transcripts name this ruler. Where this fails raise `trusted._RULES`, build anew."""
    rng = np.random.default_rng(0)
    said = [turn.text for turn in islice(talk(rng), 200)] + ["", "They make honey", "7?", "Songs"]
    verdicts = []
    for _ in range(300):
        chat = [Turn(("Teacher", "Student")[n % 2], said[rng.integers(204)]) for n in range(6)]
        parse = trusted.parse(chat, said[2 * rng.integers(102)])
        verdicts.append((parse.move, parse.reason, round(max(parse.log_prob, -99), 6)))
    digest = hashlib.sha256(json.dumps(verdicts).encode()).hexdigest()
    assert (trusted.GRAMMAR, digest[:12]) == ("tutoring-c228147b9503", "4b7601cf6979")


def test_white_space_and_cuts_in_a_line_break_do_not_matter() -> None:
    spaced = [Turn(turn.speaker, f" {turn.text}\n") for turn in ASKED]
    turn = "Nobody knows for sure, but drums keep the time."
    assert trusted.parse(spaced, turn) == trusted.parse(ASKED, f" {turn}\n\n")
    whole = trusted.log_prob(ASKED, turn)
    assert trusted.log_prob(ASKED, f" {turn}\n", complete=False) == pytest.approx(whole)
    assert trusted.log_prob(ASKED, f"{turn} ", complete=False) == -math.inf


def test_a_question_is_answered_once() -> None:
    turn = "Nobody knows for sure, but drums keep the time."
    assert trusted.parse([*ASKED, Turn("Teacher", turn)], turn).reason == "wrong moment"


def test_nobody_knows_the_name_before_a_greeting() -> None:
    nameless = [Turn("Teacher", "Let us turn to drums. They keep the time.")]
    turn = "Please say that again, {}."
    nameless += [Turn("Student", "")]
    known, unknown = (trusted.log_prob(history, turn.format("Ida")) for history in (MUTE, nameless))
    assert known - unknown == pytest.approx(math.log(len(lexicon.NAMES)))
