"""Turns token by token against an obvious parser of the whole text, line by line and character by character."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kl_derail.base import TokenPieces
from kl_derail.chat import Scene, Turn, TurnTracker
from kl_derail.chat.turns import NOBODY
from tests.models import byte_level_tokenizer

TWO = ("Teacher", "Student")
THREE = ("Ann", "Anna", "Ann B")
"""Each begins like another."""


class Words:
    """Stands for `TokenPieces`: the tokens are these strings."""

    def __init__(self, table: Sequence[str]) -> None:
        self.table = list(table)

    def split(self, ids: Sequence[int]) -> list[str]:
        return [self.table[token] for token in ids]


def scene(speakers: tuple[str, ...]) -> Scene:
    return Scene("\n".join(f"{name}: x" for name in speakers), speakers[0], speakers)


def track(speakers: tuple[str, ...], opening: Sequence[str], rest: Sequence[str]) -> TurnTracker:
    """A tracker that has read the opening at once and the rest token by token."""
    tracker = TurnTracker(scene(speakers), Words(rest), [opening])  # type: ignore[arg-type]
    for token in range(len(rest)):
        tracker.advance([token], len(opening) + token)
    return tracker


def turns(speakers: tuple[str, ...], tokens: Sequence[str], opening: int = 0) -> list[Turn]:
    return track(speakers, tokens[:opening], tokens[opening:]).turns(0, len(tokens))


def parsed(speakers: tuple[str, ...], tokens: Sequence[str]) -> list[Turn]:
    """The turns of a finished text, found by looking at every line start of the whole of it."""
    text = "".join(tokens)
    owner = [
        number for number, token in enumerate(tokens) for _ in token
    ]  # token of each character
    speaker, said, start, done = NOBODY, 0, 0, []
    for place in range(len(text)):
        at_line_start = place == 0 or text[place - 1] == "\n"
        name = next((each for each in speakers if text.startswith(f"{each}:", place)), None)
        if not at_line_start or place < said or name is None or speakers.index(name) == speaker:
            continue
        after = place + len(name) + 1
        words = text[said:place].rstrip("\n")
        if speaker != NOBODY or words:
            end = owner[after - 1] + 1
            done.append(Turn(speaker, start, end, words, complete=True))
            start = end
        speaker, said = speakers.index(name), after
    if start < len(tokens):
        done.append(Turn(speaker, start, len(tokens), text[said:], complete=False))
    return done


_PARTS = (
    *("\n", "\n", "\n\n", "\n\n\n", ":", " ", "x", "é", ".", " B"),
    *("Teacher", "Student", "Teach", "Teacher:", "Student: ", "\nTeacher", "Ann", "Anna"),
    *("\nTeacher:", "\n\nStudent:", "\nAnn:", "\n\nAnn B:", "\nAnna:"),
)
texts = st.lists(st.sampled_from(_PARTS), max_size=24).map("".join)


@st.composite
def tokenised(draw: st.DrawFn) -> list[str]:
    """A random text cut at random places; some tokens add no text."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=400)
@given(tokenised(), st.sampled_from([TWO, THREE]), st.integers(0, 10))
@example(["A\nStudent: x\nTeacher:"], TWO, 0)
@example(["Teacher:", "a\nStudent:\nTeacher: b"], TWO, 1)
def test_equals_the_parser_of_the_whole_text(
    tokens: list[str], speakers: tuple[str, ...], opening: int
) -> None:
    opening = min(opening, len(tokens))
    assert turns(speakers, tokens, opening) == parsed(speakers, tokens)


@settings(max_examples=150)
@given(tokenised(), st.sampled_from([TWO, THREE]))
def test_at_every_moment_it_equals_the_parser_of_the_text_so_far(
    tokens: list[str], speakers: tuple[str, ...]
) -> None:
    tracker = TurnTracker(scene(speakers), Words(tokens), [[]])  # type: ignore[arg-type]
    for token in range(len(tokens)):
        before = tracker.speakers[0], tracker.turn_starts()[0]
        changed = tracker.advance([token], token)
        now = parsed(speakers, tokens[: token + 1])
        assert tracker.turns(0, token + 1) == now
        assert changed or before == (tracker.speakers[0], tracker.turn_starts()[0])
        if now and not now[-1].complete:
            assert (tracker.speakers[0], tracker.turn_starts()[0]) == (
                now[-1].speaker,
                now[-1].start,
            )


@settings(max_examples=200)
@given(tokenised(), st.integers(0, 10))
def test_the_spans_cover_all_tokens(tokens: list[str], opening: int) -> None:
    found = turns(TWO, tokens, min(opening, len(tokens)))
    assert [turn.start for turn in found] == [0, *(turn.end for turn in found)][: len(found)]
    assert not tokens or found[-1].end == len(tokens)
    assert all(turn.complete for turn in found[:-1])


def spoken(*tokens: str, speakers: tuple[str, ...] = TWO) -> list[tuple[int, str, int, bool]]:
    return [(turn.speaker, turn.text, turn.end, turn.complete) for turn in turns(speakers, tokens)]


@pytest.mark.parametrize("breaks", ["\n", "\n\n", "\n\n\n"])
def test_line_breaks(breaks: str) -> None:
    """However many there are, they belong to the turn they end and not to its text."""
    found = spoken("Teacher:", " hi", *breaks, "Student", ":", " yes")
    end = 2 + len(breaks) + 2
    assert found == [(0, " hi", end, True), (1, " yes", end + 1, False)]


