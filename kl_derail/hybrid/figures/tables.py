"""Numbers behind the figures: what each method reached, its slope, and which differences are real."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.estimates import Difference, order_at_end, tail_slope
from kl_derail.hybrid.figures.curves import QUANTITIES
from kl_derail.hybrid.figures.study import Study, curves
from kl_derail.plumbing import markdown
from kl_derail.plumbing.statistics import Interval


class Slope(NamedTuple):
    """Exponent of the last decade with its interval (other names than those of `Interval`: one table)."""

    slope: float
    slope_low: float
    slope_high: float


class Reached(NamedTuple):
    """A method at the last episode.

    Attributes:
        study: name of the experiment, and its note.
        quantity: field of the log.
        method: label.
        behaviour: offline policy; empty for none.
        n_offline: N0.
        n_online: N1.
        seconds: median wall time of a trial: first trials may wait for the compiler.
        slope: of log mean against log episodes.
        value: mean over trials with its pointwise 95 % interval.
    """

    study: str
    quantity: str
    method: str
    behaviour: str
    n_offline: int
    n_online: int
    seconds: float
    slope: Slope
    value: Interval


class Compared(NamedTuple):
    """A pair of methods at the last episode."""

    study: str
    quantity: str
    difference: Difference


def reached(study: Study, fields: Sequence[str]) -> list[Reached]:
    """All methods by field, smallest mean first."""
    rows = []
    for field in fields:
        own = {curve.method: curve for curve in curves(study, field)}
        order = order_at_end(list(own.values())) if own else None
        for method, value in zip(order.methods, order.values, strict=True) if order else ():
            logs = [row for row in study.rows if row.method == method]
            slope, seconds = tail_slope(own[method]), median(r.seconds for r in logs)
            first, last = logs[0], int(own[method].episodes[-1])
            facts = (study.title, field, method, first.behaviour, first.n_offline, last, seconds)
            rows.append(Reached(*facts, Slope(*slope[:3]), value))
    return rows


def compared(study: Study, fields: Sequence[str]) -> list[Compared]:
    """All pairs of methods by field."""
    return [
        Compared(study.title, field, difference)
        for field in fields
        if (own := curves(study, field))
        for difference in order_at_end(own).differences
    ]


def reached_table(rows: Sequence[Reached]) -> str:
    """Markdown: what intervals are, and a method a line."""
    head = (
        "experiment",
        "quantity",
        "method",
        "behaviour",
        "N0",
        "N1",
        "mean (95 %)",
        "slope (95 %)",
        "trials",
        "s/trial (median)",
    )
    note = "Intervals of means are symmetric (Student) and may reach below 0, where no gap can be."
    table = markdown.table(
        head,
        [
            (
                row.study,
                QUANTITIES[row.quantity],
                row.method,
                row.behaviour or "none",
                str(row.n_offline),
                str(row.n_online),
                _ends(row.value, ".4g"),
                _ends(Interval(*row.slope, row.value.n), ".2f"),
                str(row.value.n),
                f"{row.seconds:.3g}",
            )
            for row in rows
        ],
    )
    return f"{note}\n\n{table}"


def compared_table(rows: Sequence[Compared]) -> str:
    """Markdown: a pair a line; the intervals hold for all pairs of an experiment at once."""
    head = (
        "experiment",
        "quantity",
        "smaller",
        "larger",
        "difference (simultaneous 95 %)",
        "real",
        "trials",
    )
    return markdown.table(
        head,
        [
            (
                row.study,
                QUANTITIES[row.quantity],
                row.difference.first,
                row.difference.second,
                _ends(row.difference.value, ".4g"),
                "yes" if row.difference.real else "no",
                str(row.difference.value.n),
            )
            for row in rows
        ],
    )


def _ends(value: Interval, form: str) -> str:
    if np.isnan(value.estimate):
        return "none"
    ends = "no interval" if np.isnan(value.low) else f"{value.low:z{form}} to {value.high:z{form}}"
    return f"{value.estimate:z{form}} ({ends})"
