"""Metrics of an episode, by hand and at the edges of the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from kl_derail.transcripts import (
    Episode,
    Nats,
    agent_turns,
    distinct_replies,
    empty_turn_fraction,
    is_counted,
    is_empty,
    is_silent,
    kl_by_quarter,
    overspend,
    reward_per_reply,
    short_turn_fraction,
    silence_start,
    spent,
    total_reward,
)
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes

ASK, WORDS = ("Student", " Yes."), ("Teacher", " Good.")
BLANK = ("Teacher", "")
EMPTY_PAIR = [ASK, BLANK]  # 4 + 3 tokens
TALK_PAIR = [ASK, WORDS]


def chat(*pairs: list[tuple[str, str]], **options: object) -> Episode:
    """An opening of one teacher turn, then these exchanges, the last turn finished."""
    turns = [("Teacher", " Now then."), *(turn for pair in pairs for turn in pair)]
    return make_episode(turns, **{"opening_turns": 1, "cut": False, **options})  # type: ignore[arg-type]


class TestSilence:
    def test_five_empty_turns_from_the_start(self) -> None:
        assert is_silent(chat(*[EMPTY_PAIR] * 5))

    def test_four_empty_turns_are_too_few(self) -> None:
        four = chat(*[EMPTY_PAIR] * 4)
        assert not is_silent(four)
        assert is_silent(four, minimum=4)

    def test_an_unfinished_fifth_does_not_count(self) -> None:
        assert not is_silent(chat(*[EMPTY_PAIR] * 5, cut=True))
        assert is_silent(chat(*[EMPTY_PAIR] * 6, cut=True))

    def test_an_unfinished_last_turn_with_words_does_not_break_it(self) -> None:
        assert is_silent(chat(*[EMPTY_PAIR] * 5, TALK_PAIR, cut=True))

    def test_one_finished_talk_turn_late_breaks_it(self) -> None:
        assert not is_silent(chat(*[EMPTY_PAIR] * 8, TALK_PAIR))
        assert not is_silent(chat(*[EMPTY_PAIR] * 8, TALK_PAIR, *[EMPTY_PAIR] * 4))

    def test_talk_before_the_silence_is_allowed(self) -> None:
        silent = chat(*[TALK_PAIR] * 3, *[EMPTY_PAIR] * 6)
        assert silence_start(silent) == 6 + 3 * 8 + 4
        assert is_silent(silent)

    def test_silence_begun_after_the_half(self) -> None:
        assert not is_silent(chat(*[TALK_PAIR] * 6, *[EMPTY_PAIR] * 5))

    @pytest.mark.parametrize(("words", "silent"), [(14, False), (13, True)])
    def test_the_half_is_measured_in_tokens_of_the_whole_chat(
        self, words: int, silent: bool
    ) -> None:
        """The silence begins at token words + 4 of words + 22: before the half if words < 14."""
        talk = ("Student", " w" * words)
        quiet = [("Teacher", ""), ("Student", "")] * 3
        episode = make_episode([talk, *quiet], cut=False)
        assert (episode.turn_start[1], episode.length) == (words + 4, words + 22)
        assert is_silent(episode, minimum=3) == silent

    def test_a_turn_begun_in_the_opening_does_not_count(self) -> None:
        turns = [BLANK, *EMPTY_PAIR * 4]
        assert not is_silent(make_episode(turns, opening_turns=1, cut=False))
        assert is_silent(make_episode(turns, opening_turns=0, cut=False))

    def test_what_the_student_says_does_not_matter(self) -> None:
        assert is_silent(chat(*[[("Student", " w" * 9), BLANK]] * 6))

    def test_no_turn_at_all(self) -> None:
        assert not is_silent(make_episode([WORDS], opening_turns=1))
        assert not is_silent(make_episode([WORDS], opening_turns=1), minimum=0)

    @settings(max_examples=100, deadline=None)
    @given(episodes())
    def test_the_definition_read_aloud(self, episode: Episode) -> None:
        """Some counted turn starts in the first half; it and all later ones are empty."""
        counted = [turn for turn in agent_turns(episode) if is_counted(turn)]
        for minimum in (1, 2):
            assert is_silent(episode, minimum) == any(
                counted[i].start < episode.length / 2
                and all(map(is_empty, counted[i:]))
                and len(counted) - i >= minimum
                for i in range(len(counted))
            )


def test_turn_fractions() -> None:
    episode = chat(EMPTY_PAIR, TALK_PAIR, [ASK, ("Teacher", " Two words.")], EMPTY_PAIR, cut=True)
    assert empty_turn_fraction(episode) == 1 / 3  # the last one is unfinished
    assert short_turn_fraction(episode) == 2 / 3  # " Good." and its change are 4 tokens
    assert short_turn_fraction(episode, tokens=2) == 0
    assert np.isnan(empty_turn_fraction(make_episode([WORDS])))
    assert np.isnan(short_turn_fraction(make_episode([WORDS])))


def test_spending_and_overspending() -> None:
    kl = {2: 3.0, 4: 4.5}
    plain = chat(EMPTY_PAIR, EMPTY_PAIR, turn_kl=kl, budget=10.0)
    ratio = np.where(plain.kl > 0, plain.kl + 2, 0)
    episode = chat(EMPTY_PAIR, EMPTY_PAIR, turn_kl=kl, log_ratio=ratio, budget=10.0)
    assert spent(episode) == Nats(expected=7.5, realised=11.5)
    assert overspend(episode) == Nats(expected=0.0, realised=1.5)
    within = chat(EMPTY_PAIR, turn_kl={2: 1.0 + 1e-12}, budget=1.0)
    assert overspend(within) == Nats(0.0, 0.0)
    above = chat(EMPTY_PAIR, turn_kl={2: 1.0 + 1e-6}, budget=1.0)
    assert overspend(above).expected == pytest.approx(1e-6)


def test_kl_by_quarter() -> None:
    """Ten tokens after the opening: quarters of 3, 2, 3 and 2 tokens."""
    kl = np.zeros(14)
    kl[4:] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8]
    one_turn = [("Teacher", " w" * 13)]
    episode = make_episode(one_turn, opening_tokens=4, kl=kl)
    assert kl_by_quarter(episode) == tuple(np.array([3, 4, 12, 16]) / 35)
    assert np.isnan(kl_by_quarter(make_episode(one_turn))).all()
    assert np.isnan(kl_by_quarter(make_episode(one_turn, opening_tokens=14))).all()


@settings(max_examples=50, deadline=None)
@given(episodes())
def test_quarters_add_up_and_follow_the_rule(episode: Episode) -> None:
    shares = kl_by_quarter(episode)
    after = episode.kl[episode.opening_tokens :]
    if not after.any():
        assert np.isnan(shares).all()
        return
    quarter = 4 * np.arange(len(after)) // len(after)
    plain = np.bincount(quarter, after, 4) / after.sum()
    np.testing.assert_allclose(shares, plain, rtol=1e-12)


def test_rewards_and_replies() -> None:
    episode = chat(EMPTY_PAIR, EMPTY_PAIR, EMPTY_PAIR, turn_reward={1: 0.75, 3: 0.25, 5: 1.0})
    assert total_reward(episode) == 2.0
    assert reward_per_reply(episode) == pytest.approx(2 / 3)
    unscored = chat([("Student", " No."), BLANK])
    assert total_reward(unscored) == 0
    assert np.isnan(reward_per_reply(unscored))
    assert distinct_replies([episode]) == 1
    assert distinct_replies([episode, unscored]) == 2
