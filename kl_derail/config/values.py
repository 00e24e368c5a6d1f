"""Found values, from a flag, a file or a preset, into the types that the fields declare."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kl_derail.config.dialect import NullWord
from kl_derail.config.options import Setting, settings_of
from kl_derail.errors import UserError, did_you_mean

TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})
EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}
LARGEST_EXACT_FLOAT = 2.0**53
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Given:
    """A value as the user wrote it, and where: `--budget` or `run.yaml, line 3: budget`."""

    value: object
    where: str


class _WrongTypeError(Exception):
    """The value cannot be read as the type that was asked for."""


def convert(setting: Setting, given: Given) -> Any:
    """The value of `given` in the type of `setting`, checked against its choices and limits."""
    shape = setting.shape
    if shape.optional and (given.value is None or isinstance(given.value, NullWord)):
        return None
    if shape.container is None:
        return _convert_item(setting, given)
    if not isinstance(given.value, (list, tuple)):
        raise _unexpected(setting, given)
    return shape.container(
        [_convert_item(setting, Given(item, given.where)) for item in given.value]
    )


def validate(config: object) -> None:
    """Raise UserError unless each field of a dataclass instance has its declared type and limits.

    For configurations built in Python; `parse` has checked its own. Call it from `__post_init__`.
    """
    for name, setting in settings_of([type(config)]).items():
        convert(setting, Given(getattr(config, name), name))


def expected(setting: Setting) -> str:
    """What may stand in this place, in words: `a whole number or null`."""
    shape = setting.shape
    one = f"one of {', '.join(map(str, shape.choices))}" if shape.choices else EXPECTED[shape.item]
    if shape.container is None:
        return one + (" or null" if shape.optional else "")
    return f"a list, each item {one}" + (", or null for the whole" if shape.optional else "")


def _convert_item(setting: Setting, given: Given) -> Any:
    if setting.shape.choices:
        return _choice(setting, given)
    try:
        value = READERS[setting.shape.item](given.value)
    except _WrongTypeError:
        raise _unexpected(setting, given) from None
    limits = setting.limits
    if setting.shape.item in (int, float) and not limits.admits(value):
        bounds = "finite numbers" if limits.finite else "numbers and inf"
        allowed = limits.describe() if math.isfinite(value) else bounds
        raise UserError(f"{given.where}: found {shown(given.value)}, allowed {allowed}")
    return value


def _choice(setting: Setting, given: Given) -> Any:
    choices = {str(choice): choice for choice in setting.shape.choices}
    found = str(given.value) if isinstance(given.value, (str, int, float)) else None
    if found is None:
        raise _unexpected(setting, given)
    if found not in choices:
        allowed = ", ".join(choices)
        hint = did_you_mean(found, choices)
        raise UserError(f"{given.where}: found {shown(given.value)}, allowed {allowed}{hint}")
    return choices[found]


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUE_WORDS | FALSE_WORDS:
        return value.lower() in TRUE_WORDS
    raise _WrongTypeError


def _read_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _WrongTypeError
    try:
        return float(value.lower().replace(".inf", "inf") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        raise _WrongTypeError from None


def _read_int(value: object) -> int:
    """A whole number; `3e6` is one, `3.5` is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(value) if isinstance(value, str) else _whole(_read_float(value))
    except ValueError:
        return _whole(_read_float(value))


def _whole(number: float) -> int:
    if not math.isfinite(number) or number != round(number) or abs(number) > LARGEST_EXACT_FLOAT:
        raise _WrongTypeError
    return int(number)


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongTypeError
    return str(value)


def _read_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    text = _read_text(value)
    if not text or "\0" in text:
        raise _WrongTypeError
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


READERS: dict[type, Callable[[object], Any]] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_text,
    Path: _read_path,
}


def shown(value: object) -> str:
    """A found value on one short line, as the user wrote it where that is plain.

    >>> shown("twenty"), shown(""), shown(None), shown(["a", "b"])
    ('twenty', "''", 'null', "['a', 'b']")
    """
    if value is None:
        return "null"
    plain = isinstance(value, str) and value.isprintable() and value.strip() == value != ""
    text = str(value) if plain else reprlib.repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _unexpected(setting: Setting, given: Given) -> UserError:
    return UserError(f"{given.where}: found {shown(given.value)}, expected {expected(setting)}")
