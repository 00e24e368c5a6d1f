"""JSONL: what was written comes back to the last bit, and any reader of JSON can read it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from kl_derail.inspect.export import from_record, to_record, write_jsonl
from kl_derail.transcripts import COLUMNS, Episode, episodes_equal, spent
from tests.inspect.factories import no_tokens, one_token_a_turn
from tests.inspect.sets import HOSTILE, agents, talk
from tests.transcripts.factories import long_episode
from tests.transcripts.strategies import episodes


def refuse(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


def strict(line: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(line, parse_constant=refuse)
    return found


@given(episodes())
def test_round_trip(episode: Episode) -> None:
    line = json.dumps(to_record(episode), allow_nan=False)
    assert episodes_equal(from_record(strict(line)), episode)


@pytest.mark.parametrize("episode", [no_tokens(), long_episode(), one_token_a_turn(HOSTILE)])
def test_round_trip_of_odd_ones(episode: Episode) -> None:
    assert episodes_equal(from_record(strict(json.dumps(to_record(episode)))), episode)


def test_infinities_are_strings() -> None:
    left = np.where(np.isnan(talk().budget_left), np.nan, np.inf)
    logs = np.where(np.isnan(talk().base_log_prob), np.nan, -np.inf)
    episode = talk(budget=math.inf, budget_left=left, base_log_prob=logs)
    record = to_record(episode)
    assert record["budget"] == "Infinity"
    assert set(record["budget_left"]) == {"Infinity", None}
    assert set(record["base_log_prob"]) == {"-Infinity"}
    assert episodes_equal(from_record(record), episode)


def test_one_line_an_episode_with_keys_in_order(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "new" / "log.jsonl", [*agents(), one_token_a_turn(HOSTILE)])
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    records = list(map(strict, lines))
    assert all(list(record) == list(COLUMNS) for record in records)
    assert [record["episode"] for record in records] == [0, 1, 2, 0]
    assert records[-1]["token_text"] == HOSTILE


@given(episodes())
def test_the_tokens_add_up_to_what_was_spent(episode: Episode) -> None:
    kl = strict(json.dumps(to_record(episode)))["kl"]
    assert math.fsum(kl) == pytest.approx(spent(episode).expected, abs=1e-9)  # type: ignore[arg-type]


def test_what_is_no_episode() -> None:
    with pytest.raises(ValueError, match="no episode: it has no schema_version"):
        from_record({})
    with pytest.raises(ValueError, match="length"):
        from_record({**to_record(talk()), "length": 99})
