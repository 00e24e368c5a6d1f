"""Which interval a number of a group gets: over runs where there are enough, over the episodes of one run.

Two runs get none: two numbers say next to nothing of how runs differ, and an interval over their
pooled episodes would leave out just that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.plumbing.bootstrap import quantile_bands
from kl_derail.plumbing.statistics import Interval, cluster_fraction, t_interval, wilson

ENOUGH_RUNS = 3
"""From so many runs on, an interval is over runs: runs differ more than the episodes of one."""

OVER_RUNS = "t over runs"
WILSON_OVER_RUNS = "Wilson over runs"
WILSON = "Wilson over episodes"
BY_EPISODE = "bootstrap by episode"
TWO_RUNS = "none for two runs"
RUNS_AGREE = "none where runs agree"
EXTREME = "none for an extreme"

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A number with its 95 % interval.

    Attributes:
        estimate: the value; the mean over runs where the interval is over runs.
        low: lower end; NaN where the data allow none.
        high: upper end.
        episodes: episodes behind it.
        runs: runs behind it.
        interval: how the interval was made.
    """

    estimate: float
    low: float
    high: float
    episodes: int
    runs: int
    interval: str


def share(parts: Sequence[Sequence[float]], wholes: Sequence[Sequence[float]]) -> Estimate:
    """A share, such as empty turns among turns, or silent episodes among episodes.

    Args:
        parts: for each run, a number an episode.
        wholes: the same shape, each at least its part; all ones for a share of episodes.

    From `ENOUGH_RUNS` runs on the interval is Student's over the runs' shares, cut off at 0 and 1.
    Shares that are all equal show no spread to make one of: where they are 0 or 1 it is Wilson's with
    the runs as trials, else there is none. Two runs have none either. For one run it is Wilson's for a
    share of episodes (and for one of exactly 0 or 1, with episodes as trials), and a bootstrap by
    episode for another one.
    """
    by_run = [
        sum(part) / sum(whole) for part, whole in zip(parts, wholes, strict=True) if sum(whole)
    ]
    flat_parts, flat_wholes = ([x for run in each for x in run] for each in (parts, wholes))
    episodes = sum(whole > 0 for whole in flat_wholes)
    if len(by_run) >= ENOUGH_RUNS:
        found, how = _over_runs(by_run)
        if how == RUNS_AGREE and found.estimate in (0.0, 1.0):
            found = wilson(round(sum(by_run)), len(by_run))
            how = WILSON_OVER_RUNS
    elif all(whole == 1 for whole in flat_wholes):
        found, how = wilson(round(sum(flat_parts)), len(flat_wholes)), WILSON
    else:
        found = cluster_fraction(flat_parts, flat_wholes)
        how = WILSON if found.estimate in (0.0, 1.0) else BY_EPISODE
    return _none_for_two(
        Estimate(found.estimate, found.low, found.high, episodes, len(by_run), how)
    )


def distribution(by_run: Sequence[Sequence[float]], places: Sequence[float]) -> list[Estimate]:
    """The share of values at or below each place: the ECDF of shares in [0, 1]; see `share`."""
    return [
        share(
            [[float(x <= place) for x in run] for run in by_run], [[1.0] * len(r) for r in by_run]
        )
        for place in places
    ]


def percentiles(by_run: Sequence[Sequence[float]], levels: Sequence[float]) -> list[Estimate]:
    """The quantiles of shares in [0, 1] at these levels.

    The interval is Student's over the runs' quantiles from `ENOUGH_RUNS` runs on, unless they are all
    equal; two runs have none. For one run it is a bootstrap by episode, but not of the smallest and
    the largest value (levels 0 and 1): resamples never go beyond them.
    """
    runs = [run for run in by_run if len(run)]
    episodes = sum(map(len, runs))
    if len(runs) >= ENOUGH_RUNS:
        table = np.array([np.quantile(run, levels, method="inverted_cdf") for run in runs])
        found = [_over_runs(column.tolist()) for column in table.T]
        return [Estimate(*each[:3], episodes, len(runs), how) for each, how in found]
    column = np.array([[value] for run in runs for value in run]).reshape(-1, 1)
    bands = quantile_bands(column, levels)
    ends = np.stack([bands.estimate, bands.low, bands.high])[:, :, 0].T.tolist()
    return [
        _none_for_two(
            Estimate(value, np.nan, np.nan, episodes, len(runs), EXTREME)
            if level in (0, 1)
            else Estimate(value, low, high, episodes, len(runs), BY_EPISODE)
        )
        for level, (value, low, high) in zip(levels, ends, strict=True)
    ]


def _over_runs(by_run: Sequence[float]) -> tuple[Interval, str]:
    """Student's interval of shares; none where they are all equal, since it would have no width."""
    found = t_interval(by_run)
    if len(set(by_run)) == 1:
        return found._replace(estimate=by_run[0], low=np.nan, high=np.nan), RUNS_AGREE
    return _cut(found), OVER_RUNS


def _none_for_two(found: Estimate) -> Estimate:
    if found.runs != 2:
        return found
    return found._replace(low=np.nan, high=np.nan, interval=TWO_RUNS)


def _cut(found: Interval) -> Interval:
    """An interval of a share, without what no share can be."""
    low, high = np.clip((found.low, found.high), 0, 1).tolist()
    return found._replace(low=low, high=high)
