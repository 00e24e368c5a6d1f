"""The folder of an experiment: what it is, its environment, and whether a run may go on in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from kl_derail.config import as_mapping
from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats, fingerprint
from kl_derail.hybrid.experiment.log import LOG, trials_done
from kl_derail.hybrid.experiment.worlds import Built, Experiment, world
from kl_derail.plumbing.writing import replacing

FORMAT = 2
"""Raised when the same settings and seed would give other numbers."""

RECORD = "experiment.json"
ENVIRONMENT = "environment.safetensors"


def record(experiment: Experiment, built: Built) -> dict[str, Any]:
    """All that the numbers depend on, in plain types, as `experiment.json` holds it."""
    fields = {**vars(experiment), **as_mapping(experiment.options)}
    del fields["options"]
    fields["methods"] = [list(method) for method in experiment.methods]
    return {
        "format": FORMAT,
        "settings": fields,
        "fingerprint": environment_fingerprint(experiment.world, built.arrays),
        "note": built.note,
    }


def environment_fingerprint(name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Fingerprint of a world's name and of its arrays, in the order of their names."""
    return fingerprint(name, *(arrays[each] for each in sorted(arrays)))


def prepare(folder: Path, experiment: Experiment, built: Built) -> None:
    """Begin the experiment in `folder`, or go on with it; a lost file of the environment is written again.

    Raises:
        UserError: see `check_free`.
    """
    check_free(folder, experiment, built)
    begun = (folder / RECORD).exists()
    if not (begun and (folder / ENVIRONMENT).exists()):
        save_arrays(folder / ENVIRONMENT, built.arrays)
    if not begun:
        wanted = json.dumps(record(experiment, built), indent=1)
        with replacing(folder / RECORD) as partial:
            partial.write_text(f"{wanted}\n", encoding="utf-8")


def check_free(folder: Path, experiment: Experiment, built: Built) -> None:
    """Whether the experiment may begin, or go on, in `folder`; nothing is written.

    Where the environment came from is not compared: its fingerprint is.

    Raises:
        UserError: another experiment was begun there (the line names the first setting that differs),
            or there are trials of nobody knows which experiment.
    """
    if (folder / RECORD).exists():
        sources = world(experiment.world).sources
        _check_same(folder, read_record(folder), record(experiment, built), sources)
    elif trials_done(folder):
        raise UserError(
            f"{folder}: found trials in {LOG} but no {RECORD} that says what they are of; "
            "name another --out, or remove the folder"
        )


def read_record(folder: Path) -> dict[str, Any]:
    """`experiment.json`: "format", "settings", "fingerprint" (of the environment), "note"."""
    path = folder / RECORD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found["settings"], dict):
            raise TypeError("settings")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read as an experiment's record ({error})") from error
    return dict(found)


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path) as partial:
        partial.write_bytes(save(plain))


def load_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Floats]:
    """Arrays of these names from a `.safetensors` or `.npz` file, as float64.

    Raises:
        UserError: no such file, or a name is missing in it.
    """
    try:
        found = _load_npz(path) if path.suffix == ".npz" else load_file(path)
        arrays = {name: _real(name, found[name]) for name in names}
    except KeyError as error:
        raise UserError(f"{path}: no array {error}; needed are {', '.join(names)}") from error
    except (OSError, ValueError, SafetensorError, BadZipFile) as error:
        raise UserError(f"{path}: cannot be read as .safetensors or .npz: {error}") from error
    return arrays


def _load_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """By the class, not by np.load, which suggests to unpickle what is no archive."""
    with path.open("rb") as file, NpzFile(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _real(name: str, array: npt.NDArray[Any]) -> Floats:
    if np.iscomplexobj(array):
        raise ValueError(f"{name} holds complex numbers")
    return np.asarray(array, np.float64)


def _check_same(
    folder: Path, found: dict[str, Any], wanted: dict[str, Any], left_out: Sequence[str]
) -> None:
    flat = [{**each["settings"], **each, "settings": None} for each in (found, wanted)]
    for name in (each for each in dict.fromkeys([*flat[1], *flat[0]]) if each not in left_out):
        old, new = (each.get(name) for each in flat)
        if json.loads(json.dumps(new)) != old:
            raise UserError(
                f"{folder}: was begun with {name}: {_shown(old)}, asked for {_shown(new)}; "
                "name another --out, or remove the folder"
            )


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:197] + "..."
