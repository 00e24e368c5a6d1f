"""`kl-derail rollout`: a finished run played again under other conditions."""

import shutil

import numpy as np
import pytest

from kl_derail.cli import main
from kl_derail.ppo.command import parse_train
from kl_derail.transcripts import agent_turns, is_empty, named_path, read_episodes


@pytest.fixture
def run(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def play(run, *words):
    assert main(["rollout", str(run), "--name", "new", "--overwrite", *words]) == 0
    return read_episodes(named_path(run, "new"))


def test_the_run_is_played_under_its_own_conditions_unless_told_otherwise(run):
    again = play(run, "-n", "8", "--chats", "8")
    known = read_episodes(named_path(run, "agent"))
    for one, other in zip(again, known, strict=True):
        np.testing.assert_array_equal(one.token_id, other.token_id)
        assert one.run_id == other.run_id


def test_budget_length_and_seed(run):
    episodes = play(
        run, "-n", "3", "--budget", "0.5", "--length", "90", "--seed", "7", "--top_k", "2"
    )
    assert {(each.budget, each.length, each.seed) for each in episodes} == {(0.5, 90, 7)}
    assert all(each.kl.sum() <= 0.5 + 1e-9 * 90 for each in episodes)
    assert [len(row) for row in episodes[0].top_base_ids][-3:] == [2, 2, 2]


def test_the_base_costs_nothing(run):
    episodes = play(run, "-n", "3", "--policy", "base")
    assert {each.policy for each in episodes} == {"base"}
    assert all(each.kl.sum() == 0 for each in episodes)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_script_is_followed_and_priced(run, at_once):
    words = ["--at_once"] if at_once else []
    episodes = play(run, "-n", "3", "--policy", "script", "--script", "\nStudent:", *words)
    for each in episodes:
        later = [
            turn
            for turn in agent_turns(each)
            if turn.complete and turn.start >= each.opening_tokens
        ]
        assert all(is_empty(turn) for turn in later)
        own = each.agent_tokens & (each.kl > 0)
        np.testing.assert_allclose(each.kl[own], -each.base_log_prob[own], rtol=1e-6)
    first = [each.token_text[each.opening_tokens] for each in episodes]
    assert (set(first) == {"\n"}) == at_once


def test_a_resumed_run_begins_with_its_own_options(run):
    options = parse_train(["--resume", str(run), "--max_updates", "9"])
    assert options.scene.length == 72
    assert options.run.max_updates == 9
