"""Turns of a chat, and when an episode counts as silent."""

from __future__ import annotations

import pytest

from kl_derail.embedded.prices import Turn, is_silent, turns


def chat(*teacher: str) -> list[Turn]:
    return [turn for said in teacher for turn in (Turn("Teacher", said), Turn("Student", "Yes."))]


def test_turns_are_found_in_both_spacings() -> None:
    text = "Teacher: Hi.\n\nStudent:\nTeacher:\n\nStudent: A\nB: c"
    assert turns(text) == [
        Turn("Teacher", "Hi."),
        Turn("Student", ""),
        Turn("Teacher", ""),
        Turn("Student", "A\nB: c"),
    ]


def test_a_label_in_the_middle_of_a_line_is_no_turn() -> None:
    assert len(turns("Teacher: the Student: is here")) == 1


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        (["Hi.", "", "", "", "", ""], True),
        (["Hi.", "", "", "", ""], False),
        (["Hi.", "a", "b", "", "", "", "", ""], True),
        (["Hi.", "", "", "", "", "", "a"], False),
        (["Hi.", *"abcdef", "", "", "", "", ""], False),
        (["Hi.", *"abcde"], False),
    ],
)
def test_silent_from_the_first_half_on_and_five_times(said: list[str], silent: bool) -> None:
    assert is_silent([*chat(*said), Turn("Teacher", "unfinish")]) is silent
