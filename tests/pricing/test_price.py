"""Prices over chats: intervals, lengths, and independent forward passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from kl_derail.chat import Stage
from kl_derail.errors import UserError
from kl_derail.pricing import (
    Plays,
    Price,
    behaviour,
    cheaper_style,
    price_base,
    price_behaviour,
    start_budget,
    start_cost,
)
from kl_derail.transcripts import is_empty, spent, turns_of
from tests.models import STUDENT_OPENING, Models, uncached
from tests.pricing.factories import chat, price

CHATS = Plays(chats=4)
TALK = price(
    chat(6.0, 1.0, 0.5, reward=9.0, replies=3),
    chat(8.0, 2.0, unfinished=0.25, reward=5.0),
    chat(7.0),
)


def score(texts: list[str]) -> list[float]:
    return [0.5 if not text else 1 / (1 + len(text)) for text in texts]


# Over chats


def test_means_have_t_intervals() -> None:
    found = TALK.turn(1)
    truth = ttest_1samp([6.0, 8.0, 7.0], 0).confidence_interval()
    assert found == pytest.approx((7.0, truth.low, truth.high, 3))
    assert TALK.turn(2)[::3] == (1.5, 2)
    assert TALK.turn(3)[::3] == (0.5, 1)
    assert math.isnan(TALK.turn(4).estimate)


def test_sums() -> None:
    assert TALK.cumulative(2).estimate == (7.0 + 10.0) / 2
    assert TALK.episode.estimate == pytest.approx((7.5 + 10.25 + 7.0) / 3)
    assert TALK.turns.estimate == 2.0
    assert TALK.later.estimate == pytest.approx(3.5 / 3)
    assert TALK.reward.estimate == 5.0
    assert TALK.reward_per_nat.estimate == pytest.approx(15 / 24.75)


@pytest.mark.parametrize(
    ("share", "budget"), [(0.01, 7.0), (0.33, 7.0), (0.5, 7.5), (0.9, 10.25), (1, 10.25)]
)
def test_the_smallest_budget_that_pays(share: float, budget: float) -> None:
    assert TALK.affordable_at(share) == budget
    totals = [each.total for each in TALK.chats]
    assert np.mean([total <= budget for total in totals]) >= share


def test_starting_sometimes_is_averaged_over_chats() -> None:
    truth = np.mean([start_cost(0.3, math.exp(-c.turns[0]), c.following) for c in TALK.chats])
    assert TALK.started_with(0.3).estimate == pytest.approx(truth)
    assert TALK.started_with(1.0).estimate == pytest.approx(TALK.episode.estimate)


def test_what_a_chat_that_starts_needs() -> None:
    truth = np.mean([start_budget(0.3, math.exp(-c.turns[0]), c.following) for c in TALK.chats])
    assert TALK.budget_to_start(0.3).estimate == pytest.approx(truth)
    assert TALK.budget_to_start(0.3).estimate > TALK.started_with(0.3).estimate
    assert TALK.budget_to_start(1.0).estimate == pytest.approx(TALK.episode.estimate)


def test_the_gain_in_reward_is_paired_by_chat() -> None:
    base = price(chat(reward=8.0), chat(reward=4.0), chat(reward=-2.0), behaviour="base")
    found = TALK.reward_gain(base)
    truth = ttest_1samp([1.0, 1.0, 3.0], 0).confidence_interval()
    assert found == pytest.approx((5 / 3, truth.low, truth.high, 3))
    assert TALK.gain_per_nat(base).estimate == pytest.approx(5.0 / 24.75)
    assert base.reward_gain(base).estimate == 0
    with pytest.raises(ValueError, match="zip"):
        TALK.reward_gain(price(chat()))


def test_chats_that_never_started_gain_nothing_for_a_nat() -> None:
    mixed = price(chat(2.0, reward=3.0), chat(reward=9.0))
    assert mixed.gain_per_nat(price(chat(), chat())).estimate == 1.0


def test_the_cheaper_style_of_each_chat() -> None:
    single = price(chat(6.0, 1.0), chat(9.0, 1.0), chat(), chat())
    double = price(chat(7.0, 4.0), chat(8.0, 3.0), chat(5.0), chat(), spacing="double")
    found = cheaper_style([single, double])
    assert (found.behaviour, found.length, found.chats) == ("silent", 256, 4)
    assert found.first[::3] == ((6.0 + 8.0 + 5.0) / 3, 3)
    assert found.episode[::3] == ((7.0 + 10.0 + 5.0) / 3, 3)


@pytest.mark.parametrize("prices", [[], [price(chat(1.0)), price(chat(1.0), length=9)]])
def test_styles_of_one_behaviour_and_length(prices: list[Price]) -> None:
    with pytest.raises(ValueError, match="one behaviour and one length"):
        cheaper_style(prices)


@pytest.mark.parametrize(("share", "turns"), [(0.3, 3), (0.5, 2), (0.7, 1), (1.0, 1)])
def test_turns_that_a_share_of_the_chats_finishes(share: float, turns: int) -> None:
    assert TALK.typical_turns(share) == turns


def test_chats_in_which_the_script_never_had_the_word() -> None:
    mixed, never = price(chat(2.0), chat()), price(chat())
    assert mixed.episode.estimate == 2.0
    assert mixed.episode.n == 1
    assert never.typical_turns() == 0
    assert math.isnan(never.affordable_at(0.5))
    assert math.isnan(never.started_with(0.5).estimate)


# Played


@pytest.mark.parametrize("name", ["embedded", "mixtral", "llama", "gpt2"])
@pytest.mark.parametrize("said", ["silent", "copy", "repeat:Very good."])
def test_prices_are_those_of_an_independent_forward_pass(
    models: Models, name: str, said: str
) -> None:
    stage = models.stage(name, opening=STUDENT_OPENING, max_reply_tokens=9)
    priced = price_behaviour(stage, behaviour(said), said, "double", [130], score, CHATS)
    for episode, cost in zip(priced.episodes, priced.prices[0].chats, strict=True):
        tokens = episode.token_id.tolist()
        log_probs = uncached(stage.base, tokens)[0].double()
        exact = [-float(log_probs[at - 1, tokens[at]]) for at in range(1, len(tokens))]
        own = [t for t in turns_of(episode) if t.speaker == "Teacher" and not t.in_opening]
        truth = [sum(exact[turn.start - 1 : turn.end - 1]) for turn in own]
        assert cost.turns == pytest.approx(truth[: len(cost.turns)], abs=1e-4)
        assert cost.total == pytest.approx(sum(truth), abs=1e-4)
        assert cost.total == pytest.approx(spent(episode).expected, abs=1e-9)
        assert len(cost.turns) >= 3


@pytest.fixture(scope="module")
def stage(models: Models) -> Stage:
    return models.stage("embedded")


def test_a_long_chat_holds_the_shorter_ones(stage: Stage) -> None:
    """One rollout of the greatest length, against a rollout of each length."""
    lengths = [64, 100, 160]
    together = price_behaviour(
        stage, behaviour("silent"), "silent", "single", lengths, score, CHATS
    )
    assert [price.length for price in together.prices] == lengths
    for length, long in zip(lengths, together.prices, strict=True):
        alone = price_behaviour(
            stage, behaviour("silent"), "silent", "single", [length], score, CHATS
        )
        for episode, whole in zip(alone.episodes, together.episodes, strict=True):
            assert episode.token_id.tolist() == whole.token_id[:length].tolist()
        for short, cost in zip(alone.prices[0].chats, long.chats, strict=True):
            assert short.turns == pytest.approx(cost.turns, abs=1e-5)
            assert short.total == pytest.approx(cost.total, abs=1e-5)
            assert (short.reward, short.replies, short.blank, short.same) == (
                cost.reward, cost.replies, cost.blank, cost.same,
            )  # fmt: skip


def test_the_transcripts_are_those_of_a_script(stage: Stage) -> None:
    priced = price_behaviour(stage, behaviour("silent"), "silent", "double", [160], score, CHATS)
    assert [episode.episode for episode in priced.episodes] == [0, 1, 2, 3]
    for episode in priced.episodes:
        assert (episode.policy, episode.budget) == ("scripted:silent", math.inf)
        own = [
            t
            for t in turns_of(episode)
            if t.speaker == "Teacher" and not t.in_opening and t.complete
        ]
        assert own
        assert all(map(is_empty, own))
    price = priced.prices[0]
    assert price.base_fingerprint == stage.base.fingerprint
    assert price.blank_replies.estimate == 1.0
    assert price.turn(1).estimate > 3 > price.turn(3).estimate


def test_batches_do_not_matter(stage: Stage) -> None:
    options = (stage, behaviour("praise"), "praise", "double", [120], score)
    whole, parts = price_behaviour(*options, CHATS), price_behaviour(*options, Plays(4, batch=3))
    for a, b in zip(whole.prices[0].chats, parts.prices[0].chats, strict=True):
        assert a.turns[:1] == pytest.approx(b.turns[:1], abs=1e-3)


def test_the_base_costs_nothing(stage: Stage) -> None:
    priced = price_base(stage, [100, 160], score, CHATS)
    assert [price.behaviour for price in priced.prices] == ["base", "base"]
    assert not any(price.started for price in priced.prices)
    assert {episode.policy for episode in priced.episodes} == {"base"}
    assert priced.prices[1].reward.estimate >= priced.prices[0].reward.estimate > 0


def test_the_base_talks_as_before_a_script(stage: Stage) -> None:
    """Both have the same luck: until the script has the word, the same tokens and the same reward."""
    base = price_base(stage, [160], score, CHATS)
    silence = price_behaviour(stage, behaviour("silent"), "silent", "single", [160], score, CHATS)
    for own, its in zip(silence.episodes, base.episodes, strict=True):
        first = int(np.flatnonzero(own.alpha == 1)[0])
        assert first > len(stage.opening)
        assert own.token_id[:first].tolist() == its.token_id[:first].tolist()
    gains = [
        a.reward - b.reward
        for a, b in zip(silence.prices[0].chats, base.prices[0].chats, strict=True)
    ]
    assert silence.prices[0].reward_gain(base.prices[0]).estimate == pytest.approx(np.mean(gains))


def test_a_chat_needs_room_after_its_opening(stage: Stage) -> None:
    short = len(stage.opening)
    with pytest.raises(UserError, match=f"length: found {short}, allowed > {short}"):
        price_base(stage, [short, 160], score)
