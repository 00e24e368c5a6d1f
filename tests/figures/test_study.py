"""Runs read from the disk: what is grouped, what is taken once, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.figures.study import Key, Study, read_study
from kl_derail.transcripts import named_path
from tests.figures.factories import base_episode, entry, quiet, talking, write_run


def read(*runs: Path, warnings: list[str] | None = None) -> Study:
    return read_study(runs, [].append if warnings is None else warnings.append)


def test_episodes_are_grouped_by_what_makes_them_comparable(tmp_path: Path) -> None:
    length = quiet().length
    run = write_run(
        tmp_path / "a",
        {
            "agent": [quiet(0), quiet(1)],
            "agent-512": [talking(0), talking(1)],
            "agent-b5": [quiet(0, budget=5.0)],
            "base": [base_episode(0)],
            "script": [quiet(0, policy="scripted:\nStudent:", budget=float("inf"))],
            "update-000001": [quiet(0, update=1)],
        },
        [entry(1)],
        length=length,
    )
    found = read(run)
    short = talking().length
    assert [(each.key, len(each.episodes)) for each in found.groups] == [
        (Key("models/tiny", "base", 0.0, short), 1),
        (Key("models/tiny", "agent", 5.0, length, "trained at 10 nats"), 1),
        (Key("models/tiny", "agent", 10.0, short, f"trained at {length} tokens"), 2),
        (Key("models/tiny", "agent", 10.0, length), 2),
        (Key("models/tiny", "scripted:\nStudent:", float("inf"), length), 1),
    ]
    (training,) = found.trainings
    assert training.key == Key("models/tiny", "agent", 10.0, length)
    assert (Path(training.name), list(training.updates), len(training.entries)) == (run, [1], 1)


def test_an_episode_in_two_files_is_taken_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"agent": [quiet(0), quiet(1)], "more": [quiet(1), quiet(2)]})
    (group,) = read(run, run, tmp_path / "a" / ".." / "a").groups
    assert [each.episode for each in group.episodes] == [0, 1, 2]


def test_runs_stay_apart_but_their_base_is_one(tmp_path: Path) -> None:
    """Two runs of one seed play the base alike; equal chats of two agents are two observations."""
    runs = [
        write_run(
            tmp_path / name,
            {"agent": [quiet(run_id=name)], "base": [base_episode(run_id=name)]},
            length=quiet().length,
        )
        for name in "ab"
    ]
    base, agents = read(*runs).groups
    assert {run: len(each) for run, each in base.runs.items()} == {"base-1": 1}
    assert {run: len(each) for run, each in agents.runs.items()} == {"a": 1, "b": 1}


def test_bases_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [
        write_run(
            tmp_path / name, {"agent": [quiet(base_fingerprint=f"{name}12345-long")]}, base=base
        )
        for name, base in (("a", "x/tiny"), ("b", "y/x/tiny"), ("c", "other"))
    ]
    assert read(*runs).bases == ["other", "x/tiny a12345", "x/tiny b12345"]


def test_bases_are_told_apart_before_any_evaluation(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {file: [quiet(base_fingerprint=f"{name}12345-long", **columns)]})
        for name, file, columns in (
            ("a", "agent", {}),
            ("b", "update-000001", {"update": 1}),
        )
    ]
    damaged = write_run(tmp_path / "d", {"update-000002": [quiet(update=2)]})
    named_path(damaged, "update-000001").write_bytes(b"PAR1 nonsense")
    study = read(*runs, damaged)
    assert study.bases == ["models/tiny a12345", "models/tiny b12345", "models/tiny base-1"]


def test_realised_accounting_is_another_group(tmp_path: Path) -> None:
    runs = [
        write_run(
            tmp_path / how,
            {"agent": [quiet(accounting=how)]},
            [entry(1)],
            accounting=how,
            length=quiet().length,
        )
        for how in ("expected", "realised")
    ]
    found = read(*runs)
    assert [each.key.setting for each in found.groups] == ["", "realised accounting"]
    assert [each.key.setting for each in found.trainings] == ["", "realised accounting"]


def test_choosing_bases(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"agent": [quiet(base_fingerprint=name)]}, [entry(1)], base=name)
        for name in ("one", "two")
    ]
    found = read(*runs).of(["two"])
    assert (found.bases, len(found.trainings)) == (["two"], 1)
    with pytest.raises(UserError, match="base: found three, allowed one, two"):
        read(*runs).of(["two", "three"])


def test_a_run_that_has_only_begun(tmp_path: Path) -> None:
    found = read(write_run(tmp_path / "a", {}))
    assert found == Study([], [])


def test_damaged_transcripts_are_left_out_and_named(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "a", {"agent": [quiet()], "bad": [quiet()], "update-000001": [quiet(update=1)]}
    )
    for name in ("bad", "update-000001"):
        path = named_path(run, name)
        path.write_bytes(path.read_bytes()[:-100])
    said: list[str] = []
    found = read(run, warnings=said)
    assert len(found.groups[0].episodes) == 1
    assert len(said) == 1
    assert found.trainings[0].updates[1]() == []
    assert len(said) == 2
    assert all("left out" in line and "not a whole transcript" in line for line in said)
    assert all("\n" not in line for line in said)


def test_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("missing", "is no folder of a run"),
        ("file", "is no folder of a run"),
        ("folder", "is no run of kl_derail: there is no config.yaml in it"),
    ):
        with pytest.raises(UserError, match=said):
            read(tmp_path / name)


def test_what_is_no_run_is_left_out_where_there_is_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"agent": [quiet()]})
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    said: list[str] = []
    found = read(*sorted(tmp_path.iterdir()), warnings=said)
    assert [each.key for each in found.groups] == [each.key for each in read(run).groups]
    assert said == [
        f"left out: {tmp_path / 'file'} is no folder of a run",
        f"left out: {tmp_path / 'folder'} is no run of kl_derail: there is no config.yaml in it",
    ]
    with pytest.raises(UserError, match="missing is no folder of a run"):  # a slip, no pattern
        read(run, tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "said"),
    [("budget: 1.0", "no 'base'"), ("[", "parsing a flow node"), ("", "NoneType"), ("- 1", "list")],
)
def test_a_foreign_configuration(tmp_path: Path, text: str, said: str) -> None:
    run = write_run(tmp_path / "a", {})
    (run / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=f"not the configuration of a run: .*{said}"):
        read(run)


def test_labels_are_safe_and_short() -> None:
    script = Key("b", f"scripted:\x1b[31m{'long ' * 50}", float("inf"), 64)
    assert script.player.isprintable()
    assert len(script.player) < 60
    assert Key("b", "agent", float("inf"), 64).player == "agent, inf nats"
    assert Key("b", "base", 0.0, 64).label == "base, 64 tokens"


def test_a_base_called_by_two_names_is_one_base(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"agent": [quiet(run_id=name)]}, base=base)
        for name, base in (("a", "embedded"), ("b", "world/base"))
    ]
    (group,) = read(*runs).groups
    assert group.key.base == "embedded"
    assert set(group.runs) == {"a", "b"}
