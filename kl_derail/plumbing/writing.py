"""Files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kl_derail.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A partial file to write, which takes the place of `path` once the block has ended well.

    Args:
        path: of the file; its folder is made if missing.

    Raises:
        UserError: the file cannot be written; what stood there before is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if partial.exists():
            partial.unlink()


def check_free(flag: str, path: Path, *, overwrite: bool) -> None:
    """UserError where a file, which `flag` names, is there already or is none (a folder, a device)."""
    if path.is_dir():
        raise UserError(f"{flag}: {path} is a folder; name a file")
    if path.exists() and not path.is_file():
        raise UserError(f"{flag}: {path} is no regular file; name one")
    if path.exists() and not overwrite:
        raise UserError(f"{flag}: {path} exists; choose another name or --overwrite it")
