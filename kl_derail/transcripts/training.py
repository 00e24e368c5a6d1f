"""How a run went: its metrics, one line an update, as curves; and what single tokens cost."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError
from kl_derail.transcripts.schema import Episode

METRICS = "metrics.jsonl"
"""File of a run with one line an update."""

QUANTILE_NAMES = ("q05", "q25", "q50", "q75", "q95")

Floats = npt.NDArray[np.float64]


class Curves(NamedTuple):
    """What U updates were like, each over the episodes that it learned from.

    Attributes:
        update: [U] int64, number of the update, from 1.
        episodes: [U] int64, episodes behind it.
        budget: [U] KL budget in force, nats.
        reward: [U, 5] quantiles (0.05, 0.25, 0.5, 0.75, 0.95) of the reward of an episode.
        kl: [U, 5] the same quantiles of the exact KL of an episode, nats.
    """

    update: npt.NDArray[np.int64]
    episodes: npt.NDArray[np.int64]
    budget: Floats
    reward: Floats
    kl: Floats


def read_metrics(run: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Every whole line of a run's metrics, oldest first; none where there is no such file.

    A last line without its line break is being written, and left out.

    Raises:
        UserError: a whole line is not a JSON object with an update, or the file cannot be read.
    """
    path = Path(run) / METRICS
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text: {error}") from error
    return [_entry(path, number, line) for number, line in enumerate(lines, 1)]


def curves(entries: Sequence[Mapping[str, Any]]) -> Curves:
    """The entries of `read_metrics` as arrays; what an entry does not hold is NaN (episodes: 0)."""
    return Curves(
        np.array([entry["update"] for entry in entries], np.int64),
        np.array([entry.get("n") or 0 for entry in entries], np.int64),
        np.array([_number(entry, "budget") for entry in entries], np.float64),
        _quantiles(entries, "reward"),
        _quantiles(entries, "kl"),
    )


def tokens_above(episodes: Sequence[Episode], nats: Sequence[float]) -> Floats:
    """[E, len(nats)] how many of the agent's tokens cost more than so much KL, by episode."""
    levels = np.asarray(nats, np.float64)
    rows = [np.sort(each.kl[each.agent_tokens]) for each in episodes]
    above = [len(row) - np.searchsorted(row, levels, side="right") for row in rows]
    return np.array(above, np.float64).reshape(len(rows), len(levels))


def _entry(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("update"), int):
        raise UserError(f"{path}, line {number}: not the metrics of an update")
    return entry


def _number(entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) else np.nan


def _quantiles(entries: Sequence[Mapping[str, Any]], name: str) -> Floats:
    rows = [[_number(entry, f"{name}_{each}") for each in QUANTILE_NAMES] for entry in entries]
    return np.array(rows, np.float64).reshape(len(rows), len(QUANTILE_NAMES))
