"""Lines of equal letters."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kl_derail.figures.wrapping import showable, wrap

texts = st.lists(st.text(st.sampled_from(" ab⏎"), max_size=12), max_size=12)


@given(texts, st.integers(1, 9))
def test_nothing_is_lost_and_nothing_stands_out(pieces: list[str], width: int) -> None:
    placed = wrap(pieces, width)
    assert [
        "".join(each.text for each in placed if each.piece == piece) for piece in range(len(pieces))
    ] == pieces
    for each in placed:
        assert 0 <= each.column < each.column + len(each.text) <= width
    for one, two in pairwise(placed):
        follows = (one.line, one.column + len(one.text)) == (two.line, two.column)
        assert follows or (two.line, two.column) == (one.line + 1, 0)


def test_a_word_of_several_pieces_stays_whole() -> None:
    placed = wrap(["Good", " mor", "ning", "!"], 10)
    assert [(each.line, each.column) for each in placed] == [(0, 0), (1, 0), (1, 4), (1, 8)]


def test_a_word_wider_than_a_line_is_cut() -> None:
    assert [each.text for each in wrap(["abcdefg"], 3)] == ["abc", "def", "g"]


def test_letters_that_the_font_lacks_are_escaped() -> None:
    assert showable("naïve Привет ⏎◌…") == "naïve Привет ⏎◌…"
    assert showable("語😀") == r"\u8a9e\U0001f600"
