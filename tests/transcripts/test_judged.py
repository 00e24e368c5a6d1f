"""Which turns the trusted teacher could have said: a lesson made by hand, and lessons of his own."""

from __future__ import annotations

import math
import re
import time
from itertools import islice
from typing import Any

import numpy as np
import pytest

from kl_derail.embedded import conversation, trusted
from kl_derail.embedded.trusted import FLOOR, GRAMMAR
from kl_derail.transcripts import Episode, Verdicts, is_measured, judged_turns
from kl_derail.transcripts.judged import count, judgements, mean_log_prob
from tests.transcripts.factories import make_episode

OPENING = [
    ("Teacher", " Good morning, Anna. Please sit down and open your book."),
    ("Student", " Good morning. I have my book with me."),
]
FIRST = ("Teacher", " Today we look at roses. Most of them need a lot of sun.")
LIKES, EXPLAINS = " I quite like roses.", " Nobody knows for sure, but roses need a lot of sun."
LESSON = [
    *(*OPENING, FIRST, ("Student", LIKES)),
    *(("Teacher", " What can you tell me about roses?"), ("Student", LIKES)),
    *(("Teacher", ""), ("Student", LIKES)),
    *(("Teacher", EXPLAINS), ("Student", LIKES)),
    *(("Teacher", " That was very good. What else do you know about bees?"), ("Student", LIKES)),
    *(("Teacher", " Do you know that roses have no corners?"), ("Student", LIKES)),
    *(("Teacher", " Roses are red."), ("Student", LIKES)),
    *(("Teacher", " What can you"), ("Student", " But why is it that roses are cut in spring?")),
    *(("Teacher", EXPLAINS), ("Student", LIKES)),
    ("Teacher", " What can"),
]  # fmt: skip
REASONS = {
    2: "",
    4: "",
    6: "blank",
    8: "wrong moment",  # nobody asked
    10: "wrong words",  # the topic is roses
    12: "wrong words",  # circles have no corners
    14: "unknown words",
    16: "unfinished",
    18: "",  # now he is asked
}
"""Of the judged turns; the greeting was the opening's, the last turn is cut off."""


def lesson(turns: list[tuple[str, str]] = LESSON, **columns: Any) -> Episode:
    """A chat that opens with a greeting, a reply and the first word of the next turn."""
    return make_episode(turns, **{"opening_turns": 3, "trusted_policy": GRAMMAR, **columns})


def reasons(episode: Episode) -> dict[int, str]:
    return {turn: parse.reason for turn, parse in judged_turns(episode).items()}


def test_by_hand() -> None:
    found = judged_turns(lesson())
    assert reasons(lesson()) == REASONS
    assert [parse.possible for parse in found.values()] == [not each for each in REASONS.values()]
    assert found[2].log_prob == pytest.approx(-math.log(60 * 5 * 3))  # topics, sentences, facts
    assert found[8].log_prob == -math.inf


def test_counts_and_mean_log_prob() -> None:
    parses = judged_turns(lesson()).values()
    found = count(parses)
    assert found == Verdicts(3, 1, 1, 1, 1, 2)
    assert (found.turns, found.impossible, found.impossible_fraction) == (9, 6, 6 / 9)
    possible = sum(parse.log_prob for parse in parses if parse.possible)
    assert mean_log_prob(list(parses)) == pytest.approx((possible + 6 * FLOOR) / 9)


def test_no_turn_to_judge() -> None:
    assert count([]).turns == 0
    assert math.isnan(count([]).impossible_fraction)
    assert math.isnan(mean_log_prob([]))
    assert judgements([lesson(LESSON[:3])]) == [[]]


def test_the_opened_turn_is_judged_as_a_whole_if_the_agent_ended_it() -> None:
    spoilt = [*OPENING, ("Teacher", " Today we look at the wall."), ("Student", LIKES)]
    assert reasons(lesson(spoilt)) == {2: "unknown words"}
    assert reasons(lesson(spoilt, opening_turns=4)) == {}  # the opening itself ended it
    assert reasons(lesson(spoilt[:3])) == {}  # cut off
    assert reasons(lesson(spoilt[:3], cut=False)) == {2: "unknown words"}


def test_the_greeting_is_judged_if_the_agent_says_it() -> None:
    assert reasons(lesson(opening_turns=0)) == {0: "", **REASONS}


def test_text_before_the_first_header_is_nobodys_mood() -> None:
    """Comfort is not for a happy student; but this one has shown no mood."""
    lost, comfort = (
        ("Student", " I forgot what you said."),
        " Cheer up! We will find an easy way into roses.",
    )
    turns = [
        ("Student", " This is wonderful, I love roses!"),
        *OPENING,
        FIRST,
        lost,
        ("Teacher", comfort),
        lost,
    ]
    glad = lesson(turns, opening_turns=4)
    titled = Episode.from_columns(
        glad.columns()
        | {
            "turn_speaker": [-1, *glad.turn_speaker[1:]],
            "speaker": np.where(glad.turn == 0, -1, glad.speaker),
        }
    )
    assert reasons(glad) == {3: "", 5: "wrong moment"}
    assert reasons(titled) == {3: "", 5: ""}


@pytest.mark.parametrize(
    "columns",
    [
        {"trusted_policy": ""},
        {"trusted_policy": "tutoring-000000000000"},
        {"agent": "Student"},
        {"speakers": ("Teacher", "Pupil")},
    ],
    ids=str,
)
def test_not_measured(columns: dict[str, Any]) -> None:
    episode = lesson(**columns)
    assert not is_measured(episode)
    assert judged_turns(episode) == {}
    assert judgements([episode]) == []


def test_the_trusted_teacher_is_never_impossible() -> None:
    for seed in range(5):
        said = list(islice(conversation.talk(np.random.default_rng(seed)), 30))
        episode = lesson([(turn.speaker, f" {turn.text}") for turn in said], cut=False)
        found = judged_turns(episode)
        assert list(found) == list(range(2, 30, 2))
        for turn, parse in found.items():
            assert parse.log_prob == trusted.log_prob(said[:turn], said[turn].text) > FLOOR


def test_the_grammar_has_a_name() -> None:
    assert re.fullmatch("tutoring-[0-9a-f]{12}", GRAMMAR)


def test_fast_enough_to_run_every_update() -> None:
    """64 silent chats of 40 turns: 0.4 s on a busy machine; the bound leaves room."""
    chats = [
        lesson([*OPENING, FIRST, ("Student", f" {n}.")] + [("Teacher", ""), ("Student", "")] * 40)
        for n in range(64)
    ]
    start = time.process_time()
    assert sum(map(len, judgements(chats))) == 64 * 41
    assert time.process_time() - start < 2
