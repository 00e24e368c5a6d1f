"""Compiled code on disk: renewed by what it calls, and without a trace in the user's settings."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numba
import pytest

from kl_derail.plumbing.compiled import FOLDER, KEPT, kernel

HEAD = "from kl_derail.plumbing.compiled import kernel\n"
CALLER = (
    HEAD
    + "from pkg.sub.inner.callee import inner\n@kernel\ndef outer(x):\n    return inner(x) + 1\n"
)
CALL = "from pkg.sub.caller import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"


def write(folder: Path, factor: int) -> None:
    inner = folder / "pkg" / "sub" / "inner"
    inner.mkdir(parents=True, exist_ok=True)
    (folder / "pkg" / "sub" / "caller.py").write_text(CALLER)
    source = f"{HEAD}@kernel\ndef inner(x):\n    return {factor} * x\n"
    (inner / "callee.py").write_text(source)


def called(folder: Path, **changes: str) -> tuple[int, int]:
    """(result, what was found on disk) in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", **changes}
    done = subprocess.run(
        [sys.executable, "-c", CALL], capture_output=True, text=True, env=environment, check=True
    )
    result, hits = map(int, done.stdout.split())
    return result, hits


def generations(folder: Path) -> list[Path]:
    return sorted((folder / "pkg" / "sub" / "__pycache__").glob(f"{FOLDER}*"))


def test_a_change_of_a_callee_in_another_file_counts(tmp_path: Path) -> None:
    write(tmp_path, 10)
    assert [called(tmp_path), called(tmp_path)] == [(11, 0), (11, 1)]
    (first,) = generations(tmp_path)
    long_ago = time.time() - KEPT - 60
    os.utime(first, (long_ago, long_ago))
    write(tmp_path, 200)
    assert called(tmp_path) == (201, 0)
    (second,) = generations(tmp_path)
    assert second != first


def test_a_generation_used_lately_is_kept(tmp_path: Path) -> None:
    for factor in (10, 200):
        write(tmp_path, factor)
        called(tmp_path)
    assert len(generations(tmp_path)) == 2
    write(tmp_path, 10)
    assert called(tmp_path) == (11, 1)


def test_where_the_package_cannot_be_written_numba_chooses_itself(tmp_path: Path) -> None:
    write(tmp_path, 10)
    (tmp_path / "pkg" / "sub" / "__pycache__").write_text("in the way")
    assert called(tmp_path, XDG_CACHE_HOME=str(tmp_path / "home"))[0] == 11


def test_a_folder_that_the_user_chose_is_used(tmp_path: Path) -> None:
    write(tmp_path, 10)
    called(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert list((tmp_path / "chosen").rglob("*.nbc"))
    assert not generations(tmp_path)


@pytest.mark.parametrize("fails", [False, True])
def test_the_users_own_setting_is_left_alone(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours holds while numba decorates; theirs comes back, also where that fails."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    seen = []

    def njit(**options: object) -> Callable[[object], object]:
        seen.append(Path(numba.config.CACHE_DIR))
        if fails:
            raise TypeError
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    with pytest.raises(TypeError) if fails else nullcontext():
        kernel(write)
    assert seen[0].name.startswith(FOLDER)
    assert seen[0].parent.parent == tmp_path
    assert str(tmp_path) == numba.config.CACHE_DIR
