"""The table of texts, and what stands in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.inspect.layout import Piece, shown_piece
from kl_derail.inspect.page.texts import Texts, shown_text


@given(st.lists(st.text(max_size=3)))
def test_places_lead_back_and_no_text_stands_twice(shown: list[str]) -> None:
    texts = Texts()
    places = texts.add_all(shown)
    table = texts.table()
    assert [table[place] for place in places] == shown
    assert len(table) == len(set(table))


@pytest.mark.parametrize(
    ("text", "shown"), [("\n", "⏎"), ("", "◌"), (" a\t", r" a\t"), ("⏎", r"\u23ce"), ("<b>", "<b>")]
)
def test_pieces(text: str, shown: str) -> None:
    assert shown_piece(Piece(text, 0, False)) == shown


@given(st.text(st.characters()))
def test_nothing_that_is_obeyed_comes_through(text: str) -> None:
    categories = {unicodedata.category(each) for each in shown_text(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert shown_text(text).count("⏎") == text.count("\n")
