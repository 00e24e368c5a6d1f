"""Inspect AI's log, written and read back by its own library, where that is installed."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.inspect.inspect_log import INSTALL, check_inspect_log, inspect_log, write_inspect_log
from kl_derail.transcripts import Episode, spent, total_reward
from tests.inspect.factories import no_tokens, one_token_a_turn, silent
from tests.inspect.sets import HOSTILE, agents, bases, talk
from tests.transcripts.factories import make_episode
from tests.transcripts.test_judged import REASONS, lesson

installed = pytest.mark.skipif(
    importlib.util.find_spec("inspect_ai") is None, reason=f"needs inspect-ai ({INSTALL})"
)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(UserError, match=r"needs the package inspect-ai: pip install"):
        write_inspect_log(tmp_path / "a.eval", agents(), name="run agent")
    assert not list(tmp_path.iterdir())


def test_other_suffixes() -> None:
    with pytest.raises(UserError, match=r"found a\.txt, allowed a name that ends in \.eval or"):
        check_inspect_log(Path("a.txt"))


@installed
@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_read_back_by_the_library(tmp_path: Path, suffix: str) -> None:
    from inspect_ai.log import read_eval_log

    path = write_inspect_log(tmp_path / "new" / f"a.{suffix}", agents(), name="run agent")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    log = read_eval_log(str(path))
    assert (log.status, log.eval.task, log.eval.model) == (
        "success",
        "run agent",
        "kl_derail/agent",
    )
    assert log.eval.metadata == {"run_id": "run", "base_fingerprint": "base-1"}
    assert log.results is not None
    means = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert means["kl"] == pytest.approx((2.5 + 1.75 + 4.75) / 3)
    assert means["silent"] == pytest.approx(2 / 3)
    for sample, episode in zip(log.samples or (), agents(), strict=True):
        assert sample.id == f"episode {episode.episode:04d}"
        assert sample.scores is not None
        assert sample.scores["kl"].value == spent(episode).expected
        assert sample.scores["reward"].value == total_reward(episode)
        assert [each.text for each in sample.messages] == list(episode.turn_text)
        assert (sample.metadata["budget"], sample.metadata["update"]) == (10.0, -1)


@installed
def test_messages() -> None:
    (sample,) = inspect_log([lesson()], name="x").samples or ()
    roles = {"Teacher": "assistant", "Student": "user"}
    for message in sample.messages:
        assert message.role == roles[message.metadata["speaker"]]
        assert (message.source == "input") == message.metadata["opening"]
    assert sample.input == "".join(lesson().token_text[: lesson().opening_tokens])
    assert sum(message.metadata["opening"] for message in sample.messages) == 3
    reasons = {m.metadata["turn"]: m.metadata.get("impossible", "") for m in sample.messages}
    assert {turn: reasons[turn] for turn in REASONS} == REASONS


@installed
@pytest.mark.parametrize("episode", [*agents(), *bases(), one_token_a_turn(HOSTILE), no_tokens()])
def test_the_turns_add_up_to_what_was_spent(episode: Episode) -> None:
    (sample,) = inspect_log([episode], name="x").samples or ()
    found = math.fsum(message.metadata["kl"] for message in sample.messages)
    assert found == pytest.approx(spent(episode).expected, abs=1e-9)


@installed
def test_updates_limits_and_silence() -> None:
    (sample,) = inspect_log([talk(update=7, budget=math.inf)], name="x").samples or ()
    assert sample.id == "update 000007 episode 0000"
    assert sample.metadata["budget"] is None
    (sample,) = inspect_log([silent(9)], name="x").samples or ()
    assert sample.scores is not None
    assert sample.scores["silent"].value == 1
    (sample,) = inspect_log([make_episode([("Teacher", " Hm")])], name="x").samples or ()
    assert "empty_fraction" not in (sample.scores or {})


@installed
def test_hostile_text_is_data_and_never_rendered(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    episode = Episode.from_columns({**one_token_a_turn(HOSTILE).columns(), "turn_text": HOSTILE})
    log = read_eval_log(str(write_inspect_log(tmp_path / "a.eval", [episode], name="x")))
    assert [message.text for message in (log.samples or [])[0].messages] == HOSTILE
    assert log.eval.viewer is not None
    assert log.eval.viewer.trust_content is False
