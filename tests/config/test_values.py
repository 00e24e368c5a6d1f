"""How texts become values: the same for a flag and for a line of a file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from tests.config.examples import value

READ = [
    ("budget", "20", 20.0),
    ("budget", "1e-3", 0.001),
    ("budget", "1E2", 100.0),
    ("budget", ".5", 0.5),
    ("budget", "0", 0.0),
    ("any_number", "-1e-3", -0.001),
    ("any_number", "-.5", -0.5),
    ("patience", "inf", math.inf),
    ("patience", ".inf", math.inf),
    ("chats", "8", 8),
    ("chats", "010", 10),
    ("chats", "1e3", 1000),
    ("chats", "64.0", 64),
    ("ramp_tokens", "3e6", 3_000_000),
    ("ramp_tokens", "-5", -5),
    ("ramp_tokens", "9007199254740993", 9007199254740993),
    ("ramp_tokens", "null", None),
    ("ramp_tokens", "none", None),
    ("ramp_tokens", "None", None),
    ("note", "none", None),
    ("note", "1:30", "1:30"),
    ("student_name", "no", "no"),
    ("student_name", "on", "on"),
    ("student_name", "none", "none"),
    ("student_name", "007", "007"),
    ("student_name", "2026-01-01", "2026-01-01"),
    ("student_name", "Zoë 学", "Zoë 学"),
    ("resume", "false", False),
    ("resume", "No", False),
    ("resume", "off", False),
    ("resume", "1", True),
    ("resume", "YES", True),
    ("plots", "none", None),
    ("plots", "true", True),
    ("accounting", "realised", "realised"),
    ("bits", "4", 4),
    ("bits", "none", None),
    ("folder", "runs/a b", Path("runs/a b")),
    ("folder", "~/runs", Path.home() / "runs"),
    ("init_from", "none", None),
    ("init_from", "runs/y", Path("runs/y")),
]

REFUSED = [
    ("budget", "twenty", "found twenty, expected a number"),
    ("budget", "-3", "found -3, allowed >= 0"),
    ("budget", "-1e-9", "found -1e-9, allowed >= 0"),
    ("budget", "nan", "found nan, allowed finite numbers"),
    ("budget", "inf", "found inf, allowed finite numbers"),
    ("budget", "1e999", "found 1e999, allowed finite numbers"),
    ("budget", "true", "found true, expected a number"),
    ("any_number", ".nan", "found .nan, "),
    ("any_number", "nan", "found nan, allowed finite numbers"),
    ("any_number", "-inf", "found -inf, allowed finite numbers"),
    ("patience", "nan", "found nan, allowed numbers and inf"),
    ("patience", "-1", "found -1, allowed >= 0"),
    ("chats", "3.5", "found 3.5, expected a whole number"),
    ("chats", "true", "found true, expected a whole number"),
    ("chats", "0", "found 0, allowed >= 1 and <= 4096"),
    ("chats", "5000", "found 5000, allowed >= 1 and <= 4096"),
    ("chats", "inf", "found inf, expected a whole number"),
    ("chats", "1e300", "found 1e300, expected a whole number"),
    ("chats", "none", "found none, expected a whole number"),
    ("ramp_tokens", "soon", "found soon, expected a whole number or null"),
    ("lr", "0", "found 0, allowed > 0"),
    ("share", "1", "found 1, allowed >= 0 and < 1"),
    ("resume", "maybe", "found maybe, expected true or false"),
    ("resume", "2", "found 2, expected true or false"),
    (
        "accounting",
        "realized",
        "found realized, allowed expected, realised (did you mean realised?)",
    ),
    ("accounting", "none", "found none, allowed expected, realised"),
    ("bits", "5", "found 5, allowed 4, 8"),
]


@pytest.mark.parametrize(("name", "text", "expected"), READ)
def test_a_flag_and_a_file_read_alike(
    tmp_path: Path, name: str, text: str, expected: object
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"{name}: {text}\n", encoding="utf-8")
    for argv in ([f"--{name}", text], [f"--{name}={text}"], ["--config", str(path)]):
        found = value(name, *argv)
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize(("name", "text", "message"), REFUSED)
def test_a_flag_and_a_file_are_refused_alike(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"# comment\n\n{name}: {text}\n")
    with pytest.raises(UserError) as flag:
        value(name, f"--{name}={text}")
    assert str(flag.value).startswith(f"--{name}: {message}")
    with pytest.raises(UserError) as in_file:
        value(name, "--config", str(path))
    assert str(in_file.value).startswith(f"{path}, line 3: {name}: {message}")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("trackers", "[]", []),
        ("trackers", "[wandb, tensorboard]", ["wandb", "tensorboard"]),
        ("words", "[no, 1, none, '']", ["no", "1", "none", ""]),
        ("words", "\n- x\n- 'y: z'", ["x", "y: z"]),
        ("levels", "[1e-1, 1]", (0.1, 1.0)),
        ("note", "'none'", "none"),
        ("note", "'null'", "null"),
        ("note", "", None),
        ("note", "~", None),
        ("student_name", "''", ""),
        ("student_name", "|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_what_only_a_file_can_say(tmp_path: Path, name: str, text: str, expected: object) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"{name}: {text}\n")
    found = value(name, "--config", str(path))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("budget", "", "found null, expected a number"),
        ("budget", "[20]", "found ['20'], expected a number"),
        ("budget", "{nats: 20}", "found {'nats': '20'}, expected a number"),
        ("budget", "''", "found '', expected a number"),
        ("chats", "[1, 2]", "found ['1', '2'], expected a whole number"),
        ("resume", "[]", "found [], expected true or false"),
        ("accounting", "[expected]", "found ['expected'], expected one of expected, realised"),
        ("bits", "{}", "found {}, expected one of 4, 8 or null"),
        ("student_name", "null", "found null, expected text"),
        ("student_name", "[a]", "found ['a'], expected text"),
        ("folder", "''", "found '', expected a path"),
        ("folder", '"a\\0b"', "found 'a\\x00b', expected a path"),
        (
            "trackers",
            "wandb",
            "found wandb, expected a list, each item one of tensorboard, wandb",
        ),
        ("trackers", "[wandbb]", "found wandbb, allowed tensorboard, wandb (did you mean wandb?)"),
        ("trackers", "null", "found null, expected a list"),
        ("words", "[a, [b]]", "found ['b'], expected a list, each item text"),
        ("words", "[a, null]", "found null, expected a list, each item text"),
        ("levels", "[0.5, 2]", "found 2, allowed >= 0 and <= 1"),
        (
            "student_name",
            "{a: {b: {c: {d: {e: {f: {g: {h: i}}}}}}}}",
            "found {'a': {'b': {'c': {'d': {'e': {'f': {...}}}}}}}, expected text",
        ),
    ],
)
def test_wrong_types_in_a_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"{name}: {text}\n")
    with pytest.raises(UserError) as caught:
        value(name, "--config", str(path))
    assert str(caught.value).startswith(f"{path}, line 1: {name}: {message}")


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(UserError) as caught:
        value("budget", "--budget", "x" * 10_000)
    assert len(str(caught.value)) < 120


def test_messages_are_one_line() -> None:
    with pytest.raises(UserError) as caught:
        value("budget", "--budget", "1\n2\x1b[31m")
    assert str(caught.value) == r"--budget: found '1\n2\x1b[31m', expected a number"
