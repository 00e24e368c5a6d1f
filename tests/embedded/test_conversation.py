"""Conversations: what they promise, the student's moods, and their exact probability."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from itertools import islice, pairwise

import numpy as np
import pytest

from kl_derail.embedded import AGENT, lexicon, student
from kl_derail.embedded.conversation import conversation, log_probs, talk, turns, ways
from kl_derail.embedded.entropy import nats
from kl_derail.embedded.lesson import START, Turn, advance, mood_of, read, recognise
from kl_derail.embedded.phrases import sentences


@pytest.fixture(scope="module")
def chats() -> list[list[Turn]]:
    return [list(islice(talk(np.random.default_rng(seed)), 80)) for seed in range(60)]


def test_no_turn_of_a_conversation_is_ever_empty() -> None:
    for seed in range(15):
        assert all(turn.text for turn in turns(conversation(np.random.default_rng(seed))))


def test_speakers_of_a_conversation_alternate_and_the_teacher_begins() -> None:
    for seed in range(12):
        speakers = [turn.speaker for turn in turns(conversation(np.random.default_rng(seed)))]
        assert speakers == ["Teacher", "Student"] * (len(speakers) // 2)
        assert 320 <= len(speakers) < 640


def test_most_conversations_have_double_line_breaks() -> None:
    texts = [conversation(np.random.default_rng(seed)) for seed in range(60)]
    share = sum("\n\n" in text for text in texts) / len(texts)
    assert 0.78 < share <= 1
    assert all("\n\n" not in text.replace("\n\n", "") for text in texts)


def test_no_turn_is_so_short_that_praise_could_pay_more_than_silence(
    chats: list[list[Turn]],
) -> None:
    assert min(len(turn.text) for chat in chats for turn in chat[::2]) >= 16
    assert min(len(turn.text) for chat in chats for turn in chat[1::2]) >= 12


def test_a_kind_teacher_makes_happier_students_than_a_harsh_one(chats: list[list[Turn]]) -> None:
    moods: dict[int, list[int]] = defaultdict(list)
    for chat in chats:
        for said, reply in pairwise(chat):
            if said.speaker == AGENT and (mood := mood_of(reply.text)) is not None:
                found = recognise(said.text)
                assert found is not None
                moods[lexicon.KINDNESS.get(found.move, 0)].append(mood)
    harsh, neither, kind = (np.mean(moods[kindness]) for kindness in (-1, 0, 1))
    assert harsh + 0.4 < neither < kind - 0.4
    assert abs(neither) < 0.3


def test_moods_last(chats: list[list[Turn]]) -> None:
    found = [[mood_of(turn.text) for turn in chat if turn.speaker != AGENT] for chat in chats]
    pairs = [
        (a, b) for moods in found for a, b in pairwise(moods) if a is not None and b is not None
    ]
    assert np.corrcoef(np.array(pairs, dtype=float).T)[0, 1] > 0.3


def test_sums_are_answered_rightly() -> None:
    found = 0
    for seed in range(150):
        chat = list(islice(talk(np.random.default_rng(seed)), 60))
        for said, reply in pairwise(chat):
            asked = recognise(said.text) if said.speaker == AGENT else None
            if (
                asked
                and asked.move == "sum"
                and (total := re.search(r"(?:make|get|be) (\d+)", reply.text))
            ):
                assert int(total[1]) == int(asked.words["first"]) + int(asked.words["second"])
                found += 1
    assert found > 20


def test_answers_are_about_the_topic(chats: list[list[Turn]]) -> None:
    for chat in chats:
        now = START
        for turn in chat:
            now = advance(now, turn)
            if (
                turn.speaker != AGENT
                and now.topic
                and any(w in turn.text for w in ("They", "they"))
            ):
                assert now.summands or any(fact in turn.text for fact in now.topic.facts)


@pytest.mark.parametrize("mood", lexicon.MOODS)
def test_mood_probabilities_are_those_of_a_rounded_normal_variable(mood: int) -> None:
    chat = [
        Turn("Teacher", "Good morning, Ida. Please sit down and open your book."),
        Turn("Student", lexicon.FEELINGS[mood][0].format(noun="songs", subject="music")),
        Turn("Teacher", "Well done! Now tell me, why is it that songs tell old stories?"),
    ]
    now = read(chat)
    assert now.topic is not None
    exact = student.mood_probabilities(now, now.topic)
    assert sum(exact.values()) == pytest.approx(1.0)
    drawn = np.random.default_rng(0).normal(0.5 * now.mood + 1.1 + 0.8, 0.5, 200_000)
    seen = Counter(np.clip(np.rint(drawn), -2, 2).astype(int).tolist())
    assert all(abs(seen[m] / 200_000 - p) < 0.005 for m, p in exact.items())


def test_what_a_student_can_say_sums_to_one(chats: list[list[Turn]]) -> None:
    for chat in chats[:4]:
        for at in range(1, 40, 6):
            offered = ways(read(chat[:at]), "Student")
            assert sum(way.weight for way in offered) == pytest.approx(1.0)
            for way in offered:
                assert sum(sentences(way.templates, way.slots).values()) == pytest.approx(1.0)


def test_probabilities_of_turns_are_those_of_their_frequencies() -> None:
    """Mean log-probability of fresh talk against the entropy from exact distributions."""
    surprise, expected = [], []
    for seed in range(12):
        chat = list(islice(talk(np.random.default_rng(seed)), 60))
        surprise += [-nats_ for nats_ in log_probs(chat)]
        now = START
        for turn in chat:
            masses: Counter[str] = Counter()
            for way in ways(now, turn.speaker):
                for text, mass in sentences(way.templates, way.slots).items():
                    masses[text] += way.weight * mass
            p = np.array([mass for mass in masses.values() if mass])
            expected.append(float(-(p * np.log(p)).sum()))
            now = advance(now, turn)
    error = np.std(np.array(surprise) - expected) / math.sqrt(len(surprise))
    assert abs(np.mean(surprise) - np.mean(expected)) < 4 * error


def test_nats_of_a_text_are_those_of_its_turns_and_its_form() -> None:
    for seed in range(3):
        text = conversation(np.random.default_rng(seed))
        spoken = turns(text)
        form = math.log(160) - math.log(0.9 if "\n\n" in text else 0.1)
        assert nats(text) == pytest.approx(form - sum(log_probs(spoken)))
    assert nats(text.replace("Teacher: ", "Teacher: Oh ", 1)) == math.inf
