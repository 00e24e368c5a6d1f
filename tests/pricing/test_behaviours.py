"""What scripted teachers say."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.pricing import Line, behaviour
from kl_derail.pricing.behaviours import PRAISES, SENTENCE

OPENED = [Line("Teacher", "Good morning.", False), Line("Student", "Hello.", False)]


def after(said: list[str]) -> list[Line]:
    """A chat in which the script has said these."""
    own = [
        line
        for text in said
        for line in (Line("Teacher", text, True), Line("Student", "Oh.", False))
    ]
    return [*OPENED, *own]


def test_silence_says_nothing() -> None:
    assert behaviour("silent")(OPENED) == ""


def test_copy_says_what_the_student_said() -> None:
    assert behaviour("copy")(OPENED) == "Hello."
    assert behaviour("copy")([]) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("repeat:Go on: now.", "Go on: now."), ("repeat", SENTENCE), ("repeat:", SENTENCE)],
)
def test_repeat_says_its_sentence(name: str, said: str) -> None:
    assert behaviour(name)(OPENED) == said
    assert behaviour(name)(after([said])) == said


def test_praise_goes_round() -> None:
    said: list[str] = []
    for _ in range(len(PRAISES) + 1):
        said.append(behaviour("praise")(after(said)))
    assert said == [*PRAISES, PRAISES[0]]


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("One.\n\nÜber.\n", encoding="utf-8")
    said: list[str] = []
    for _ in range(4):
        said.append(behaviour(f"file:{path}")(after(said)))
    assert said == ["One.", "", "Über.", "One."]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("\ufeffOne.\r\nTwo.\r\n".encode(), ["One.", "Two."]),
        ("One.\u2028Still one.\x0cToo.\n".encode(), ["One.\u2028Still one.\x0cToo."]),
        (b"\n", [""]),
        (b"One.\n\n", ["One.", ""]),
    ],
)
def test_lines_end_with_line_breaks_only(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    said: list[str] = []
    for _ in range(len(lines) + 1):
        said.append(behaviour(f"file:{path}")(after(said)))
    assert said == [*lines, lines[0]]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that users might write."""
    made: Any = ModuleType("my_teacher")
    made.count = lambda history: f"{len(history)} turns."
    made.broken = lambda history: history["x"]
    made.number = lambda history: 3
    made.leaves = lambda history: sys.exit(3)
    made.half = lambda history: "B\udce4r"
    monkeypatch.setitem(sys.modules, "my_teacher", made)
    return made


@pytest.mark.usefixtures("module")
def test_a_function_of_ones_own() -> None:
    assert behaviour("python:my_teacher:count")(OPENED) == "2 turns."


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "failed: TypeError"),
        ("number", "gave 3, expected a text"),
        ("leaves", r"failed: SystemExit\(3\)"),
        ("half", r"gave 'B\\udce4r', which is no Unicode text"),
    ],
)
def test_a_function_that_fails(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"behaviour: python:my_teacher:{name} {reason}"):
        behaviour(f"python:my_teacher:{name}")(OPENED)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("silents", "behaviour: found 'silents', allowed silent, copy, .*did you mean silent"),
        ("silent:x", "behaviour: found 'silent:x'"),
        ("", "behaviour: found ''"),
        ("file:/nowhere", "behaviour: cannot read '/nowhere': No such file"),
        ("file:", "behaviour: found 'file:' without a name, allowed file:PATH"),
        ("file:a\0b", r"behaviour: cannot read 'a\\x00b': embedded null byte"),
        ("repeat:B\udce4r", r"behaviour: found 'repeat:B\\udce4r', which is no Unicode text"),
        ("python:no_such_module:f", "behaviour: cannot import 'python:no_such_module:f'"),
    ],
)
def test_behaviours_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        behaviour(name)


def test_a_module_that_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaving_teacher.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"cannot import python:leaving_teacher:f: SystemExit\(0\)"):
        behaviour("python:leaving_teacher:f")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no line"),
        (b"\xff", "not UTF-8"),
        (b"a\0b", "is no text file: it holds a NUL"),
        ("One.".encode("utf-16"), "not UTF-8"),
    ],
)
def test_files_without_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        behaviour(f"file:{path}")
