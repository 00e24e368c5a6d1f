"""Metrics as curves, and the KL of single tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.transcripts.training import METRICS, curves, read_metrics, tokens_above
from tests.transcripts.factories import make_episode

ENTRY = {
    "update": 1,
    "n": 64,
    "budget": 20.0,
    **{f"reward_{name}": place for place, name in enumerate(("q05", "q25", "q50", "q75", "q95"))},
    **{f"kl_q{level}": None for level in ("05", "25", "50", "75", "95")},
}


def test_whole_lines_are_read_and_a_last_half_one_is_not(tmp_path: Path) -> None:
    line = json.dumps(ENTRY)
    (tmp_path / METRICS).write_text(f"{line}\n{line[:20]}")
    assert read_metrics(tmp_path) == [ENTRY]
    assert read_metrics(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("line", ["[]", "{}", "nonsense", '{"update": "1"}', '{"update": 1'])
def test_a_line_that_is_no_metrics(tmp_path: Path, line: str) -> None:
    (tmp_path / METRICS).write_text(f"{json.dumps(ENTRY)}\n{line}\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2: not the metrics of an update"):
        read_metrics(tmp_path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="cannot be read as text"):
        read_metrics(tmp_path)


def test_curves() -> None:
    found = curves([ENTRY, {"update": 2}])
    assert found.update.tolist() == [1, 2]
    assert found.episodes.tolist() == [64, 0]
    np.testing.assert_array_equal(found.budget, [20.0, np.nan])
    np.testing.assert_array_equal(found.reward, [[0, 1, 2, 3, 4], [np.nan] * 5])
    assert np.isnan(found.kl).all()
    assert curves([]).reward.shape == (0, 5)


def test_tokens_above() -> None:
    episode = make_episode(
        [("Teacher", " a b"), ("Student", " c"), ("Teacher", " d")], turn_kl={0: 2.0, 2: 0.5}
    )
    own = int(episode.agent_tokens.sum())
    found = tokens_above([episode, episode], [-np.inf, 0.0, 0.5, 1.9, 2.0])
    assert found.tolist() == [[own, 2, 1, 1, 0]] * 2
    assert tokens_above([], [1.0]).shape == (0, 1)
