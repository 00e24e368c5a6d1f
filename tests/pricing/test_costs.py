"""What a script costs in one chat, against sums by hand and shorter episodes."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.pricing import ChatCost, chat_cost, scripted_turns
from kl_derail.transcripts import Episode, turns_of
from tests.pricing.factories import scripted
from tests.transcripts.factories import make_episode

EXCHANGES = [
    ("", " Hm?", 6.0, 0.25),
    ("", "", 1.0, 0.5),
    (" No.", " No.", 2.0, 0.75),
    ("", "", 0.5, 0.5),
]


def test_a_chat_counted_by_hand() -> None:
    assert chat_cost(scripted(EXCHANGES)) == ChatCost(
        turns=(6.0, 1.0, 2.0, 0.5), total=10.0, reward=2.0, replies=4, blank=2, same=3
    )


def test_the_parts_of_a_chat() -> None:
    found = chat_cost(scripted(EXCHANGES))
    assert found.later == (1.0, 2.0, 0.5)
    assert found.following == 4.0
    assert [found.affordable(nats) for nats in (0, 5.9, 6, 6.9, 7, 9, 9.5, 99)] == [
        0, 0, 1, 1, 2, 3, 4, 4,
    ]  # fmt: skip
    nothing = ChatCost((), 0.0, 0.0, 0, 0, 0)
    assert (nothing.later, nothing.following, nothing.affordable(9.0)) == ((), 0.0, 0)


def test_turns_that_nobody_scripted_do_not_count() -> None:
    episode = scripted(EXCHANGES)
    alpha = episode.alpha.copy()
    third = [turn for turn in turns_of(episode) if turn.speaker == "Teacher"][2]
    alpha[third.start : third.end] = 0.0
    free = Episode.from_columns(episode.columns() | {"alpha": alpha})
    assert [turn.text for turn in scripted_turns(free)] == ["", " No.", "", " and"]
    assert chat_cost(free).turns == (6.0, 2.0, 0.5)


def test_a_chat_without_a_script_costs_nothing() -> None:
    episode = make_episode([("Teacher", " Hi."), ("Student", " Hi."), ("Teacher", "")])
    assert chat_cost(episode) == ChatCost((), 0.0, 0.0, 0, 0, 0)


def cut_back(episode: Episode, length: int) -> Episode:
    """The first tokens of an episode as an episode of their own."""
    columns = episode.columns()
    kept = [turn for turn in turns_of(episode) if turn.start < length]
    whole = [turn.complete and turn.end <= length for turn in kept]
    per_token = {
        name: value[:length]
        for name, value in columns.items()
        if isinstance(value, np.ndarray | tuple)
        and len(value) == episode.length
        and name != "speakers"
    }
    per_turn = {
        name: columns[name][: len(kept)]
        for name in ("turn_speaker", "turn_start", "turn_end", "turn_text", "turn_reward")
    }
    ends = np.minimum(per_turn["turn_end"], length)
    scores = np.where(whole, per_turn["turn_reward"], np.nan)
    changed = {"turn_complete": whole, "turn_end": ends, "turn_reward": scores, "length": length}
    empty = {name: [[]] * length for name in columns if name.startswith("top_")}
    return Episode.from_columns(columns | per_token | per_turn | changed | empty)


@pytest.mark.parametrize("cut", [True, False])
def test_the_first_tokens_are_a_shorter_chat(cut: bool) -> None:
    episode = scripted(EXCHANGES, cut=cut)
    for length in range(episode.opening_tokens + 1, episode.length + 1):
        assert chat_cost(episode, length) == chat_cost(cut_back(episode, length))
    assert chat_cost(episode, 9999) == chat_cost(episode)
