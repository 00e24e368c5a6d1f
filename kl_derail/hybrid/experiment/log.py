"""The log of an experiment: one parquet file a trial, one row a method, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.plumbing.writing import replacing

LOG = "log"
CHECKPOINTS = 300
_FILE = re.compile(r"trial-(\d{5,})\.parquet")
_SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("behaviour", pa.string()),
        ("n_offline", pa.int64()),
        ("objective", pa.string()),
        ("trial", pa.int64()),
        ("episodes", pa.list_(pa.int64())),
        ("gap", pa.list_(pa.float64())),
        ("gap_mean", pa.list_(pa.float64())),
        ("regret", pa.list_(pa.float64())),
        ("uncertainty", pa.list_(pa.float64())),
        ("seconds", pa.float64()),
    ]
)


class TrialCurve(NamedTuple):
    """What one method did in one trial, at the checkpoints of `checkpoints`.

    Attributes:
        method: label of the curve, e.g. "rho1", "N0=500", "online", "offline LCB".
        behaviour: offline policy, e.g. "optimal" or "softmax:2"; empty without offline data.
        n_offline: offline episodes (bandits: observations), N0.
        objective: "suboptimality" or "regret".
        trial: number of the trial; trials of equal number share their random numbers.
        episodes: [K] online episodes t behind each point, rising, 1-based.
        gap: [K] V* - V^pi of the output policy after t episodes, or None.
        gap_mean: [K] average of `gap` over episodes 1..t, or None.
        regret: [K] sum of V* - V^pi_t over episodes 1..t, or None.
        uncertainty: [K] sum of U^_t(pi_t)^2 over episodes 1..t, or None.
        seconds: wall time of this method in this trial.
    """

    method: str
    behaviour: str
    n_offline: int
    objective: str
    trial: int
    episodes: Ints
    gap: Floats | None
    gap_mean: Floats | None
    regret: Floats | None
    uncertainty: Floats | None
    seconds: float


def checkpoints(episodes: int, points: int = CHECKPOINTS) -> Ints:
    """Episodes to log, rising from 1 to `episodes`: half spread evenly in log t, half in t."""
    if episodes <= points:
        return np.arange(1, episodes + 1)
    half = points // 2
    dense = np.geomspace(1, episodes, half)
    even = np.linspace(1, episodes, points - half)
    return np.unique(np.rint(np.concatenate([dense, even])).astype(np.int64))


def append(folder: Path, trial: int, curves: Sequence[TrialCurve]) -> Path:
    """Write all curves of a trial to its file in the log of the experiment `folder`."""
    columns = [
        pa.array([getattr(curve, field.name) for curve in curves], field.type) for field in _SCHEMA
    ]
    path = folder / LOG / f"trial-{trial:05d}.parquet"
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA), partial)
    return path


def trials_done(folder: Path) -> list[int]:
    """Numbers of the trials in the log, rising; none where there is no log yet."""
    return sorted(_files(folder))


def read_log(folder: Path) -> list[TrialCurve]:
    """All curves of an experiment, by trial, in the order in which its methods were given.

    Raises:
        UserError: the folder holds no log, or a file in it is none of ours.
    """
    files = _files(folder)
    if not files:
        raise UserError(f"{folder}: found no {LOG}/trial-*.parquet; name an experiment's folder")
    return [curve for _, path in sorted(files.items()) for curve in _read_file(path)]


def _files(folder: Path) -> dict[int, Path]:
    found = ((_FILE.fullmatch(path.name), path) for path in (folder / LOG).glob("trial-*.parquet"))
    return {int(match[1]): path for match, path in found if match}


def _read_file(path: Path) -> list[TrialCurve]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as parquet: {error}") from error
    if table.schema != _SCHEMA:
        raise UserError(f"{path}: found other columns than a hybrid log has")
    columns = [_values(table.column(field.name).combine_chunks(), field) for field in _SCHEMA]
    return [TrialCurve(*row) for row in zip(*columns, strict=True)]


def _values(column: Any, field: pa.Field) -> list[Any]:
    if not pa.types.is_list(field.type):
        return list(column.to_pylist())
    return [
        item.values.to_numpy(zero_copy_only=False) if item.is_valid else None for item in column
    ]
