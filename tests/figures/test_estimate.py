"""Which interval a number gets, and that it is that one."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.figures.estimate import (
    BY_EPISODE,
    EXTREME,
    OVER_RUNS,
    RUNS_AGREE,
    TWO_RUNS,
    WILSON,
    WILSON_OVER_RUNS,
    distribution,
    percentiles,
    share,
)
from kl_derail.plumbing.statistics import cluster_fraction, t_interval, wilson

ONES = [1.0] * 4


def test_a_share_of_episodes_of_one_run_is_wilsons() -> None:
    found = share([[1, 0, 1, 1]], [ONES])
    assert found[:3] == wilson(3, 4)[:3]
    assert found[3:] == (4, 1, WILSON)


@pytest.mark.parametrize("whole", [1.0, 7.0])
def test_two_runs_are_too_few_for_an_interval(whole: float) -> None:
    """Their pooled episodes would be narrow, and say nothing of a third run."""
    found = share([[0.0] * 4, [whole] * 4], [[whole] * 4] * 2)
    assert (found.estimate, *found[3:]) == (0.5, 8, 2, TWO_RUNS)
    assert np.isnan(found[1:3]).all()
    for each in (
        *percentiles([[0.0, 0.5], [0.1, 0.7]], [0.0, 0.5]),
        *distribution([[0.0, 0.5], [0.1, 0.7]], [0.5]),
    ):
        assert np.isfinite(each.estimate)
        assert np.isnan(each[1:3]).all()
        assert each.interval == TWO_RUNS


@pytest.mark.parametrize("happened", [0, 1])
def test_runs_that_all_do_or_all_do_not(happened: int) -> None:
    """Student's interval would have no width; three runs are three trials, not 768."""
    found = share([[float(happened)] * 256] * 3, [[1.0] * 256] * 3)
    assert found[:3] == wilson(3 * happened, 3)[:3]
    assert found.high - found.low > 0.5
    assert found[3:] == (768, 3, WILSON_OVER_RUNS)


def test_runs_that_agree_in_between_have_no_interval() -> None:
    """One and two of three, say: a spread of 0 is no measure of a spread."""
    found = share([[1.0], [2.0], [3.0]], [[3.0], [6.0], [9.0]])
    assert (found.estimate, *found[3:]) == (1 / 3, 3, 3, RUNS_AGREE)
    assert np.isnan(found[1:3]).all()
    ecdf = distribution([[0.1, 0.9]] * 3, [0.0, 0.5, 1.0])
    assert [each.interval for each in ecdf] == [WILSON_OVER_RUNS, RUNS_AGREE, WILSON_OVER_RUNS]
    (median,) = percentiles([[0.1, 0.9]] * 3, [0.5])
    assert (median.estimate, median.interval) == (0.1, RUNS_AGREE)
    assert np.isnan(median[1:3]).all()


def test_a_share_of_turns_is_a_bootstrap_by_episode() -> None:
    parts, wholes = [1.0, 5.0, 0.0, 0.0], [4.0, 6.0, 9.0, 0.0]
    found = share([parts], [wholes])
    assert found[:3] == cluster_fraction(parts, wholes)[:3]
    assert found[3:] == (3, 1, BY_EPISODE)  # the episode without turns says nothing


def test_a_bootstrap_cannot_see_what_never_happened() -> None:
    found = share([[0.0, 0.0]], [[4.0, 6.0]])
    assert found[:3] == wilson(0, 2)[:3]
    assert found.interval == WILSON


def test_three_runs_are_the_unit() -> None:
    """The mean over runs, not over all turns; ends cut off where no share can be."""
    parts, wholes = [[9.0], [1.0, 1.0], [4.0]], [[10.0], [100.0, 100.0], [8.0]]
    found = share(parts, wholes)
    expected = t_interval([0.9, 0.01, 0.5])
    assert found.estimate == expected.estimate
    assert (found.low, found.high) == (0.0, 1.0)
    assert expected.low < 0 < 1 < expected.high
    assert found[3:] == (4, 3, OVER_RUNS)


def test_runs_without_turns_are_no_runs() -> None:
    found = share([[1.0], [0.0], [0.0]], [[2.0], [0.0], [0.0]])
    assert (found.estimate, found.runs, found.interval) == (0.5, 1, BY_EPISODE)
    nothing = share([[0.0]], [[0.0]])
    assert np.isnan(nothing.estimate)
    assert (nothing.episodes, nothing.runs) == (0, 0)


def test_distribution_is_the_ecdf() -> None:
    found = distribution([[0.0, 0.5, 0.5, 1.0]], [0.0, 0.4, 0.5, 1.0])
    assert [each.estimate for each in found] == [0.25, 0.25, 0.75, 1.0]
    assert found[0][:3] == wilson(1, 4)[:3]
    over_runs = distribution([[0.0], [1.0], [1.0]], [0.5])[0]
    assert over_runs[:3] == pytest.approx((1 / 3, 0.0, 1.0))
    assert over_runs.interval == OVER_RUNS


def test_percentiles() -> None:
    values = np.linspace(0, 1, 11)
    found = percentiles([values.tolist()], [0.0, 0.5, 1.0])
    assert [each.estimate for each in found] == [0.0, 0.5, 1.0]
    assert found[1].low < 0.5 < found[1].high
    assert found[1][3:] == (11, 1, BY_EPISODE)
    for extreme in (found[0], found[2]):  # no resample goes beyond the sample
        assert np.isnan(extreme[1:3]).all()
        assert extreme[3:] == (11, 1, EXTREME)
    over_runs = percentiles([[0.1], [0.2], [], [0.3]], [0.5])[0]
    mean, low, high, _ = t_interval([0.1, 0.2, 0.3])
    assert over_runs[:3] == (mean, 0.0, high)  # low is below 0
    assert low < 0
    assert over_runs[3:] == (3, 3, OVER_RUNS)
