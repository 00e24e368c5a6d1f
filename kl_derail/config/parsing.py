"""Default, preset, file and flag, merged into instances of the declared dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, overload

from kl_derail.config.dialect import NullWord
from kl_derail.config.files import read_file
from kl_derail.config.flags import read_flags
from kl_derail.config.options import Setting, settings_of
from kl_derail.config.values import Given, convert, shown
from kl_derail.errors import UserError, did_you_mean

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
Presets: TypeAlias = Mapping[str, Mapping[str, object]]
NO_PRESETS: Presets = MappingProxyType({})


@overload
def parse(
    config_types: tuple[type[A]], argv: Sequence[str], *, command: str, presets: Presets = ...
) -> tuple[A]: ...
@overload
def parse(
    config_types: tuple[type[A], type[B]],
    argv: Sequence[str],
    *,
    command: str,
    presets: Presets = ...,
) -> tuple[A, B]: ...
@overload
def parse(
    config_types: tuple[type[A], type[B], type[C]],
    argv: Sequence[str],
    *,
    command: str,
    presets: Presets = ...,
) -> tuple[A, B, C]: ...
@overload
def parse(
    config_types: tuple[type[A], type[B], type[C], type[D]],
    argv: Sequence[str],
    *,
    command: str,
    presets: Presets = ...,
) -> tuple[A, B, C, D]: ...
@overload
def parse(
    config_types: Sequence[type], argv: Sequence[str], *, command: str, presets: Presets = ...
) -> tuple[Any, ...]: ...


def parse(
    config_types: Sequence[type],
    argv: Sequence[str],
    *,
    command: str,
    presets: Presets = NO_PRESETS,
) -> tuple[Any, ...]:
    """Instances of the dataclasses in `config_types`, from the command line.

    Args:
        config_types: Dataclasses whose field names are all different.
        argv: The words after the command's name; `--config FILE` names a YAML file, `--preset NAME`
            a preset.
        command: The command's name, for usage and messages.
        presets: Named settings, each a mapping from option to value.

    Raises:
        UserError: An unknown name, a wrong type, a value out of its limits, an unreadable file.
        SystemExit: After `--help`.
    """
    settings = settings_of(config_types)
    flags = read_flags(settings, argv, command=command, presets=presets)
    in_file = (
        {}
        if flags.config is None
        else read_file(flags.config, [*settings, *(["preset"] if presets else [])])
    )
    named = in_file.pop("preset", Given(None, ""))
    chosen = named if flags.preset is None else Given(flags.preset, "--preset")
    values: dict[str, Any] = {}
    for layer in (_preset_layer(settings, chosen, presets), in_file, flags.values):
        values.update({name: convert(settings[name], given) for name, given in layer.items()})
    _require(settings, values)
    return tuple(_build(config_type, settings, values) for config_type in config_types)


def _preset_layer(
    settings: Mapping[str, Setting], chosen: Given, presets: Presets
) -> dict[str, Given]:
    name = chosen.value
    if name is None or (isinstance(name, NullWord) and name not in presets):
        return {}
    if not isinstance(name, str) or name not in presets:
        hint = did_you_mean(str(name), presets)
        raise UserError(f"{chosen.where}: found {shown(name)}, allowed {', '.join(presets)}{hint}")
    unknown = sorted(set(presets[name]) - set(settings))
    if unknown:
        raise UserError(
            f"preset {name}: there is no option {unknown[0]}{did_you_mean(unknown[0], settings)}"
        )
    return {key: Given(value, f"preset {name}: {key}") for key, value in presets[name].items()}


def _require(settings: Mapping[str, Setting], values: Mapping[str, object]) -> None:
    for name, setting in settings.items():
        if setting.default is MISSING and name not in values:
            raise UserError(f"--{name} is required: {setting.help}")


def _build(config_type: type[A], settings: Mapping[str, Setting], values: Mapping[str, Any]) -> A:
    own = {name: value for name, value in values.items() if settings[name].owner is config_type}
    return config_type(**own)
