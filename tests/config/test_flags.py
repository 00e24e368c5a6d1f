from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kl_derail.config import parse
from kl_derail.errors import UserError
from tests.config.examples import Output, Train, read, value


@pytest.mark.parametrize(
    ("argv", "name", "expected"),
    [
        (["--student_name", "Ann"], "student_name", "Ann"),
        (["--student-name", "Ann"], "student_name", "Ann"),
        (["--student-name=Ann-Lee_x"], "student_name", "Ann-Lee_x"),
        (["--student_name=a=b"], "student_name", "a=b"),
        (["--student_name", ""], "student_name", ""),
        (["--student_name", "-x"], "student_name", "-x"),
        (["--student_name=--x"], "student_name", "--x"),
        (["--any_number", "-1e-3"], "any_number", -1e-3),
        (["--any-number", "-2"], "any_number", -2.0),
        (["--resume"], "resume", True),
        (["--no_resume"], "resume", False),
        (["--no-resume"], "resume", False),
        (["--resume", "false"], "resume", False),
        (["--resume=false"], "resume", False),
        (["--plots"], "plots", True),
        (["--no_plots"], "plots", False),
        (["--plots", "none"], "plots", None),
        (["--trackers", "wandb", "tensorboard"], "trackers", ["wandb", "tensorboard"]),
        (["--trackers"], "trackers", []),
        (["--trackers", "wandb", "--chats", "3"], "trackers", ["wandb"]),
        (["--levels", "0.1", "1e-2"], "levels", (0.1, 0.01)),
        (["--words", "none"], "words", ["none"]),
    ],
)
def test_spellings(argv: list[str], name: str, expected: object) -> None:
    found = value(name, *argv)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--bugdet", "3"], "there is no flag --bugdet (did you mean --budget?)"),
        (["--bugdet=3"], "there is no flag --bugdet (did you mean --budget?)"),
        (["--budg", "3"], "there is no flag --budg (did you mean --budget?)"),
        (["--no_resum"], "there is no flag --no_resum (did you mean --no_resume?)"),
        (["--confg", "x"], "there is no flag --confg (did you mean --config?)"),
        (["--chats", "3", "--zzz"], "there is no flag --zzz"),
        (["-budget", "3"], "there is no flag -budget (did you mean --budget?)"),
        (["--no_budget"], "there is no flag --no_budget (did you mean --budget?)"),
        (["--budget"], "--budget: expected one argument"),
        (["--budget", "--chats", "3"], "--budget: expected one argument"),
        (["--no_resume=true"], "--no_resume: ignored explicit argument 'true'"),
        (["budget=3"], "found budget=3, where a flag (--name value) was expected"),
        (["--resume", "maybe"], "found maybe, where a flag (--name value) was expected"),
        (["--trackers", "wandbb"], "--trackers: found wandbb, allowed tensorboard, wandb"),
        (["--config", "a.yaml", "--config=b.yaml"], "--config is given twice"),
        (["--chats", "3", "--chats=4"], "--chats is given twice"),
        (["--chats", "3", "--chats", "3"], "--chats is given twice"),
        (["--student-name", "a", "--student_name", "b"], "--student_name is given twice"),
        (["--resume", "--no_resume"], "--resume is given twice"),
        (["--trackers", "wandb", "--trackers", "tensorboard"], "--trackers is given twice"),
        (["--levels", "--levels", "0.1"], "--levels is given twice"),
        (["--config"], "--config: expected one argument"),
    ],
)
def test_mistakes(argv: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(*argv)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("form", ["--config {}", "--config={}"])
def test_both_forms_of_the_config_flag(tmp_path: Path, form: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("chats: 7\n")
    assert read(*form.format(path).split()) == (replace(Train(), chats=7), Output())


@pytest.fixture
def help_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        read("--help")
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "usage: kl-derail train [--config FILE] [--name VALUE ...]",
        "--config FILE",
        "--preset {published,quick}",
        "--budget FLOAT",
        "total KL budget (nats) (default: 20.0; allowed: >= 0)",
        "chats in lockstep, 5 % more than one (default: 64; allowed: >= 1 and <= 4096)",
        "--accounting {expected,realised}",
        "what a step is charged (default: expected)",
        "bits of a weight (default: none)",
        "folder of the run (default: runs/x)",
        "go on where a checkpoint stands (default: true; --no_resume turns it off)",
        "quantiles (default: 0.25 0.75; allowed: >= 0 and <= 1)",
        "who is told (default: none)",
    ],
)
def test_help_says(help_text: str, line: str) -> None:
    assert line in help_text


def test_help_groups_by_dataclass(help_text: str) -> None:
    places = [help_text.index(word) for word in ("Training of the agent:", "--budget", "Output:")]
    assert places == sorted(places)
    assert help_text.index("Output:") < help_text.index("--folder")


def test_help_wins_over_a_missing_required_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse((Train,), ["--help"], command="odd")
    assert "--preset" not in capsys.readouterr().out
