"""Turns: which count, which are blank, which are short in the published sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from kl_derail.transcripts import (
    Episode,
    agent_turns,
    is_counted,
    is_empty,
    is_short,
    replies,
    reply_texts,
    turns_of,
)
from kl_derail.transcripts.turns import NOBODY, counted_agent_turns
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes

TALK = [
    ("Student", " Hello."),  # begun in the opening
    ("Teacher", " Now then"),  # begun in the opening, cut there
    ("Student", " Yes."),
    ("Teacher", ""),
    ("Student", " \n"),
    ("Teacher", " One two three."),
    ("Student", " Yes."),
    ("Teacher", ""),  # cut by the end
]


@pytest.fixture
def talk() -> Episode:
    return make_episode(
        TALK, opening_turns=2, turn_kl={1: 0.25, 3: 2.0, 5: 0.5}, turn_reward={2: 0.75, 4: 0.5}
    )


def test_turns_in_order(talk: Episode) -> None:
    turns = turns_of(talk)
    assert [(turn.speaker, turn.text) for turn in turns] == TALK
    assert [turn.index for turn in turns] == list(range(8))
    assert [turn.in_opening for turn in turns] == [True, True] + [False] * 6
    assert [turn.complete for turn in turns] == [True] * 7 + [False]
    assert [turn.kl for turn in turns] == [0, 0.25, 0, 2.0, 0, 0.5, 0, 0]
    assert turns[2].reward == 0.75
    assert np.isnan(turns[6].reward)
    assert [turn.tokens for turn in turns] == [5, 5, 4, 3, 5, 6, 4, 0]


def test_agent_turns(talk: Episode) -> None:
    turns = agent_turns(talk)
    assert [turn.index for turn in turns] == [1, 3, 5, 7]
    assert [is_empty(turn) for turn in turns] == [False, True, False, True]
    assert [is_counted(turn) for turn in turns] == [False, True, True, False]


def test_short_counts_the_speaker_change(talk: Episode) -> None:
    one_word = turns_of(talk)[2]
    assert one_word.tokens == 4  # the word, two line breaks, the header
    assert is_short(one_word)
    assert not is_empty(one_word)
    assert not is_short(one_word, tokens=3)


def test_blank_text_of_any_kind_is_empty() -> None:
    blank = make_episode([("Teacher", " \t\n\u00a0\u2003"), ("Student", "")], cut=False)
    assert all(is_empty(turn) for turn in turns_of(blank))
    assert not is_empty(turns_of(make_episode([("Teacher", " .")]))[0])


def test_replies_are_finished_turns_after_the_opening(talk: Episode) -> None:
    assert [turn.index for turn in replies(talk)] == [2, 4, 6]
    assert reply_texts(talk) == ["Yes.", "", "Yes."]


def test_text_before_the_first_header_is_nobodys() -> None:
    turns = [("Student", "A talk."), *TALK]
    plain = make_episode(turns, opening_turns=3)
    index = plain.turn_speaker.copy()
    index[0] = -1
    named = Episode.from_columns(
        plain.columns() | {"turn_speaker": index, "speaker": index[plain.turn]}
    )
    assert turns_of(named)[0].speaker == NOBODY
    assert reply_texts(named) == reply_texts(plain)
    unopened = Episode.from_columns(
        make_episode(turns).columns() | {"turn_speaker": index, "speaker": index[plain.turn]}
    )
    assert len(replies(unopened)) == len(reply_texts(unopened)) == 4


def test_roles_follow_the_agent() -> None:
    swapped = make_episode(TALK, agent="Student", opening_turns=2)
    assert [turn.index for turn in agent_turns(swapped)] == [0, 2, 4, 6]
    assert reply_texts(swapped) == ["", "One two three."]


@settings(max_examples=50, deadline=None)
@given(episodes())
def test_fast_and_plain_ways_agree(episode: Episode) -> None:
    counted = [turn for turn in agent_turns(episode) if is_counted(turn)]
    arrays = counted_agent_turns(episode)
    assert arrays.start.tolist() == [turn.start for turn in counted]
    assert arrays.tokens.tolist() == [turn.tokens for turn in counted]
    assert arrays.empty.tolist() == [is_empty(turn) for turn in counted]
    assert reply_texts(episode) == [turn.text.strip() for turn in replies(episode)]
    assert sum(turn.kl for turn in agent_turns(episode)) == pytest.approx(episode.kl.sum())
