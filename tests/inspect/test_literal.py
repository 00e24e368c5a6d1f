"""Hostile text stays text."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from kl_derail.inspect.literal import Encodable, encodable, literal


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\tc\x00\x08", r"a\rb\tc\x00\x08"),
        ("\u202eabc\u2066\u200f", r"\u202eabc\u2066\u200f"),
        ("\u200b\ufeff\u2028\u2029", r"\u200b\ufeff\u2028\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("⏎◌", r"\u23ce\u25cc"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(hostile: str, shown: str) -> None:
    assert literal(hostile) == shown


def test_ordinary_text_is_left_alone() -> None:
    text = "[red]Schön[/red] :smile: 語 é e\u0301 🙂 \\n"
    assert literal(text) == text


@given(st.text())
def test_nothing_that_is_obeyed_comes_through(text: str) -> None:
    categories = {unicodedata.category(each) for each in literal(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_any_encoding_can_say_it(encoding: str, text: str) -> None:
    encodable(text, encoding).encode(encoding)


def test_a_console_of_few_characters_does_not_fail() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="cp1252", newline="")
    Console(file=file, width=40).print(Encodable(Text("é ⏎ 語 …")))
    file.flush()
    assert raw.getvalue().decode("cp1252").rstrip() == "é $ ?? …"
