"""The resolved configuration of a run, as a file that repeats the run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import yaml

from kl_derail import __version__
from kl_derail.config.dialect import TextDumper
from kl_derail.config.options import settings_of
from kl_derail.errors import UserError


def as_mapping(*configs: object) -> dict[str, Any]:
    """All options of these configurations in plain types: what YAML, JSON and trackers can hold."""
    names = settings_of([type(config) for config in configs])
    owners = {type(config): config for config in configs}
    return {name: _plain(getattr(owners[setting.owner], name)) for name, setting in names.items()}


def save_resolved(path: str | Path, *configs: object, command: str) -> None:
    """Write the configuration to `path`, whole or not at all; `--config path` gives it back."""
    path = Path(path)
    header = (
        f"# Resolved configuration of `kl-derail {command}`, kl_derail {__version__}.\n"
        f"# To repeat: kl-derail {command} --config {path.name}\n"
    )
    body = yaml.dump(as_mapping(*configs), Dumper=TextDumper, sort_keys=False, allow_unicode=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(header + body, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write this file: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
