"""Trained runs: which evaluations count, and which runs are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.pricing import Setting, outcome, read_runs, setting_of
from kl_derail.transcripts import Episode, named_path
from tests.inspect.factories import silent
from tests.models import Models
from tests.pricing.factories import evaluated, talking

MUTE, LONG = silent(6, opening_tokens=4), silent(9, opening_tokens=4)
LOUD = talking(opening_tokens=4)
LENGTH = MUTE.length
SETTING = Setting("base-1", (0, 1, 2, 3), "Teacher", ("Teacher", "Student"), 0.05, None)
CONFIG = {"budget": 20.0, "length": 99, "student_temperature": 0.05, "max_reply_tokens": "null"}


def configure(run: Path, **changes: object) -> Path:
    lines = [f"{name}: {value}" for name, value in {**CONFIG, **changes}.items()]
    (run / "config.yaml").write_text("\n".join(lines))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose agent was evaluated four times: fully, less, at another length, at another budget."""
    run = tmp_path / "a"
    evaluated(run, 20.0, [MUTE] * 4)
    evaluated(run, 20.0, [MUTE] * 2, "fewer")
    evaluated(run, 20.0, [LONG] * 3, "longer")
    evaluated(run, 5.0, [LOUD] * 5, "poorer")
    evaluated(run, 0.0, [LOUD] * 6, "base", policy="base")
    evaluated(run, 20.0, [LOUD] * 7, "update-000003", update=3)
    return configure(run)


def test_what_counts_of_a_run(run: Path) -> None:
    longer = LONG.length
    found = {each.length: each for each in read_runs([run, run], SETTING, [longer, LENGTH])}
    assert sorted(found) == [LENGTH, longer]
    assert found[LENGTH].learned == outcome([MUTE] * 4)
    assert (found[LENGTH].run, found[LENGTH].file) == (str(run), "agent")
    assert {each.trained_length for each in found.values()} == {99}
    assert {each.budget for each in found.values()} == {20.0}
    (only,) = read_runs([run], SETTING, [longer])
    assert only.file == "longer"
    assert read_runs([], SETTING, [longer]) == []


def test_a_file_alone_knows_its_run(run: Path) -> None:
    (found,) = read_runs([named_path(run, "fewer")], SETTING, [LENGTH])
    assert (found.learned.silent.n, found.trained_length) == (2, 99)


def test_without_a_configuration_every_budget_counts(run: Path) -> None:
    (run / "config.yaml").unlink()
    lengths = {LENGTH, LOUD.length}
    found = read_runs([run], SETTING, lengths)
    assert {each.budget for each in found} == {5.0, 20.0}
    assert {each.trained_length for each in found} == {None}


def test_lengths_and_budgets_of_one_file_are_kept_apart(tmp_path: Path) -> None:
    evaluated(tmp_path, 20.0, [MUTE, MUTE, LONG])
    found = read_runs([tmp_path], SETTING, [LENGTH, LONG.length])
    assert {each.length: each.learned.silent.n for each in found} == {
        LENGTH: 2,
        LONG.length: 1,
    }


@pytest.mark.parametrize("changed", [{"lengths": [7]}, {"budget": 19.0}])
def test_runs_without_such_an_evaluation(run: Path, changed: dict[str, Any]) -> None:
    configure(run, **{"budget": 20.0, **{k: v for k, v in changed.items() if k == "budget"}})
    with pytest.raises(UserError, match="no evaluation of its agent under the budget") as found:
        read_runs([run], SETTING, changed.get("lengths", [LENGTH]))
    assert str(run) in str(found.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base_fingerprint": "base-2"}, "base model: found 'base-1', priced 'base-2'"),
        ({"opening": (0, 1, 2)}, "begins with another opening"),
        ({"opening": (0, 1, 2, 4)}, "begins with another opening"),
        ({"agent": "Student"}, "agent: found 'Teacher', priced 'Student'"),
        ({"speakers": ("Teacher", "Student", "Nurse")}, "speakers: found .'Teacher', 'Student'.,"),
        ({"student_temperature": 1.0}, "student_temperature: found 0.05, priced 1.0"),
        ({"max_reply_tokens": 9}, "max_reply_tokens: found None, priced 9"),
    ],
)
def test_runs_of_another_setting_are_refused(
    run: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=f"runs: {run}/transcripts/agent.parquet: .*{message}"):
        read_runs([run], SETTING._replace(**changed), [LENGTH])


def test_every_episode_counts(tmp_path: Path) -> None:
    evaluated(tmp_path / "b", 20.0, [LOUD], accounting="realised")
    with pytest.raises(UserError, match="accounting: found 'realised', priced 'expected'"):
        read_runs([tmp_path / "b"], SETTING, [LOUD.length])
    ids = MUTE.token_id.copy()
    ids[3] += 1
    other = Episode.from_columns(MUTE.columns() | {"token_id": ids})
    evaluated(tmp_path / "c", 20.0, [MUTE, other])
    with pytest.raises(UserError, match="episode 1: begins with another opening"):
        read_runs([tmp_path / "c"], SETTING, [LENGTH])


@pytest.mark.parametrize("text", ["- 3", "budget: x", "{", "length: [1]", "\x00", "[" * 5000])
def test_a_configuration_of_something_else(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: not the configuration of a run"):
        read_runs([run], SETTING, [LENGTH])


def test_the_setting_of_a_stage(models: Models) -> None:
    stage = models.stage("embedded", student_temperature=0.7, max_reply_tokens=9)
    found = setting_of(stage)
    assert found[:2] == (stage.base.fingerprint, tuple(stage.opening))
    assert found[2:] == ("Teacher", ("Teacher", "Student"), 0.7, 9)
