"""Events of text against the turn tracker, which decides when the word changes hands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.chat import Scene, TurnTracker
from kl_derail.pricing import BlankTurn, ExactText, token_bytes
from kl_derail.pricing.events import End, State, TextEvent, by_first_byte, moves, white_space
from tests.models import Models

PIECES = [
    "\n",
    "\n\n",
    " ",
    "\t",
    "\u3000",
    "S",
    ":",
    "S:",
    "\nS",
    "T:",
    "\nT:",
    "\nS: x",
    "x",
    ": ",
    "",
    "あ:",
    "あ",
]
SCENE = Scene("T: a\nS: b\nあ: c", "T", ("T", "S", "あ"))


def ends(event: TextEvent, pieces: list[str]) -> End | str | None:
    """How the event ends along the pieces; "open" if it does not."""
    state: State = event.start
    for piece in pieces:
        to = event.step(state, piece.encode())
        if to is None or isinstance(to, End):
            return to
        state = to
    return "open"


def tracked(pieces: list[str]) -> tuple[int, str] | None:
    """The piece with which the tracker lets the word go, and the text of the turn; None if it does not."""
    table: Any = SimpleNamespace(table=PIECES, split=None)
    tracker = TurnTracker(SCENE, table, [["T:"]])
    for number, piece in enumerate(pieces):
        if tracker.advance([PIECES.index(piece)], 1 + number):
            return number, tracker.turns(0, 2 + number)[0].text
    return None


@given(st.lists(st.sampled_from(PIECES), max_size=7))
def test_a_blank_turn_is_what_the_tracker_finds_blank(pieces: list[str]) -> None:
    found = ends(BlankTurn(("S", "あ")), pieces)
    truth = tracked(pieces)
    if isinstance(found, End):
        assert truth is not None
        assert not truth[1].strip()
        assert ends(BlankTurn(("S", "あ")), pieces[: truth[0]]) == "open"
    elif found is None:
        assert truth is None or truth[1].strip()
    else:
        assert truth is None


@given(st.lists(st.sampled_from(PIECES), max_size=7), st.sampled_from([" x\nS:", "\n\nS:", "\nS:"]))
def test_an_exact_text_is_what_the_running_text_begins_with(pieces: list[str], text: str) -> None:
    found = ends(ExactText(text.encode()), pieces)
    whole = "".join(pieces)
    if whole.startswith(text):
        assert isinstance(found, End)
    else:
        assert found == ("open" if text.startswith(whole) else None)


@pytest.mark.parametrize(
    ("pieces", "how"),
    [
        (["\n", "S:"], End.FLUSH),
        (["\n", "S", ": "], End.OVERHANGING),
        (["\nS: x"], End.OVERHANGING),
        (["\n", "S"], "open"),
        (["\n", " ", "S"], None),
        (["\nT:"], None),
        (["x"], None),
    ],
)
def test_how_a_blank_turn_ends(pieces: list[str], how: object) -> None:
    assert ends(BlankTurn(("S",)), pieces) == how


@given(st.binary(max_size=6), st.lists(st.integers(1, 3), max_size=6))
def test_bytes_may_be_cut_anywhere(tail: bytes, cuts: list[int]) -> None:
    """A blank turn of several-byte white space ends the same however its bytes are cut."""
    text = "\u3000\u2003\nS:".encode() + tail
    event, state, place = BlankTurn(("S",)), BlankTurn(("S",)).start, 0
    for cut in [*cuts, len(text)]:
        to = event.step(state, text[place : place + cut])
        assert to is not None
        if isinstance(to, End):
            return
        state, place = to, place + cut
    pytest.fail("it never ended")


def test_white_space_is_what_strip_takes_away() -> None:
    found = {each.decode() for each in white_space()}
    assert {" ", "\n", "\u3000", "\x85"} <= found
    assert all(not each.strip() for each in found)
    assert "\u200b" not in found


@pytest.mark.parametrize("name", ["embedded", "llama", "gpt2"])
@pytest.mark.parametrize("text", ["\n\nStudent:", " Der Bär 🐻 läuft.", "3 €\u3000\n"])
def test_the_bytes_of_tokens_are_those_of_their_text(models: Models, name: str, text: str) -> None:
    stage = models.stage(name)
    pieces = token_bytes(stage.pieces)
    assert len(pieces) == stage.base.vocabulary
    tokens = stage.tokens_of(text)
    assert b"".join(pieces[token] for token in tokens) == text.encode()


@pytest.mark.parametrize("name", ["embedded", "llama"])
def test_every_single_byte_can_be_spelled(models: Models, name: str) -> None:
    pieces = token_bytes(models.stage(name).pieces)
    assert {bytes([byte]) for byte in range(256)} <= set(pieces)


def test_moves_are_all_steps_that_lead_on() -> None:
    pieces = [piece.encode() for piece in PIECES]
    event = BlankTurn(("S",))
    found = moves(event, (True, b""), pieces, by_first_byte(pieces))
    assert [PIECES[token] for token in found.ending] == ["S:", "\nS: x"]
    assert found.hanging == [False, True]
    assert [PIECES[token] for token in found.going] == [
        "\n", "\n\n", " ", "\t", "\u3000", "S", "\nS", "",
    ]  # fmt: skip
    assert found.states[0] == (True, b"")
    assert found.states[2] == (False, b"")
