"""An episode is typed, copied, read-only and equal only to itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kl_derail.transcripts import COLUMNS, Episode, Ragged, episodes_equal
from tests.transcripts.factories import make_episode

TURNS = [("Teacher", " Well done."), ("Student", " Thanks."), ("Teacher", ""), ("Student", " Oh")]


def test_hand_made_episode() -> None:
    episode = make_episode(TURNS, opening_turns=1, turn_kl={2: 1.5}, turn_reward={1: 0.75})
    assert episode.text == ("Teacher: Well done.\n\nStudent: Thanks.\n\nTeacher:\n\nStudent: Oh")
    assert episode.length == 14
    assert episode.opening_tokens == 1
    assert episode.turn_start.tolist() == [0, 6, 10, 13]
    assert episode.turn_end.tolist() == [6, 10, 13, 14]
    assert episode.turn.tolist() == [0] * 6 + [1] * 4 + [2] * 3 + [3]
    assert np.flatnonzero(episode.agent_tokens).tolist() == [1, 2, 3, 4, 5, 10, 11, 12]
    assert np.flatnonzero(episode.kl).tolist() == [10]
    assert np.flatnonzero(~np.isnan(episode.reward)).tolist() == [9]
    assert episode.turn_complete.tolist() == [True, True, True, False]


def test_columns_are_cast_to_their_types() -> None:
    episode = make_episode(TURNS, candidates=2)
    for name, column in COLUMNS.items():
        value = getattr(episode, name)
        if column.shape in ("token", "turn") and column.dtype != "string":
            assert value.dtype == np.dtype(column.dtype), name
        elif column.shape == "candidates":
            assert value.values.dtype == np.dtype(column.dtype), name
    assert type(episode.budget) is float
    assert type(episode.seed) is int
    assert type(episode.speakers) is tuple


def test_buffers_are_copied_and_read_only() -> None:
    ids = np.arange(14)
    episode = make_episode(TURNS, token_id=ids)
    ids[:] = 99
    assert episode.token_id[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        episode.token_id[0] = 1
    with pytest.raises(AttributeError):
        episode.length = 3  # type: ignore[misc]


def test_candidates_may_be_left_out() -> None:
    columns = make_episode(TURNS, candidates=3).columns()
    bare = {name: value for name, value in columns.items() if not name.startswith("top_")}
    episode = Episode.from_columns(bare)
    assert episode.top_base_ids.tolist() == [[]] * episode.length
    assert len(episode.top_policy_log_probs) == episode.length


def test_candidates_may_be_an_array() -> None:
    ids, log_probs = np.arange(28).reshape(14, 2), np.full((14, 2), -1.0)
    episode = make_episode(TURNS, top_base_ids=ids, top_base_log_probs=log_probs)
    assert episode.top_base_ids[13].tolist() == [26, 27]


def test_equal_with_nan_and_to_the_last_bit() -> None:
    one, two = make_episode(TURNS, candidates=1), make_episode(TURNS, candidates=1)
    assert np.isnan(one.value).any()
    assert episodes_equal(one, two)
    kl = one.kl.copy()
    kl[4] = 1e-300
    assert not episodes_equal(one, make_episode(TURNS, candidates=1, kl=kl))
    assert not episodes_equal(one, make_episode(TURNS, candidates=2))
    assert not episodes_equal(one, make_episode(TURNS, candidates=1, run_id="other"))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("token_id", np.full(14, 2**31), "do not fit int32"),
        ("token_id", np.full(14, 0.5), "do not fit int32"),
        ("turn_speaker", [0, 1, 0, 300], "do not fit int8"),
        ("kl", np.zeros((14, 1)), "needs one dimension"),
        ("kl", ["much"] * 14, "needs numbers"),
        ("budget", "ten", "needs numbers"),
        ("update", 2**40, "do not fit int32"),
        ("run_id", 3, "needs text, not int"),
        ("speakers", "Teacher", "needs text, not str"),
        ("token_text", ["\ud800"] * 14, "surrogates"),
        ("top_base_ids", [[0.5]] * 14, "do not fit int32"),
    ],
)
def test_wrong_types_are_named(column: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^run .* update \d+ episode .*: {column}: .*{message}"):
        make_episode(TURNS, **{column: value})


def test_ragged_is_accepted_as_it_is() -> None:
    ids, log_probs = Ragged.from_rows([[7]] * 14), Ragged.from_rows([[-0.5]] * 14)
    episode = make_episode(TURNS, top_policy_ids=ids, top_policy_log_probs=log_probs)
    assert episode.top_policy_ids.tolist() == [[7]] * 14
