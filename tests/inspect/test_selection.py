"""Which file is shown, and what is done about damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.inspect.selection import Selection, pick, select, select_other, short_names
from kl_derail.transcripts import write_episodes
from tests.inspect.sets import agents, bases, make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def shown(found: Selection) -> str:
    return found.file.stem


def never(message: str) -> None:
    raise AssertionError(message)


def test_the_agent_is_shown_unless_told_otherwise(run: Path) -> None:
    found = select(run, never)
    assert shown(found) == "agent"
    assert found.name == "run agent"
    assert len(found.episodes) == 3
    assert found.others == ["base", "update-000003", "update-000012"]


def test_without_an_agent_the_newest(run: Path) -> None:
    (run / "transcripts" / "agent.parquet").unlink()
    assert shown(select(run, never)) == "update-000012"


def test_by_name_and_by_update(run: Path) -> None:
    assert shown(select(run, never, name="base")) == "base"
    assert shown(select(run, never, update=3)) == "update-000003"
    assert shown(select(run / "transcripts", never, update=3)) == "update-000003"


def test_one_file(run: Path) -> None:
    file = run / "transcripts" / "update-000003.parquet"
    found = select(file, never)
    assert (found.name, found.others) == ("run update-000003", [])
    assert shown(select(file, never, update=3)) == "update-000003"
    with pytest.raises(UserError, match=r"update: .* holds no episode of update 4"):
        select(file, never, update=4)
    with pytest.raises(UserError, match=r"name: .* is one file"):
        select(file, never, name="base")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            {"name": "agnet"},
            r"name: .*/run: found agnet, allowed agent, .* \(did you mean agent\?\)",
        ),
        ({"update": 5}, r"update: .*/run: found 5, allowed 3, 12"),
    ],
)
def test_what_is_not_there(run: Path, choice: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        select(run, never, **choice)  # type: ignore[arg-type]


def test_a_run_without_updates(tmp_path: Path) -> None:
    write_episodes(tmp_path / "base.parquet", bases())
    with pytest.raises(UserError, match=r"update: .*: found 1, allowed none"):
        select(tmp_path, never, update=1)


def test_a_damaged_file_leaves_the_others(run: Path) -> None:
    file = run / "transcripts" / "agent.parquet"
    file.write_bytes(file.read_bytes()[:500])
    warnings: list[str] = []
    assert shown(select(run, warnings.append)) == "update-000012"
    (warning,) = warnings
    assert "agent.parquet: not a whole transcript file" in warning
    assert warning.endswith("left out")
    with pytest.raises(UserError, match=r"agent\.parquet: not a whole"):
        select(run, never, name="agent")


def test_nothing_but_damaged_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="not a whole transcript file"):
        select(tmp_path, lambda message: None)


def test_comparing(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    assert shown(select_other("base", run, never)) == "base"
    assert select_other(str(other), run, never, name="base").name == "other base"
    with pytest.raises(UserError, match="allowed agent, base"):
        select_other("bas", run, never)
    with pytest.raises(UserError, match=r"gone: no such run"):
        select_other("gone", run / "transcripts" / "base.parquet", never)


def test_names_win_over_folders_of_the_same_name(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    assert select_other("base", run, never).file == run / "transcripts" / "base.parquet"
    assert select_other("./base", run, never).name == "base agent"


def test_a_name_is_for_folders(run: Path, tmp_path: Path) -> None:
    file = write_episodes(tmp_path / "talk.parquet", bases())
    assert select_other(str(file), run, never, name="agent").file == file


def test_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        select(tmp_path / "nowhere", never)


def test_short_names(run: Path, tmp_path: Path) -> None:
    agent, base = select(run, never), select(run, never, name="base")
    other = select(make_run(tmp_path / "other"), never)
    assert short_names([agent]) == ["agent"]
    assert short_names([agent, base]) == ["agent", "base"]
    assert short_names([agent, other]) == ["run", "other"]
    assert short_names([agent, agent]) == ["run agent", "run agent"]


def test_pick(tmp_path: Path) -> None:
    file = write_episodes(tmp_path / "a.parquet", agents())
    found = select(file, never)
    assert pick(found, 2).episode == 2
    with pytest.raises(UserError, match=r"episode: found 3, .* holds 3 episodes, 0 to 2"):
        pick(found, 3)
    twice = found._replace(episodes=agents() + agents())
    with pytest.raises(UserError, match=r"holds 2 episodes 1; choose an --update"):
        pick(twice, 1)
