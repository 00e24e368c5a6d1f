"""How functions are compiled to machine code."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_config: Any = numba.config  # its settings are set when it is loaded, out of sight of type checkers

FOLDER = "kernels-"
"""Beginning of the name of a generation's folder; a hash of sources follows."""

KEPT = 7 * 86400
"""Seconds that a generation is kept after its last use: a run that began with it may not be over."""


def kernel(function: F) -> F:
    """Compile to machine code that lets go of the interpreter lock; kept on disk between processes.

    No fast maths: the same seed must give the same numbers whatever the compiler does. By itself
    numba renews what is on disk only when the function's own file changes; here it is kept in a folder
    named by the sources of the whole subpackage, so that a change of what a kernel calls counts too.
    """
    with _cache_folder(function):
        return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@contextmanager
def _cache_folder(function: Callable[..., Any]) -> Iterator[None]:
    """Numba looks at its setting while it decorates; the user's own functions keep theirs."""
    before = _config.CACHE_DIR
    # a folder that cannot be written is passed over by numba, which then chooses for itself
    _config.CACHE_DIR = str(_generation(_subpackage(function), before))
    try:
        yield
    finally:
        _config.CACHE_DIR = before


def _subpackage(function: Callable[..., Any]) -> Path:
    """Folder of the package below the top one, kl_derail.hybrid for kl_derail.hybrid.oracles.x."""
    depth = max(function.__module__.count(".") - 2, 0)
    return Path(function.__code__.co_filename).parents[depth]


@cache
def _generation(package: Path, chosen: str) -> Path:
    """The folder for the package as it is now; in the one that the user chose, if any."""
    home = Path(chosen) / package.name if chosen else package / "__pycache__"
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes() + b"\0")
    current = home / f"{FOLDER}{digest.hexdigest()[:16]}"
    with suppress(OSError):
        current.mkdir(parents=True, exist_ok=True)
        os.utime(current)
        _remove_old(home)
    return current


def _remove_old(home: Path) -> None:
    for folder in home.glob(f"{FOLDER}*"):
        if folder.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(folder, ignore_errors=True)
