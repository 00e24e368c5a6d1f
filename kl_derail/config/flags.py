"""The flags of a command, and its `--help`."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, NoReturn

from kl_derail.config.dialect import NULL_WORDS, NullWord
from kl_derail.config.options import Setting
from kl_derail.config.values import FALSE_WORDS, TRUE_WORDS, Given, shown
from kl_derail.errors import UserError, did_you_mean

METAVARS = {bool: "BOOL", int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}
HELP_COLUMN = 32


@dataclass(frozen=True)
class Flags:
    """What stood on the command line."""

    config: Path | None
    preset: str | None
    values: dict[str, Given]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "))


def read_flags(
    settings: Mapping[str, Setting],
    argv: Sequence[str],
    *,
    command: str,
    presets: Collection[str] = (),
) -> Flags:
    """Read the command line; `--help` prints and leaves through SystemExit."""
    parser = _build_parser(settings, command, presets)
    namespace, rest = parser.parse_known_args(_canonical(settings, argv))
    found = {name: _once(name, given) for name, given in vars(namespace).items()}
    config, preset = found.pop("config", None), found.pop("preset", None)
    values = {
        name: Given(_null(value, optional=settings[name].shape.optional), f"--{name}")
        for name, value in found.items()
    }
    words = _words(rest, [f"--{name}" for name in _flag_names(settings, presets)])
    _place_words(settings, words, values)
    return Flags(None if config is None else Path(config), _null(preset), values)


def _flag_names(settings: Mapping[str, Setting], presets: Collection[str]) -> list[str]:
    switches = [f"no_{name}" for name, setting in settings.items() if _is_switch(setting)]
    return [*settings, *switches, "config", "help", *(["preset"] if presets else [])]


def _is_switch(setting: Setting) -> bool:
    return setting.shape.item is bool and setting.shape.container is None


def _once(name: str, given: Sequence[Any]) -> Any:
    """The one value of a flag: of two, none is the one that was meant."""
    if len(given) > 1:
        raise UserError(f"--{name} is given twice")
    return given[0]


def _null(value: Any, *, optional: bool = True) -> Any:
    """Mark a lone null word where it stands for None."""
    lone = value[0] if isinstance(value, list) and len(value) == 1 else value
    null = optional and isinstance(lone, str) and lone.lower() in NULL_WORDS
    return NullWord(lone) if null else value


def _canonical(settings: Mapping[str, Setting], argv: Sequence[str]) -> list[str]:
    """Write `--a-b V` as `--a_b=V`, so that V may be negative, and `--switch` as `--switch=true`.

    Lists and unknown flags are left for argparse to see.
    """
    words = list(argv)
    result: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return [*result, word, *words]
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = "--" + name[2:].replace("-", "_")
            setting = settings.get(name[2:])
            if not equals and setting is not None and setting.shape.container is None:
                equals, value = _following(setting, words)
        result.append(name + equals + value)
    return result


def _following(setting: Setting, words: list[str]) -> tuple[str, str]:
    """Take the value that follows a flag off `words`."""
    if _is_switch(setting):
        allowed = TRUE_WORDS | FALSE_WORDS | (NULL_WORDS if setting.shape.optional else frozenset())
        return "=", words.pop(0) if words and words[0].lower() in allowed else "true"
    if words and not words[0].startswith("--"):
        return "=", words.pop(0)
    return "", ""


def _words(rest: Sequence[str], known: Sequence[str]) -> list[str]:
    """What is left on the command line; anything like a flag, before a lone --, is a mistake."""
    end = rest.index("--") if "--" in rest else len(rest)
    for word in rest[:end]:
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            raise UserError(f"there is no flag {shown(name)}{did_you_mean(name, known)}")
    return [*rest[:end], *rest[end + 1 :]]


def _place_words(
    settings: Mapping[str, Setting], words: list[str], values: dict[str, Given]
) -> None:
    """Give the words without a flag to the positional options, in their order."""
    for name, setting in settings.items():
        if not setting.positional or not words:
            continue
        if name in values:
            raise UserError(f"{name} is given twice: {shown(words[0])} and --{name}")
        many = setting.shape.container is not None
        taken, words = (words, []) if many else (words[:1], words[1:])
        values[name] = Given(taken if many else taken[0], name)
    if words:
        hint = did_you_mean(words[0], settings)
        raise UserError(f"found {shown(words[0])}, where a flag (--name value) was expected{hint}")


def _build_parser(
    settings: Mapping[str, Setting], command: str, presets: Collection[str]
) -> _Parser:
    words = [_usage_word(setting) for setting in settings.values() if setting.positional]
    parser = _Parser(
        prog=f"kl-derail {command}",
        usage=" ".join(["%(prog)s", *words, "[--config FILE]", "[--name VALUE ...]"]),
        description="A value comes from, weakest first: default, preset, --config file, flag.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=HELP_COLUMN),
    )
    parser.add_argument(
        "--config", metavar="FILE", action="append", help="YAML file with any of these options"
    )
    if presets:
        parser.add_argument(
            "--preset", metavar=_braces(presets), action="append", help="named settings"
        )
    groups: dict[type, Any] = {}
    for setting in settings.values():
        if setting.owner not in groups:
            groups[setting.owner] = parser.add_argument_group(_title(setting.owner))
        _add_flag(groups[setting.owner], setting)
    return parser


def _add_flag(group: Any, setting: Setting) -> None:
    name, shape = setting.name, setting.shape
    metavar = _braces(map(str, shape.choices)) if shape.choices else METAVARS[shape.item]
    nargs = "*" if shape.container else "?" if _is_switch(setting) else None
    short = [f"-{setting.short}"] if setting.short else []
    group.add_argument(
        *short, f"--{name}", metavar=metavar, nargs=nargs, action="append", help=_help(setting)
    )
    if _is_switch(setting):
        group.add_argument(
            f"--no_{name}", dest=name, action="append_const", const="false", help=argparse.SUPPRESS
        )


def _usage_word(setting: Setting) -> str:
    word = setting.name.upper() + (" ..." if setting.shape.container else "")
    return word if setting.default is MISSING else f"[{word}]"


def _braces(names: Any) -> str:
    return "{" + ",".join(names) + "}"


def _title(owner: type) -> str:
    """The first line of the docstring, or the name where dataclass wrote the docstring.

    >>> @dataclass
    ... class Rollout:
    ...     "Rollout options."
    >>> _title(Rollout)
    'Rollout options'
    """
    first = (owner.__doc__ or "").strip().split("\n")[0]
    written = first and not first.startswith(owner.__name__ + "(")
    return first.rstrip(".") if written else owner.__name__


def _help(setting: Setting) -> str:
    notes = ["required" if setting.default is MISSING else f"default: {_plain(setting.default)}"]
    if bounds := setting.limits.describe():
        notes.append(f"allowed: {bounds}")
    if _is_switch(setting) and setting.default is True:
        notes.append(f"--no_{setting.name} turns it off")
    return f"{setting.help} ({'; '.join(notes)})".replace("%", "%%")


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_plain, value)) or "none"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
