"""Pieces of text against the tokenizer's own decoding of the whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.base import TokenPieces
from kl_derail.base.vocabulary import REPLACEMENT
from tests.models import END, SPARE, byte_fallback_tokenizer, byte_level_tokenizer

BYTE_LEVEL = byte_level_tokenizer()
FALLBACK = byte_fallback_tokenizer()
LEVEL_PIECES = TokenPieces(BYTE_LEVEL, len(BYTE_LEVEL) + SPARE)
FALLBACK_PIECES = TokenPieces(FALLBACK, len(FALLBACK) + SPARE)

EMOJI = "😀 né 👩‍👩‍👧 €"
BYTES = [BYTE_LEVEL.encode(chr(0x1F600))[0], *BYTE_LEVEL.encode("é€ü😀\n")]
"""Ids that hold parts of characters."""

any_ids = st.lists(st.integers(0, len(BYTE_LEVEL) - 1) | st.sampled_from(BYTES), max_size=24)


def whole(tokenizer: Any, ids: list[int]) -> str:
    """The tokenizer's own decoding of ids that stand after other text."""
    before = tokenizer.encode("a", add_special_tokens=False)
    text: str = tokenizer.decode([*before, *ids], clean_up_tokenization_spaces=False)
    return text.removeprefix("a")


@settings(max_examples=200)
@given(any_ids)
def test_pieces_join_to_the_decoded_whole(ids: list[int]) -> None:
    """Any bytes, broken or not, special tokens among them."""
    pieces = LEVEL_PIECES.split(ids)
    assert len(pieces) == len(ids)
    assert (
        "".join(pieces)
        == BYTE_LEVEL.decode(ids)
        == whole(BYTE_LEVEL, ids)
        == LEVEL_PIECES.text(ids)
    )


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8"), max_size=12), st.data())
def test_the_pieces_of_a_cut_text_are_those_of_the_text(text: str, data: st.DataObject) -> None:
    """What a token adds never depends on what comes after it, once its character is complete."""
    ids = BYTE_LEVEL.encode(text)
    cut = data.draw(st.integers(0, len(ids)))
    complete = "".join(LEVEL_PIECES.split(ids[:cut])).rstrip(REPLACEMENT)
    assert text.startswith(complete) or REPLACEMENT in text
    assert "".join(LEVEL_PIECES.split(ids)) == text


def test_a_character_belongs_to_the_token_that_completes_it() -> None:
    ids = BYTE_LEVEL.encode("x😀y")
    pieces = LEVEL_PIECES.split(ids)
    assert len(ids) > 4
    assert pieces[0] == "x"
    assert pieces[-1] == "y"
    assert pieces[-2] == "😀"
    assert set(pieces[1:-2]) == {""}


def test_a_broken_character_is_shown_where_it_ends() -> None:
    """The first bytes of an emoji, then something else: one mark, as the whole text has it."""
    ids = [*BYTE_LEVEL.encode("😀")[:-1], *BYTE_LEVEL.encode("y")]
    assert "".join(LEVEL_PIECES.split(ids)) == f"{REPLACEMENT}y"
    assert LEVEL_PIECES.split(ids[:-1])[-1] == REPLACEMENT


def test_special_tokens_are_text() -> None:
    end = BYTE_LEVEL.convert_tokens_to_ids(END)
    assert LEVEL_PIECES.split([end, *BYTE_LEVEL.encode("a"), end]) == [END, "a", END]


@pytest.mark.parametrize("pieces", [LEVEL_PIECES, FALLBACK_PIECES])
def test_ids_beyond_the_tokenizer_add_no_text(pieces: TokenPieces) -> None:
    assert pieces.table[-SPARE:] == [""] * SPARE
    start = pieces.tokenizer.encode("a b", add_special_tokens=False)
    assert pieces.text([*start[:1], pieces.size - 1, *start[1:]]) == pieces.text(start)


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8"), max_size=16))
def test_byte_fallback_pieces_join_to_the_whole(text: str) -> None:
    """A vocabulary like Llama's: a space before every text, every other character as bytes."""
    ids = FALLBACK.encode(text, add_special_tokens=False)
    pieces = FALLBACK_PIECES.split(ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == whole(FALLBACK, ids)
    assert "".join(pieces) == (f" {text}" if text else "")


@settings(max_examples=200)
@given(st.lists(st.sampled_from(FALLBACK.encode(EMOJI, add_special_tokens=False)), max_size=12))
def test_broken_bytes_leave_the_rest_alone(ids: list[int]) -> None:
    """Unlike the tokenizer's decoder, which gives up whole runs of bytes for a single broken one."""
    assert len(FALLBACK_PIECES.split(ids)) == len(ids)
    sound = FALLBACK.encode("€ é", add_special_tokens=False)[1:]
    assert FALLBACK_PIECES.text([*sound, *ids]).startswith("€ é")


def test_a_whole_character_before_a_broken_byte_stands() -> None:
    byte = FALLBACK.convert_tokens_to_ids("<0xFF>")
    euro = FALLBACK.encode("€", add_special_tokens=False)[1:]
    assert FALLBACK_PIECES.split([*euro, byte]) == ["", "", "€", REPLACEMENT]
    assert (
        FALLBACK_PIECES.text([byte, *FALLBACK.encode("\n", add_special_tokens=False)[1:]])
        == f"{REPLACEMENT}\n"
    )


def test_nothing_is_nothing() -> None:
    assert LEVEL_PIECES.split([]) == []
    assert LEVEL_PIECES.text([]) == ""
