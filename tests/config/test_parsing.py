from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kl_derail.config import option, parse, required, validate
from kl_derail.errors import UserError
from tests.config.examples import PRESETS, Output, Train, read, value


def test_defaults_without_arguments() -> None:
    assert read() == (Train(), Output())


@pytest.mark.parametrize(
    ("preset", "in_file", "flag", "expected"),
    [
        (False, False, False, 64),
        (True, False, False, 32),
        (False, True, False, 16),
        (True, True, False, 16),
        (False, False, True, 8),
        (True, False, True, 8),
        (False, True, True, 8),
        (True, True, True, 8),
    ],
)
def test_default_preset_file_flag_in_rising_order(
    tmp_path: Path, preset: bool, in_file: bool, flag: bool, expected: int
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("chats: 16" if in_file else "")
    argv = ["--config", str(path)]
    argv += ["--preset", "published"] if preset else []
    argv += ["--chats", "8"] if flag else []
    assert value("chats", *argv) == expected


def test_a_preset_sets_all_that_it_names_and_nothing_else() -> None:
    train, output = read("--preset", "published")
    assert (train.accounting, train.lr, train.chats, train.budget) == ("realised", 2e-5, 32, 20.0)
    assert output == Output()


@pytest.mark.parametrize(
    ("text", "argv", "chats"),
    [
        ("preset: quick", [], 4),
        ("preset: quick", ["--preset", "published"], 32),
        ("preset: quick", ["--preset", "none"], 64),
        ("preset: null", [], 64),
        ("preset: none", [], 64),
        ("preset: quick\nchats: 5", ["--preset=published"], 5),
    ],
)
def test_preset_key_in_a_file(tmp_path: Path, text: str, argv: list[str], chats: int) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    assert value("chats", "--config", str(path), *argv) == chats


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--preset", "publsihed"],
            "--preset: found publsihed, allowed published, quick (did you mean published?)",
        ),
        (["--preset", ""], "--preset: found '', allowed published, quick"),
    ],
)
def test_unknown_preset(argv: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(*argv)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["[quick]", "{quick: 1}", "nope"])
def test_unknown_preset_in_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"\npreset: {name}\n")
    with pytest.raises(UserError, match=r"run\.yaml, line 2: preset: found .*, allowed published"):
        read("--config", str(path))


def test_no_preset_flag_where_there_are_no_presets(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no flag --preset"):
        parse((Train,), ["--preset", "quick"], command="train")
    path = tmp_path / "run.yaml"
    path.write_text("preset: quick")
    with pytest.raises(UserError, match="there is no option preset"):
        parse((Train,), ["--config", str(path)], command="train")


def test_mistakes_inside_a_preset() -> None:
    with pytest.raises(UserError, match=r"preset odd: chats: found many, expected a whole number"):
        parse((Train,), ["--preset", "odd"], command="train", presets={"odd": {"chats": "many"}})
    with pytest.raises(UserError, match=r"preset odd: .* no option chat \(did you mean chats\?\)"):
        parse((Train,), ["--preset", "odd"], command="train", presets={"odd": {"chat": 3}})


def test_a_mistake_counts_even_where_a_flag_overrides_it(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("budget: twenty")
    with pytest.raises(UserError, match="found twenty"):
        read("--config", str(path), "--budget", "20")


def test_contradictory_options_raise_what_the_dataclass_says(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("budget: 0")
    with pytest.raises(UserError, match="a budget of 0 cannot rise"):
        read("--config", str(path), "--ramp_tokens", "100")


@dataclass(frozen=True)
class Report:
    """What to report on."""

    runs: list[Path] = required("folders of runs", positional=True)
    depth: int = option(1, "depth", minimum=0, short="d")


@dataclass(frozen=True)
class Pair:
    first: Path = required("one run", positional=True)
    second: Path | None = option(None, "another run", positional=True)
    html: bool = option(False, "write HTML")


def test_required_options() -> None:
    with pytest.raises(UserError, match="--runs is required: folders of runs"):
        parse((Report,), ["--depth", "2"], command="inspect")


@pytest.mark.parametrize(
    "argv",
    [
        ["a", "b", "--depth", "2"],
        ["--depth", "2", "a", "b"],
        ["--depth=2", "--", "a", "b"],
        ["--runs", "a", "b", "--depth", "2"],
        ["-d", "2", "a", "b"],
        ["a", "b", "-d2"],
    ],
)
def test_a_positional_list(argv: list[str]) -> None:
    (report,) = parse((Report,), argv, command="inspect")
    assert report == Report([Path("a"), Path("b")], 2)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["a"], Pair(Path("a"))),
        (["a", "b"], Pair(Path("a"), Path("b"))),
        (["--html", "a", "b"], Pair(Path("a"), Path("b"), html=True)),
        (["a", "--html", "b"], Pair(Path("a"), Path("b"), html=True)),
        (["a", "--second", "b"], Pair(Path("a"), Path("b"))),
        (["--", "--odd"], Pair(Path("--odd"))),
    ],
)
def test_positional_options_in_their_order(argv: list[str], expected: Pair) -> None:
    assert parse((Pair,), argv, command="inspect") == (expected,)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["a", "b", "c"], "found c, where a flag"),
        (["a", "--first", "b"], "first is given twice: a and --first"),
        (["a", "--htlm"], r"no flag --htlm \(did you mean --html\?\)"),
    ],
)
def test_misplaced_words(argv: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse((Pair,), argv, command="inspect")


def test_validate_checks_what_was_built_in_python() -> None:
    validate(Train())
    validate(Output())
    with pytest.raises(UserError, match="budget: found -1, allowed >= 0"):
        validate(Train(budget=-1))
    with pytest.raises(UserError, match="accounting: found odd, allowed expected, realised"):
        validate(Train(accounting="odd"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="words: found null, expected a list, each item text"):
        validate(Output(words=None))  # type: ignore[arg-type]


def test_the_configuration_loads_quickly() -> None:
    program = (
        "import sys, kl_derail.config; "
        "print(*({'torch', 'transformers', 'trl', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stdout.split() == []


def test_presets_are_not_changed_by_reading() -> None:
    before = {name: dict(preset) for name, preset in PRESETS.items()}
    read("--preset", "published", "--chats", "9")
    assert before == PRESETS
