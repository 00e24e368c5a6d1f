"""The figures of the list agree with the metrics of the log."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.inspect.colours import MOST
from kl_derail.inspect.page.overview import BINS, overview, strip
from kl_derail.inspect.page.scales import STEPS
from kl_derail.inspect.page.texts import Texts
from kl_derail.transcripts import (
    Episode,
    empty_turn_fraction,
    is_silent,
    judged_turns,
    spent,
    total_reward,
)
from tests.inspect.factories import TALK, no_tokens, silent
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes
from tests.transcripts.test_judged import lesson


def rows(*found: Episode) -> tuple[dict[str, np.ndarray], list[str]]:
    texts = Texts()
    columns = overview(found, [judged_turns(each) for each in found], texts)
    return dict(columns), texts.table()


@given(episodes())
def test_figures_are_those_of_the_metrics(episode: Episode) -> None:
    columns, _ = rows(episode)
    assert columns["kl"][0] == spent(episode).expected
    assert columns["log_ratio"][0] == spent(episode).realised
    assert columns["reward"][0] == total_reward(episode)
    assert (columns["silent_from"][0] >= 0) == is_silent(episode)
    share = columns["empty"][0] / columns["turns"][0] if columns["turns"][0] else math.nan
    assert share == pytest.approx(empty_turn_fraction(episode), nan_ok=True)


def test_identity_of_many() -> None:
    found = [
        silent(9, episode=3, update=5, budget=math.inf, seed=2**62),
        make_episode(TALK, budget=0.0),
    ]
    columns, texts = rows(*found)
    assert columns["episode"].tolist() == [3, 0]
    assert columns["update"].tolist() == [5, 0]
    assert columns["budget"].tolist() == [math.inf, 0]
    assert columns["seed"].tolist() == [2**62, 1]
    assert [texts[each] for each in columns["policy"]] == ["agent", "agent"]
    assert [texts[each] for each in columns["speakers"]] == ["Teacher", "Student"] * 2
    assert columns["strip"].shape == (2 * BINS,)


def test_impossible_turns_are_counted_where_they_are_known() -> None:
    columns, _ = rows(lesson(), silent(3))
    parses = judged_turns(lesson()).values()
    assert columns["judged"].tolist() == [len(parses), 0]
    assert columns["impossible"].tolist() == [sum(not each.possible for each in parses), 0]


def test_nothing() -> None:
    columns, texts = rows()
    assert texts == []
    assert not any(len(each) for each in columns.values())
    assert rows(no_tokens())[0]["strip"].tolist() == [0] * BINS


@given(st.lists(st.floats(0, 20), max_size=200))
def test_a_strip_shows_the_dearest_token_of_each_part(kl: list[float]) -> None:
    parts: list[list[float]] = [[0.0] for _ in range(BINS)]
    for token, nats in enumerate(kl):
        parts[token * BINS // len(kl)].append(nats)
    wanted = [STEPS * math.sqrt(min(max(part), MOST) / MOST) for part in parts]
    np.testing.assert_allclose(strip(np.array(kl)), wanted, atol=0.5 + 1e-9)
