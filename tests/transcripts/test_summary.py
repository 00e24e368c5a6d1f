"""The record of an update: pooled, flat and quick."""

from __future__ import annotations

import json
import re
import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.transcripts import (
    Episode,
    Summary,
    Verdicts,
    agent_turns,
    is_counted,
    is_empty,
    is_short,
    is_silent,
    overspend,
    replies,
    spent,
    summarise,
    total_reward,
)
from tests.transcripts.factories import long_episode, make_episode
from tests.transcripts.strategies import episodes
from tests.transcripts.test_judged import LESSON, lesson

TRUSTED = ("judged_turns", "impossible_turn_fraction", "trusted_log_prob_mean")
OPENING, ASK, BLANK = ("Teacher", " Now then."), ("Student", " Yes."), ("Teacher", "")


def two_episodes() -> list[Episode]:
    """One silent over its budget of 2 nats, one talking within it."""
    silent = make_episode(
        [OPENING, *[ASK, BLANK] * 6],
        opening_turns=1,
        cut=False,
        turn_kl={2: 2.5},
        turn_reward=dict.fromkeys(range(1, 12, 2), 1.0),
        budget=2.0,
    )
    talking = make_episode(
        [OPENING, ASK, ("Teacher", " So it is."), ("Student", " No."), BLANK],
        opening_turns=1,
        cut=False,
        turn_kl={4: 0.5},
        turn_reward={1: 0.5, 3: 0.25},
        budget=2.0,
    )
    return [silent, talking]


def test_by_hand() -> None:
    found = summarise(two_episodes())
    assert (found.n, found.budget) == (2, 2.0)
    assert (found.reward.mean, found.reward.max) == ((6 + 0.75) / 2, 6.0)
    assert found.reward.q50 == (6 + 0.75) / 2
    assert found.reward.q25 == 0.75 + 0.25 * 5.25
    assert (found.kl.mean, found.kl.max) == (1.5, 2.5)
    assert found.kl.q05 == pytest.approx(0.5 + 0.05 * 2)
    assert found.log_ratio == found.kl
    assert tuple(found.overspend_expected) == (0.5, 0.25, 0.5)
    assert found.overspend_realised == found.overspend_expected
    assert found.silent_episode_fraction == 0.5
    assert found.empty_turn_fraction == 7 / 8
    assert found.short_turn_fraction == 7 / 8
    assert found.agent_turns_mean == 4
    assert found.replies_mean == 4
    assert found.distinct_reply_share == 2 / 8
    assert tuple(found.kl_quarter) == pytest.approx((2.5 / 3, 0, 0, 0.5 / 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(episodes(), min_size=1, max_size=4))
def test_agrees_with_the_plain_functions(batch: list[Episode]) -> None:
    found = summarise(batch)
    turns = [turn for each in batch for turn in agent_turns(each) if is_counted(turn)]
    assert found.agent_turns_mean == len(turns) / len(batch)
    if turns:
        assert found.empty_turn_fraction == pytest.approx(np.mean([*map(is_empty, turns)]))
        assert found.short_turn_fraction == pytest.approx(np.mean([*map(is_short, turns)]))
    assert found.replies_mean == np.mean([len(replies(each)) for each in batch])
    assert found.silent_episode_fraction == np.mean([is_silent(each) for each in batch])
    assert found.reward.mean == pytest.approx(np.mean([total_reward(each) for each in batch]))
    assert found.log_ratio.max == max(spent(each).realised for each in batch)
    excess = [overspend(each).expected for each in batch]
    assert found.overspend_expected.mean == pytest.approx(np.mean(excess))
    assert found.overspend_expected.share == np.mean([each > 0 for each in excess])


def test_flat_for_a_json_line() -> None:
    flat = summarise(two_episodes()).as_dict()
    assert json.loads(json.dumps(flat, allow_nan=False)) == flat
    assert flat["n"] == 2
    assert flat["reward_max"] == 6.0
    assert flat["overspend_realised_share"] == 0.5
    assert flat["kl_quarter_second"] == 0.0
    assert {name.split("_")[0] for name in flat} == {
        each.name.split("_")[0] for each in fields(Summary) if each.name not in TRUSTED
    }


def test_what_the_trusted_policy_says_is_pooled_over_the_episodes_it_is_known_for() -> None:
    """Judged are the turns of 9 + 1, impossible 6 of 9."""
    found = summarise([lesson(), lesson(LESSON[:4]), *two_episodes()])
    assert found.judged_turns == Verdicts(4, 1, 1, 1, 1, 2)
    assert found.impossible_turn_fraction == 6 / 10
    flat = found.as_dict()
    assert json.loads(json.dumps(flat, allow_nan=False)) == flat
    assert flat["judged_turns_wrong_words"] == 2
    assert flat["impossible_turn_fraction"] == 0.6
    assert -30 < flat["trusted_log_prob_mean"] < -18  # 6 of 10 at -30


def test_where_no_trusted_policy_is_known_nothing_is_said_of_it() -> None:
    for unknown in (two_episodes(), [lesson(trusted_policy="tutoring-other")]):
        found = summarise(unknown)
        assert [getattr(found, name) for name in TRUSTED] == [None] * 3
        assert not [name for name in found.as_dict() if re.match("judged|impossible|trusted", name)]


def test_no_judged_turn_is_none() -> None:
    flat = summarise([lesson(LESSON[:3])]).as_dict()
    assert flat["impossible_turn_fraction"] is flat["trusted_log_prob_mean"] is None
    assert flat["judged_turns_possible"] == 0


def test_nothing_to_count_is_none() -> None:
    flat = summarise([make_episode([OPENING], opening_turns=1)]).as_dict()
    json.dumps(flat, allow_nan=False)
    for name in ("empty_turn_fraction", "short_turn_fraction", "distinct_reply_share"):
        assert flat[name] is None
    assert flat["kl_quarter_first"] is None
    assert flat["replies_mean"] == 0


def test_no_limit_is_none_in_json_and_never_overspent() -> None:
    flat = summarise([make_episode([OPENING], turn_kl={0: 3.0}, budget=float("inf"))]).as_dict()
    assert flat["budget"] is None
    assert flat["overspend_expected_max"] == 0


def test_no_episodes() -> None:
    with pytest.raises(ValueError, match="no episodes to summarise"):
        summarise([])


def test_fast_enough_to_run_every_update() -> None:
    """64 chats of 256 tokens: 6 ms on a busy machine; the bound leaves room."""
    batch = [long_episode(seed=n, candidates=0) for n in range(64)]
    times = []
    for _ in range(5):
        start = time.process_time()
        summarise(batch)
        times.append(time.process_time() - start)
    assert min(times) < 0.02
