"""Scenes that cannot be played are refused in one line that says what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from kl_derail.chat import Scene
from kl_derail.errors import UserError

GOOD: dict[str, Any] = {"opening": "A: hi\n\nB: yes\n\nA:", "agent": "A", "speakers": ("A", "B")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speakers": ("A",)}, "speakers: found ['A'], allowed two or more different names"),
        ({"speakers": ()}, "allowed two or more"),
        ({"speakers": ("A", "B", "A")}, "allowed two or more different"),
        ({"speakers": ("A", "")}, "speakers: found '', allowed a name"),
        ({"speakers": ("A", " B")}, "outer spaces"),
        ({"speakers": ("A", "B:")}, "without colon"),
        ({"speakers": ("A", "B\nC")}, "line break"),
        ({"speakers": ("A", "B", "C")}, "opening: speaker 'C' never speaks in it"),
        ({"opening": ""}, "'A' never speaks"),
        ({"opening": "A: hi B: yes"}, "'B' never speaks in it; a line must begin with 'B:'"),
        ({"opening": "A: hi\n B: yes"}, "'B' never speaks"),
        ({"agent": "C"}, "agent: found 'C', allowed one of ['A', 'B']"),
        ({"student_temperature": 0.0}, "student_temperature: found 0.0, allowed > 0"),
        ({"student_temperature": float("nan")}, "student_temperature: found nan"),
        ({"student_temperature": float("inf")}, "student_temperature: found inf"),
        ({"max_reply_tokens": 0}, "max_reply_tokens: found 0, allowed >= 1"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Scene(**{**GOOD, **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_agent_has_a_number() -> None:
    assert Scene(**GOOD).agent_index == 0
    assert Scene(**{**GOOD, "agent": "B"}).agent_index == 1


def test_every_speaker_may_be_the_agent_and_speak_once() -> None:
    scene = Scene("C: a\nB: b\nA", "C", ("B", "C"))
    assert scene.header.findall("x\n\nB: C: \nC:\n D:") == ["B", "C"]
