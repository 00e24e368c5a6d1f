"""Labelled texts: what a label means, and that what is held out is really out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.embedded import labels, lexicon
from kl_derail.embedded.labels import Scored
from kl_derail.embedded.lesson import mood_of

seeds = st.integers(0, 2**32 - 1)


@lru_cache(maxsize=2)
def drawn(leave_out: bool = False) -> list[Scored]:
    return labels.labelled(0, 6000, leave_out)


def patterns(templates: Iterable[str]) -> re.Pattern[str]:
    """Matches any text with a sentence of one of the templates, whatever is in the slots."""
    forms = [re.sub(r"\\{\w+\\}", r"[\\w ]+", re.escape(text.rstrip(".!"))) for text in templates]
    return re.compile("|".join(forms), re.IGNORECASE)


@given(seeds, st.sampled_from(["reply", "thanks", "neutral", "statement", "mixed"]))
@settings(max_examples=300, deadline=None)
def test_noise_leaves_words(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    text = labels.MAKERS[kind](rng, False).text
    assert labels.careless(rng, labels.paraphrase(rng, text)).strip()


@given(seeds, st.sampled_from(lexicon.MOODS))
@settings(max_examples=200, deadline=None)
def test_noise_keeps_the_words_that_turn_a_sentence(seed: int, mood: int) -> None:
    rng = np.random.default_rng(seed)
    text = labels.say(rng, labels.STATEMENTS[mood])
    noisy = labels.careless(rng, text)
    for word in ("not", "never", "no", "nothing", "hate", "love"):
        assert len(re.findall(rf"\b{word}\b", text, re.I)) == len(
            re.findall(rf"\b{word}\b", noisy, re.I)
        )


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_a_reply_is_labelled_with_the_mood_that_can_be_read_off_it(seed: int) -> None:
    said = labels.reply(np.random.default_rng(seed))
    mood = mood_of(said.text)
    assert said.score == (0.5 if mood is None else lexicon.MOOD_SCORES[mood])


def test_texts_say_something_and_scores_are_those_of_moods_or_between() -> None:
    assert all(item.text.strip() for item in drawn())
    assert all(0.02 <= item.score <= 0.98 for item in drawn())
    assert {item.score for item in drawn() if item.kind == "reply"} == {
        *lexicon.MOOD_SCORES.values()
    }
    assert {item.kind for item in drawn()} == set(labels.MAKERS)


def test_the_mean_label_is_neutral() -> None:
    for kind in labels.MAKERS:
        found = [item.score for item in drawn() if item.kind == kind]
        assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.35 / len(found) ** 0.5)


def test_a_student_who_did_not_listen_and_nonsense_are_neutral() -> None:
    mumbles = [item.score for item in drawn() if item.text in lexicon.MUMBLES]
    assert mumbles
    assert {*mumbles, *(item.score for item in drawn() if item.kind == "nonsense")} == {0.5}


def test_a_shuffled_reply_is_half_as_far_from_neutral() -> None:
    found = {round(item.score, 3) for item in drawn() if item.kind == "shuffled"}
    assert found == {0.26, 0.375, 0.5, 0.625, 0.74}


def test_a_text_is_a_function_of_the_seed_and_its_number() -> None:
    assert labels.labelled(3, 20) == labels.labelled(3, 30)[:20]
    assert labels.labelled(3, 20) != labels.labelled(4, 20)


def test_one_template_in_six_is_held_out() -> None:
    kept, out = labels.split([*"abcdefghijklmn"])
    assert (kept, out) == (tuple("abcdeghijkmn"), ("f", "l"))
    assert all(len(row) == 4 for row in labels.HELD_OUT.values())
    assert all(labels.HELD_OUT_TALK[mood] for mood in lexicon.MOODS)


def test_held_out_statements_are_in_no_training() -> None:
    held = patterns(text for row in labels.HELD_OUT.values() for text in row)
    assert [item.text for item in drawn() if held.search(item.text)] == []
    assert all(held.fullmatch(item.text.rstrip(".!")) for item in labels.held_out(0, 5))


def test_held_out_feelings_are_left_out_on_demand() -> None:
    held = patterns(text for row in labels.HELD_OUT_TALK.values() for text in row)
    assert [item.text for item in drawn(leave_out=True) if held.search(item.text)] == []
    assert sum(bool(held.search(item.text)) for item in drawn()) > 100
    assert all(held.fullmatch(item.text.rstrip(".!")) for item in labels.held_out_talk(0, 5))


def test_students_do_not_say_held_out_statements() -> None:
    held = patterns(text for row in labels.HELD_OUT.values() for text in row)
    rng = np.random.default_rng(0)
    assert not any(held.search(labels.reply(rng).text) for _ in range(1000))
