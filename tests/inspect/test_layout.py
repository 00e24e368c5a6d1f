"""Lines, headers and folds of a chat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from kl_derail.inspect.layout import Fold, Line, fold, header_spans, lines_of
from kl_derail.transcripts import Episode, spent
from tests.inspect.factories import one_token_a_turn, silent
from tests.transcripts.factories import long_episode, make_episode
from tests.transcripts.strategies import episodes

HELLO = [("Teacher", " Hello."), ("Student", " Hi."), ("Teacher", " Go on.")]
SILENT = [("Teacher", ""), ("Student", "")]


def shown(lines: list[Line]) -> list[str]:
    return ["".join(piece.text for piece in line.pieces) for line in lines]


def headers(lines: list[Line]) -> list[str]:
    return ["".join(piece.text for piece in line.pieces if piece.header) for line in lines]


def test_each_turn_has_its_line() -> None:
    lines = lines_of(make_episode(HELLO))
    assert shown(lines) == ["Teacher: Hello.\n\n", "Student: Hi.\n\n", "Teacher: Go on."]
    assert [line.turn for line in lines] == [0, 1, 2]
    assert headers(lines) == ["Teacher:", "Student:", "Teacher:"]
    assert [line.sampled for line in lines] == [0, None, 9]


def test_a_turn_of_several_lines_begins_once() -> None:
    episode = make_episode([("Teacher", " One\ntwo"), ("Student", " Hi.")], cut=True)
    lines = lines_of(episode)
    assert shown(lines) == ["Teacher: One\n", "two\n\n", "Student: Hi."]
    assert [line.turn for line in lines] == [0, 0, 1]
    assert [line.sampled for line in lines] == [0, None, None]


def test_the_opening_ends_inside_a_turn() -> None:
    episode = make_episode([*HELLO, ("Student", " Yes.")], opening_turns=3)
    sampled = [line.sampled for line in lines_of(episode)]
    assert sampled == [None, None, episode.opening_tokens, None]


def test_a_name_is_a_header_only_where_the_turn_changes() -> None:
    turns = [("Teacher", " Student: no\nTeacher: no"), ("Student", " yes"), ("Teacher", "")]
    lines = lines_of(make_episode(turns))
    assert headers(lines) == ["Teacher:", "", "Student:", "Teacher:"]


def test_a_last_header_without_a_turn_has_a_line_of_its_own() -> None:
    episode = make_episode([("Teacher", " Hello."), ("Student", " Hi.")], cut=False)
    assert [line.turn for line in lines_of(episode)] == [0, 1, 2]
    assert header_spans(episode)[2] == (len(episode.text) - 8, len(episode.text))


def test_one_token_may_hold_text_line_breaks_and_header() -> None:
    episode = one_token_a_turn([" Hello.\n\nStudent:", " Hi.\nTeacher:\n", "\nBye."])
    lines = lines_of(episode)
    assert shown(lines) == [" Hello.\n\n", "Student: Hi.\n", "Teacher:\n\n", "Bye."]
    assert headers(lines) == ["", "Student:", "Teacher:", ""]
    assert [line.sampled for line in lines] == [0, None, 2, None]


@given(episodes())
@settings(max_examples=50)
def test_the_lines_hold_every_token_and_all_of_the_text(episode: Episode) -> None:
    lines = lines_of(episode)
    assert "".join(shown(lines)) == episode.text
    tokens = [piece.token for line in lines for piece in line.pieces]
    assert tokens == sorted(tokens)
    assert set(tokens) == set(range(episode.length))


def total(episode: Episode, rows: list[Line | Fold]) -> float:
    """KL on the screen: the tokens shown, each once, and the sums of what is not."""
    tokens = {piece.token for row in rows if isinstance(row, Line) for piece in row.pieces}
    return float(episode.kl[sorted(tokens)].sum()) + sum(
        row.kl for row in rows if isinstance(row, Fold)
    )


@given(episodes())
@settings(max_examples=50)
def test_kl_shown_and_folded_is_all_that_was_spent(episode: Episode) -> None:
    for lines in (lines_of(episode), fold(episode, lines_of(episode))):
        assert total(episode, list(lines)) == pytest.approx(spent(episode).expected, abs=1e-9)


def test_kl_of_a_long_talk_is_all_shown() -> None:
    episode = long_episode()
    assert total(episode, list(lines_of(episode))) == pytest.approx(spent(episode).expected)


def test_silent_exchanges_are_folded() -> None:
    episode = silent(10)
    rows = fold(episode, lines_of(episode))
    folds = [row for row in rows if isinstance(row, Fold)]
    assert folds == [Fold(exchanges=8, silent=True, turn=6, kl=2.0, reward=4.0)]
    assert [row.turn for row in rows] == [0, 1, 2, 3, 4, 5, 6, 22]
    assert total(episode, rows) == pytest.approx(spent(episode).expected)


def test_a_repeated_reply_to_silence_is_folded_but_not_called_silent() -> None:
    episode = silent(10, " I do not know.")
    folds = [row for row in fold(episode, lines_of(episode)) if isinstance(row, Fold)]
    assert [(each.exchanges, each.silent) for each in folds] == [(8, False)]


@pytest.mark.parametrize("exchanges", [0, 1, 2, 3])
def test_few_exchanges_are_left_standing(exchanges: int) -> None:
    episode = silent(exchanges)
    lines = lines_of(episode)
    assert fold(episode, lines) == lines


def test_talk_is_never_folded() -> None:
    episode = make_episode([("Teacher", " Yes."), ("Student", " Yes.")] * 10)
    lines = lines_of(episode)
    assert fold(episode, lines) == lines


def test_talk_between_silences_parts_them() -> None:
    episode = make_episode(
        [*SILENT * 4, ("Teacher", " So?"), ("Student", ""), *SILENT * 5, SILENT[0]]
    )
    folds = [row for row in fold(episode, lines_of(episode)) if isinstance(row, Fold)]
    assert [each.exchanges for each in folds] == [2, 3]
    assert all(np.isnan(each.reward) for each in folds)


def test_silence_before_the_end_of_the_opening_is_not_folded() -> None:
    episode = make_episode([*SILENT * 6], opening_turns=12)
    lines = lines_of(episode)
    assert fold(episode, lines) == lines
