"""The YAML file of a command: one flat mapping from option to value."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from kl_derail.config.dialect import NULL_TAG, TextLoader
from kl_derail.config.values import Given, shown
from kl_derail.errors import UserError, did_you_mean


def read_file(path: Path, allowed: Collection[str]) -> dict[str, Given]:
    """The values in a YAML file, each with its line; keys must be among `allowed`."""
    values: dict[str, Given] = {}
    for key, value, line in _entries(path, _read_text(path)):
        where = f"{path}, line {line}"
        if not isinstance(key, str):
            raise UserError(f"{where}: found the key {shown(key)}, expected the name of an option")
        if key not in allowed:
            raise UserError(f"{where}: there is no option {shown(key)}{did_you_mean(key, allowed)}")
        if key in values:
            raise UserError(f"{where}: {key} is given twice")
        values[key] = Given(value, f"{where}: {key}")
    return values


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--config {shown(str(path))}: cannot read this file: {reason}") from error


def _entries(path: Path, text: str) -> list[tuple[Any, Any, int]]:
    try:
        loader = TextLoader(text)
        root = loader.get_single_node()
        if root is None or root.tag == NULL_TAG:
            return []
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{path}: expected one option a line, as in `seed: 1`")
        return [
            (
                loader.construct_object(key, deep=True),
                loader.construct_object(value, deep=True),
                key.start_mark.line + 1,
            )
            for key, value in root.value
        ]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: not YAML: {error}") from error