def test_a_header_over_many_tokens() -> None:
    assert spoken("Teacher", ":", "a", "\n", "St", "ud", "ent", ":", "b") == [
        (0, "a", 8, True),
        (1, "b", 9, False),
    ]


def test_a_header_in_mid_line_is_text() -> None:
    assert spoken("Teacher:", " ask", " Student:", " b") == [(0, " ask Student: b", 4, False)]


def test_the_present_speakers_header_is_text() -> None:
    assert spoken("Teacher:", "a\n", "Teacher:", "b\nStudent:") == [(0, "a\nTeacher:b", 4, True)]


def test_text_after_the_colon_in_the_same_token_belongs_to_the_next_turn() -> None:
    assert spoken("Teacher:", "a", "\nStudent: b", " c") == [
        (0, "a", 3, True),
        (1, " b c", 4, False),
    ]


def test_text_before_the_first_header_is_nobodys() -> None:
    assert spoken("A lesson.", "\n\n", "Teacher:", " a") == [
        (NOBODY, "A lesson.", 3, True),
        (0, " a", 4, False),
    ]


def test_blank_lines_before_the_first_header_belong_to_the_first_turn() -> None:
    assert spoken("\n", "\n", "Teacher:", "a") == [(0, "a", 4, False)]


def test_three_speakers_whose_names_begin_alike() -> None:
    found = spoken(
        "Ann:", "a", "\nAnna", ":", "b", "\nAnn B", ":", "c", "\nAnn", ":", speakers=THREE
    )
    assert [(speaker, text) for speaker, text, *_ in found] == [(0, "a"), (1, "b"), (2, "c")]


def test_names_that_look_like_patterns() -> None:
    """A point in a name is a point."""
    assert spoken("A.B:", "x\nAxB:", "\nC+:", "y", speakers=("A.B", "C+")) == [
        (0, "x\nAxB:", 3, True),
        (1, "y", 4, False),
    ]


def test_an_unfinished_header_is_text_of_the_cut_turn() -> None:
    assert spoken("Teacher:", "a", "\n\nStud") == [(0, "a\n\nStud", 3, False)]


def test_a_change_with_the_last_token_leaves_no_empty_turn() -> None:
    assert spoken("Teacher:", "a", "\nStudent:") == [(0, "a", 3, True)]


def test_two_changes_in_one_token() -> None:
    """The turn between them has text but no token."""
    found = turns(TWO, ["Teacher:", "a\nStudent: b\nTeacher: c", "d"])
    assert found == [
        Turn(0, 0, 2, "a", True),
        Turn(1, 2, 2, " b", True),
        Turn(0, 2, 3, " cd", False),
    ]


def test_an_empty_turn() -> None:
    assert spoken("Teacher:", "\n", "\n", "Student:", "b")[0] == (0, "", 4, True)


def test_chats_are_followed_side_by_side() -> None:
    table = ["\nStudent:", " a", "\nTeacher:"]
    tracker = TurnTracker(scene(TWO), Words(table), [["Teacher:"], ["Teacher:"], ["Student:"]])  # type: ignore[arg-type]
    assert tracker.speakers == [0, 0, 1]
    assert tracker.advance([0, 1, 2], 1) == [0, 2]
    assert tracker.speakers == [1, 0, 0]
    assert tracker.turn_starts() == [2, 0, 2]
    assert tracker.advance([0, 2, 0], 2) == [2]  # headers of those who speak already


@cache
def byte_pieces() -> TokenPieces:
    tokenizer = byte_level_tokenizer()
    return TokenPieces(tokenizer, len(tokenizer))


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(["😀", "é", "Zoë:", "\n", "\nZoë:", "\nBó😀b:", "x", "\n\nBó😀b: ł"]),
        max_size=12,
    )
)
def test_characters_made_of_several_tokens(parts: list[str]) -> None:
    """In what is said and in names; a turn's text is the text of the episode."""
    speakers, pieces = ("Zoë", "Bó😀b"), byte_pieces()
    opening = ["Zoë:"]
    ids = pieces.tokenizer.encode("".join(parts))
    tracker = TurnTracker(scene(speakers), pieces, [opening])
    for number, token in enumerate(ids):
        tracker.advance([token], 1 + number)
    assert tracker.turns(0, 1 + len(ids)) == parsed(speakers, opening + pieces.split(ids))


@settings(max_examples=150)
@given(st.data())
def test_broken_characters(data: st.DataObject) -> None:
    """Any bytes at all, among headers."""
    pieces = byte_pieces()
    header = pieces.tokenizer.encode("\n\nStudent:"), pieces.tokenizer.encode("\nTeacher:")
    chunk = st.sampled_from(header) | st.lists(st.integers(1, pieces.size - 1), max_size=4)
    ids = [token for part in data.draw(st.lists(chunk, max_size=8)) for token in part]
    tracker = TurnTracker(scene(TWO), pieces, [["Teacher:"]])
    for number, token in enumerate(ids):
        tracker.advance([token], 1 + number)
    assert tracker.turns(0, 1 + len(ids)) == parsed(TWO, ["Teacher:", *pieces.split(ids)])
