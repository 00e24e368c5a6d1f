"""An episode that contradicts itself cannot be built; the message says what and where."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from kl_derail.transcripts import Episode
from tests.transcripts.factories import NAN, make_episode
from tests.transcripts.strategies import episodes

TURNS = [("Teacher", " Well done."), ("Student", " Thanks."), ("Teacher", ""), ("Student", " Oh")]
GOOD = make_episode(TURNS, opening_turns=1, turn_kl={2: 1.5}, candidates=1)
ONES, MINUS = np.ones(GOOD.length), -np.ones(GOOD.length)


def changed(column: str, place: int, value: Any) -> Any:
    """The good column with one value replaced."""
    values = np.array(getattr(GOOD, column))
    values[place] = value
    return values


CASES: list[tuple[str, Any, str]] = [
    ("schema_version", 1, "schema_version: 1, needs 2"),
    ("policy", "teacher", "policy: 'teacher', needs agent, base or scripted:NAME"),
    ("policy", "scripted:", "policy: 'scripted:'"),
    ("accounting", "none", "accounting: 'none', needs one of ('expected', 'realised')"),
    ("budget", NAN, "budget: nan, needs a number of nats"),
    ("budget", -1.0, "budget: -1.0"),
    ("update", -2, "update, episode: need update >= -1"),
    ("episode", -1, "update, episode: need"),
    ("speakers", ["Teacher", "Teacher"], "speakers:"),
    ("agent", "Nurse", "agent: 'Nurse', needs one of"),
    ("length", 13, "values for 13 tokens (length)"),
    ("kl", [0.0], "kl: 1 values for 14 tokens"),
    ("top_base_ids", [[1]], "top_base_ids: 1 values for 14 tokens"),
    ("turn_text", ["", ""], "turn_text: 2 values for 4 turns"),
    ("opening_tokens", 15, "opening_tokens: 15 of 14 tokens"),
    ("turn_start", [0, 7, 10, 13], "turn_start: needs the end before it, found 7 at turn 1"),
    ("turn_end", [6, 10, 13, 12], "turn_end: needs an end after the start, found 12 at turn 3"),
    ("turn_end", [6, 10, 13, 13], "turn_end: turns cover 13 of 14 tokens"),
    ("turn_speaker", [0, 1, 0, 2], "turn_speaker: needs an index in speakers"),
    ("turn_speaker", [0, 1, 0, -1], "(the first turn: or -1), found -1 at turn 3"),
    ("turn_complete", [True, False, True, True], "only the last turn may be cut, found False"),
    ("turn", changed("turn", 5, 1), "turn: disagrees with the turns' spans, found 1 at token 5"),
    ("speaker", changed("speaker", 5, 1), "speaker: disagrees with turn_speaker, found 1"),
    ("kl", changed("kl", 10, -0.1), "kl: an exact KL is never negative, found -0.1 at token 10"),
    ("kl", changed("kl", 10, NAN), "kl: needs finite nats, found nan at token 10"),
    ("log_ratio", changed("log_ratio", 10, np.inf), "log_ratio: needs finite nats"),
    ("kl", changed("kl", 7, 0.1), "kl: must be 0 off the agent's tokens, found 0.1 at token 7"),
    ("kl_k3", changed("kl_k3", 0, 0.1), "kl_k3: must be 0 off the agent's tokens"),
    ("alpha", changed("alpha", 0, 0.1), "alpha: must be NaN off the agent's tokens"),
    ("value", changed("value", 13, 0.0), "value: must be NaN off the agent's tokens"),
    ("base_log_prob", MINUS, "base_log_prob: must be NaN in the opening, found -1.0 at token 0"),
    ("policy_log_prob", NAN * ONES, "policy_log_prob: needs a number after the opening"),
    ("base_log_prob", changed("base_log_prob", 3, 0.1), "a log-probability is at most 0"),
    ("reward", changed("reward", 0, 0.5), "reward: must be NaN in the opening"),
    ("reward", changed("reward", 9, np.inf), "reward: needs finite or NaN"),
    ("turn_reward", [NAN, -np.inf, NAN, NAN], "needs finite or NaN, found -inf at turn 1"),
    ("top_base_log_probs", [[]] * 14, "top_base_log_probs: needs as many candidates"),
    ("top_policy_log_probs", [[], *[[NAN]] * 13], "top_policy_log_probs: a log-probability is"),
]


@pytest.mark.parametrize(("column", "value", "message"), CASES)
def test_contradictions(column: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Episode.from_columns(GOOD.columns() | {column: value})
    assert str(caught.value).startswith("run run update ")


def test_a_turn_may_have_no_token() -> None:
    """A speaker change that ends the chat begins a turn with nothing in it."""
    whole = make_episode(TURNS[:3], cut=False).columns()
    for name, value in {"turn_speaker": 1, "turn_text": "", "turn_reward": NAN}.items():
        whole[name] = [*whole[name], value]
    length = whole["length"]
    whole["turn_start"] = [*whole["turn_start"], length]
    whole["turn_end"] = [*whole["turn_end"], length]
    whole["turn_complete"] = [True, True, True, False]
    assert Episode.from_columns(whole).turn_end[-1] == length


def test_no_limit_is_an_infinite_budget() -> None:
    assert make_episode(TURNS, budget=float("inf")).budget == float("inf")


@settings(max_examples=30, deadline=None)
@given(episodes())
def test_valid_episodes_are_accepted(episode: Episode) -> None:
    assert episode.text.startswith("Teacher:") or episode.text.startswith("Student:")
