"""What the figures read: the log of an experiment, sorted into curves; nothing else is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid.estimates import Curve
from kl_derail.hybrid.experiment.folder import RECORD, read_record
from kl_derail.hybrid.experiment.log import TrialCurve, read_log
from kl_derail.hybrid.experiment.settings import ONLINE


class Study(NamedTuple):
    """The part of an experiment's log with one objective.

    Attributes:
        name: of its files: that of the folder, and of the objective where the folder has several.
        folder: of the experiment.
        objective: "suboptimality" or "regret".
        rows: all curves of the log with this objective.
        note: what all results must say, e.g. that ratings are synthetic; mostly empty.
    """

    name: str
    folder: Path
    objective: str
    rows: list[TrialCurve]
    note: str

    @property
    def title(self) -> str:
        """Name and note."""
        return f"{self.name} ({self.note})" if self.note else self.name


def read_studies(folder: Path) -> list[Study]:
    """The studies of an experiment's folder, one per objective.

    Raises:
        UserError: no log, a broken one, or a broken record of the experiment.
    """
    rows = read_log(folder)
    note = str(read_record(folder).get("note", "")) if (folder / RECORD).is_file() else ""
    objectives = list(dict.fromkeys(row.objective for row in rows))
    name = folder.resolve().name
    names = [name if len(objectives) == 1 else f"{name}-{each}" for each in objectives]
    return [
        Study(name, folder, objective, [r for r in rows if r.objective == objective], note)
        for name, objective in zip(names, objectives, strict=True)
    ]


def trial_counts(found: Sequence[Curve]) -> str:
    """How many trials curves have, as captions say it: "n = 100 trials"."""
    counts = sorted({len(each.trials) for each in found})
    ends = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"n = {ends} trials"


def curves(study: Study, field: str) -> list[Curve]:
    """One quantity of the log by method, in the order of the log.

    Args:
        study: the experiment.
        field: "gap", "gap_mean", "regret" or "uncertainty".

    Returns:
        A curve for each method that has the quantity; trials whose grids differ are refused.
    """
    found = []
    for method in methods(study.rows):
        rows = [row for row in study.rows if row.method == method]
        rows = sorted((r for r in rows if getattr(r, field) is not None), key=lambda r: r.trial)
        if rows:
            found.append(_curve(study, method, rows, field))
    return found


def methods(rows: Sequence[TrialCurve]) -> list[str]:
    """Labels in the order in which they come, pure online last: it is drawn on top."""
    labels = list(dict.fromkeys(row.method for row in rows))
    return sorted(labels, key=lambda label: label == ONLINE)


def _curve(study: Study, method: str, rows: Sequence[TrialCurve], field: str) -> Curve:
    episodes = rows[0].episodes
    if any(not np.array_equal(row.episodes, episodes) for row in rows):
        raise UserError(f"{study.folder}: method {method}: trials differ in their checkpoints")
    trials = np.array([row.trial for row in rows], np.int64)
    if len(np.unique(trials)) < len(trials):
        raise UserError(f"{study.folder}: method {method}: a trial is in the log twice")
    return Curve(method, episodes, trials, np.stack([getattr(row, field) for row in rows]))
