"""How an experiment ended, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.markup import escape
from rich.table import Table

from kl_derail.hybrid.experiment.folder import read_record
from kl_derail.hybrid.experiment.log import TrialCurve, read_log
from kl_derail.plumbing.statistics import Interval, t_interval

BANDITS = ("bandit", "movielens")
"""Worlds whose episodes are single steps."""


class Ending(NamedTuple):
    """A method at its last checkpoint, over trials.

    Attributes:
        method: label.
        behaviour: offline policy; empty without offline data.
        n_offline: N0.
        final: gap (sub-optimality) or summed regret after the last episode.
        mean: running mean of the gap there; None for regret.
        seconds: of a trial, the median: first trials may wait for the compiler.
    """

    method: str
    behaviour: str
    n_offline: int
    final: Interval
    mean: Interval | None
    seconds: float


def endings(curves: Sequence[TrialCurve]) -> list[Ending]:
    """The last checkpoint of each method, in the order of the log."""
    grouped: dict[str, list[TrialCurve]] = {}
    for curve in curves:
        grouped.setdefault(curve.method, []).append(curve)
    return [_ending(group) for group in grouped.values()]


def _ending(group: Sequence[TrialCurve]) -> Ending:
    first = group[0]
    finals = [each.gap if each.regret is None else each.regret for each in group]
    means = [each.gap_mean[-1] for each in group if each.gap_mean is not None]
    return Ending(
        first.method,
        first.behaviour,
        first.n_offline,
        t_interval([each[-1] for each in finals if each is not None]),
        t_interval(means) if means else None,
        median(each.seconds for each in group),
    )


def ending_table(folder: Path) -> Table:
    """The endings of the experiment in `folder`."""
    curves, record = read_log(folder), read_record(folder)
    rows, objective = endings(curves), curves[0].objective
    trials, episodes = len({curve.trial for curve in curves}), curves[0].episodes[-1]
    unit = "steps" if record["settings"].get("world") in BANDITS else "episodes"
    title = f"{folder.name}: {trials} trials of {episodes} {unit}"
    caption = "; ".join(part for part in ("means ± 95 % over trials", record["note"]) if part)
    table = Table(title=escape(title), caption=escape(caption))
    for name in ("method", "behaviour"):
        table.add_column(name)
    heads = ["regret"] if objective == "regret" else ["final gap", "mean gap"]
    for name in ("N0", *heads, "s a trial"):
        table.add_column(name, justify="right")
    for row in rows:
        found = [row.final] if row.mean is None else [row.final, row.mean]
        cells = [escape(row.method), escape(row.behaviour), str(row.n_offline)]
        table.add_row(*cells, *map(_shown, found), f"{row.seconds:.3g}")
    return table


def _shown(found: Interval) -> str:
    """Mean and half-width of the 95 % interval, which one trial does not have."""
    if found.n < 2:
        return f"{found.estimate:.4g}"
    return f"{found.estimate:.4g} ± {found.high - found.estimate:.2g}"
