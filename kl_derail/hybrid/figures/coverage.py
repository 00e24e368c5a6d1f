"""How well each behaviour of an experiment covers what matters, worked out from what lies beside its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.concentrability import (
    Coverage,
    Split,
    Splits,
    bandit_errors,
    best_split,
    coverage,
    default_gap,
    directions,
    error_ratio,
    problem,
    relative_condition_number,
    splits,
    tabular_errors,
)
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.experiment.log import TrialCurve
from kl_derail.hybrid.experiment.settings import BASELINE_LABELS
from kl_derail.hybrid.figures.study import Study, methods
from kl_derail.hybrid.figures.world import Finite, policy
from kl_derail.hybrid.policies import optimal
from kl_derail.plumbing import markdown
from kl_derail.plumbing.statistics import Interval

EXACT = "exact"

REPEATS = 200
"""Data sets behind the published estimator."""


class ErrorRatio(NamedTuple):
    """The published estimator for the optimal policy, unsquared, with its 95 % interval."""

    error_ratio: float
    error_ratio_low: float
    error_ratio_high: float


class SampledEnds(NamedTuple):
    """95 % interval of C of the optimal policy where it is sampled, else NaN."""

    c_optimal_low: float
    c_optimal_high: float


class Row(NamedTuple):
    """What the offline data of one method cover.

    Attributes:
        study: name of the experiment, and its note.
        method: label.
        behaviour: offline policy.
        n_offline: N0.
        n_online: N1.
        kind: of the coefficients: exact, in a learnt model, or sampled.
        exact: coefficients by the working definitions; NaN what is not worked out.
        sampled: interval of C of the optimal policy.
        earlier: the best split of the earlier hybrid bound at N1.
        condition: relative condition number of the optimal policy; NaN but for a linear bandit.
        published: Monte Carlo over REPEATS data sets.
    """

    study: str
    method: str
    behaviour: str
    n_offline: int
    n_online: int
    kind: str
    exact: Coverage
    sampled: SampledEnds
    earlier: Split
    condition: float
    published: ErrorRatio


class Covered(NamedTuple):
    """A row of the table, and all splits of the earlier hybrid bound."""

    row: Row
    splits: Splits


def coverage_rows(study: Study, world: Finite) -> list[Covered]:
    """For each hybrid method with offline data, by the behaviour in its log."""
    asked = problem(world)
    assert asked.reach is not None  # all these worlds have it
    found = []
    for log in covered_methods(study):
        played, n_online = policy(world, log.behaviour), int(log.episodes[-1])
        data = asked.occupancy(played)
        every = _splits(world, asked.reach, data)
        row = Row(
            study.title,
            log.method,
            log.behaviour,
            log.n_offline,
            n_online,
            EXACT,
            coverage(asked, data, default_gap(log.n_offline, n_online)),
            SampledEnds(np.nan, np.nan),
            best_split(every, log.n_offline, n_online),
            _condition(world, data),
            ErrorRatio(*_published(world, played, log.n_offline)[:3]),
        )
        found.append(Covered(row, every))
    return found


def covered_methods(study: Study) -> list[TrialCurve]:
    """A log of each hybrid method with offline data."""
    firsts = {row.method: row for row in reversed(study.rows)}
    logs = (firsts[method] for method in methods(study.rows))
    return [log for log in logs if log.n_offline and log.method not in BASELINE_LABELS.values()]


def _splits(world: Finite, reach: Floats, data: Floats) -> Splits:
    """Of pairs in a tabular world, of dimensions in linear models."""
    if isinstance(world, TabularMDP):
        return splits(reach, data, stages=world.horizon)
    return splits(*directions(world, data))


def _condition(world: Finite, data: Floats) -> float:
    if not isinstance(world, LinearBandit):
        return np.nan
    return relative_condition_number(world.features, world.occupancy(optimal(world)), data)


def _published(world: Finite, played: Floats, n_offline: int) -> Interval:
    rng, target = np.random.default_rng(0), optimal(world)
    if isinstance(world, TabularMDP):
        return error_ratio(tabular_errors(world, target, played, n_offline, REPEATS, rng))
    return error_ratio(bandit_errors(world, target, played, n_offline, REPEATS, rng))


def coverage_table(rows: list[Row], left_out: Sequence[str] = ()) -> str:
    """Markdown: what the columns mean, a method a line, and why experiments are left out."""
    table = markdown.table(_HEAD, map(_cells, rows))
    return "\n\n".join([_LEGEND, table, *(f"Left out: {each}." for each in left_out)])


_HEAD = ["experiment", "method", "behaviour", "N0", "N1", "kind", "U of data"]
_HEAD += ["C optimal", "gap", "C sub-optimal", "ratio optimal", "ratio 95 %", "ratio any"]
_HEAD += ["condition", "C_off", "C_on", "error ratio (95 %)"]

_LEGEND = """C = (U(policy) / U of data)^2 by the working definitions, of the optimal policy and of the worst
policy that loses at least `gap` = 1 / sqrt(N0 + N1). Ratios are the classical coefficients: the
largest visits of a policy over those of the data, for the optimal policy, for the best-covered 95 %
of its visits, and for any policy. Condition: the relative condition number of the features under
the optimal policy and the data. C_off and C_on: the split of the earlier hybrid bound; both are
divided by the number of parts of a stage, pairs S A in a table and dimensions in linear models.
Error ratio: mean absolute error of the optimal policy's value over that of the behaviour's, on
repeated data sets of N0 episodes (the published estimator, unsquared; another quantity than C).
Kinds: "exact" is by the environment itself. Mountain Car has two rows a method, both by its share
of recorded visits: "model, discounted" is exact in a model learnt from all recorded episodes, with
discounted visits and `gap` in discounted value (which is not the chance to miss the goal that is
plotted); "sampled episodes" compares driven episodes of that model's optimal policy with those of
the behaviours, with a 95 % interval that takes the data's shares as given. Infinite: the policy
visits what the data never do. For Mountain Car the split, the ratio over any policy, the error
ratio, and the Eluder-type sum of regret runs are not worked out."""


def _cells(row: Row) -> list[str]:
    exact, ends = row.exact, row.published
    optimal = _with_ends(exact.c_optimal, row.sampled)
    numbers = [exact.gap, exact.c_suboptimal]
    numbers += [exact.ratio_optimal, exact.ratio_partial, exact.ratio_any]
    numbers += [row.condition, *row.earlier]
    facts = [row.study, row.method, row.behaviour, str(row.n_offline), str(row.n_online), row.kind]
    facts += [number(exact.behaviour_scale), optimal]
    return [*facts, *map(number, numbers), _with_ends(ends.error_ratio, ends[1:])]


def _with_ends(value: float, ends: Sequence[float]) -> str:
    """A number, with its interval where it has a finite one."""
    if not np.isfinite([value, *ends]).all():
        return number(value)
    return f"{number(value)} ({number(ends[0])} to {number(ends[1])})"


def number(value: float) -> str:
    """Three digits, or a word: `none` where there is no such number."""
    return "none" if np.isnan(value) else "infinite" if np.isinf(value) else f"{value:.3g}"
