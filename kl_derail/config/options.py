"""How a command declares its options: dataclass fields with a help text and limits."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

RESERVED_NAMES = frozenset({"config", "preset", "help"})
ITEM_TYPES: tuple[type, ...] = (bool, int, float, str, Path)


@dataclass(frozen=True)
class Limits:
    """The range that a number must lie in; `above` and `below` exclude their ends.

    >>> Limits(above=0.0, maximum=1.0).describe()
    '> 0 and <= 1'
    >>> Limits(above=0.0, maximum=1.0).admits(0.0)
    False
    """

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    finite: bool = True

    def admits(self, number: float) -> bool:
        """Whether `number` lies within the limits; nan never does."""
        return (
            not math.isnan(number)
            and not (self.finite and math.isinf(number))
            and (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def describe(self) -> str:
        """The bounds in words, empty where there are none."""
        signs = {">=": self.minimum, ">": self.above, "<=": self.maximum, "<": self.below}
        bounds = [f"{sign} {bound:g}" for sign, bound in signs.items() if bound is not None]
        return " and ".join(bounds)


@dataclass(frozen=True)
class Shape:
    """What an annotation says: the type of one item, its choices, None or not, one or many."""

    item: type
    choices: tuple[Any, ...] = ()
    optional: bool = False
    container: type[list[Any]] | type[tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Setting:
    """One option of a command, as read off a dataclass field."""

    name: str
    owner: type
    shape: Shape
    default: Any
    help: str
    limits: Limits
    positional: bool
    short: str | None = None


def option(
    default: T,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    finite: bool = True,
    positional: bool = False,
    short: str | None = None,
) -> T:
    """A dataclass field with a default, a help text and limits.

    Args:
        default: The value where nothing else is given; a list is copied for each instance.
        help: One line for `--help`, with the unit.
        minimum: The least value allowed (of each item, in a list).
        maximum: The greatest value allowed.
        above: Values must be greater than this.
        below: Values must be less than this.
        finite: Whether infinity is refused. nan always is.
        positional: Whether the flag may be left out, as in `kl-derail inspect RUN`.
        short: One letter that stands for the flag, as in `-n 100`.

    >>> @dataclass
    ... class Example:
    ...     budget: float = option(20.0, "total KL budget of an episode (nats)", minimum=0)
    >>> Example()
    Example(budget=20.0)
    """
    limits = Limits(minimum, maximum, above, below, finite)
    metadata = {"help": help, "limits": limits, "positional": positional, "short": short}
    if isinstance(default, list):
        return cast(T, dataclasses.field(default_factory=lambda: list(default), metadata=metadata))
    return dataclasses.field(default=default, metadata=metadata)


def required(help: str, *, positional: bool = False) -> Any:
    """A dataclass field that the user must give a value for."""
    return dataclasses.field(metadata={"help": help, "positional": positional})


def settings_of(config_types: Iterable[type]) -> dict[str, Setting]:
    """All options that the dataclasses declare, by name."""
    settings: dict[str, Setting] = {}
    for owner in config_types:
        hints = get_type_hints(owner)
        for field in dataclasses.fields(owner):
            if not field.init:
                continue
            if field.name in RESERVED_NAMES or field.name in settings:
                raise TypeError(f"{owner.__name__}.{field.name}: this name is taken")
            settings[field.name] = _setting(owner, field, hints[field.name])
    return settings


def _setting(owner: type, field: dataclasses.Field[Any], hint: Any) -> Setting:
    metadata: Mapping[str, Any] = field.metadata
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Setting(
        name=field.name,
        owner=owner,
        shape=_shape(hint, f"{owner.__name__}.{field.name}"),
        default=default,
        help=metadata.get("help", ""),
        limits=metadata.get("limits", Limits()),
        positional=metadata.get("positional", False),
        short=metadata.get("short"),
    )


def _shape(hint: Any, where: str) -> Shape:
    hint, optional = _without_none(hint)
    container = get_origin(hint) if get_origin(hint) in (list, tuple) else None
    if container is not None:
        hint = _item_hint(container, get_args(hint), where)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        present = tuple(choice for choice in choices if choice is not None)
        return Shape(str, present, optional or len(present) < len(choices), container)
    if hint not in ITEM_TYPES:
        raise TypeError(f"{where}: a field cannot have the type {hint}")
    return Shape(hint, (), optional, container)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    rest = [part for part in get_args(hint) if part is not type(None)]
    return (rest[0] if len(rest) == 1 else hint), len(rest) < len(get_args(hint))


def _item_hint(container: type, arguments: Sequence[Any], where: str) -> Any:
    if container is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        raise TypeError(f"{where}: write a tuple as tuple[X, ...]")
    return arguments[0]
