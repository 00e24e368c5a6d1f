"""Curves over trials: closed forms, scipy, and how often intervals hold in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kl_derail.hybrid.estimates import (
    Curve,
    order_at_end,
    paired,
    pointwise,
    simultaneous,
    tail_slope,
)

GRID = np.unique(np.geomspace(1, 10_000, 100).astype(np.int64))


def curve(values: np.ndarray, method: str = "m") -> Curve:
    episodes = GRID[-values.shape[1] :]
    return Curve(method, episodes, np.arange(len(values)), values)


def walks(rng: np.random.Generator, trials: int, points: int) -> np.ndarray:
    """Means of random walks: neighbouring points hang together, as they do along a curve."""
    steps = rng.standard_normal((trials, points))
    return np.cumsum(steps, axis=1) / np.arange(1, points + 1)


def test_pointwise_is_students_interval() -> None:
    values = walks(np.random.default_rng(0), 12, 5)
    found = pointwise(values, confidence=0.9)
    for column in range(5):
        own = values[:, column]
        low, high = stats.t.interval(0.9, 11, own.mean(), stats.sem(own))
        assert (found.low[column], found.high[column]) == pytest.approx((low, high), rel=1e-12)


def test_a_band_of_one_point_is_students_interval() -> None:
    values = np.random.default_rng(1).standard_normal((6, 1))
    alone, band = pointwise(values), simultaneous(values, resamples=200_000)
    assert band.high[0] - band.mean[0] == pytest.approx(alone.high[0] - alone.mean[0], rel=0.02)


def test_a_band_of_independent_points_is_sidaks() -> None:
    """Many trials, K independent points: the factor is the normal quantile at 0.95^(1 / K)."""
    values = np.random.default_rng(2).standard_normal((500, 20))
    band = simultaneous(values, resamples=10_000)
    error = values.std(axis=0, ddof=1) / np.sqrt(500)
    expected = stats.norm.ppf((1 + 0.95 ** (1 / 20)) / 2)
    assert (band.high - band.mean) / error == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("trials", [10, 100])
def test_bands_cover_the_whole_curve_as_often_as_they_say(trials: int) -> None:
    rng = np.random.default_rng(3)
    runs, whole, single = 400, 0, 0
    for run in range(runs):
        values = walks(rng, trials, 40)
        band, points = simultaneous(values, resamples=400, seed=run), pointwise(values)
        whole += bool(((band.low <= 0) & (band.high >= 0)).all())
        single += bool(((points.low <= 0) & (points.high >= 0)).all())
    slack = 3.5 * np.sqrt(0.95 * 0.05 / runs)
    assert 0.95 - slack <= whole / runs <= 0.95 + slack
    assert single / runs < 0.9  # pointwise intervals are no band


def test_points_without_spread_have_no_width() -> None:
    values = np.stack([np.full(4, 2.0), np.arange(4.0)], axis=1)
    band = simultaneous(values)
    assert band.low[0] == band.high[0] == 2.0
    assert band.low[1] < 1.5 < band.high[1]
    assert simultaneous(np.ones((3, 2))).high.tolist() == [1.0, 1.0]


def test_one_trial_has_no_interval() -> None:
    for band in (pointwise(np.ones((1, 3))), simultaneous(np.ones((1, 3)))):
        assert band.mean.tolist() == [1.0] * 3
        assert np.isnan(band.low).all()
        assert np.isnan(band.high).all()


def test_the_same_seed_gives_the_same_band() -> None:
    values = walks(np.random.default_rng(4), 8, 30)
    for first, second in zip(simultaneous(values), simultaneous(values), strict=True):
        assert first.tobytes() == second.tobytes()


def test_pairing_takes_the_trials_and_episodes_that_both_have() -> None:
    first = Curve("a", np.array([1, 2, 4]), np.array([0, 1, 3]), np.arange(9.0).reshape(3, 3))
    second = Curve("b", np.array([2, 4, 8]), np.array([1, 2, 3]), np.ones((3, 3)))
    found = paired(first, second)
    assert found.trials.tolist() == [1, 3]
    assert found.episodes.tolist() == [2, 4]
    assert found.values.tolist() == [[3.0, 4.0], [6.0, 7.0]]


def test_pairing_removes_what_trials_share() -> None:
    rng = np.random.default_rng(5)
    shared, own = rng.standard_normal((50, 1)), 0.01 * rng.standard_normal((2, 50, 1))
    first, second = curve(shared + own[0] + 0.05), curve(shared + own[1])
    band = pointwise(paired(first, second).values)
    assert band.low[0] > 0.03
    assert band.high[0] < 0.07
    assert pointwise(first.values).low[0] < pointwise(second.values).high[0]


@pytest.mark.parametrize("slope", [-0.5, -1.0, 0.5])
def test_the_slope_of_a_power_law_is_its_exponent(slope: float) -> None:
    exact = curve(np.outer([1.0, 2.0, 3.0], GRID**slope))
    found = tail_slope(exact)
    assert found == pytest.approx((slope, slope, slope, 3), abs=1e-9)


def test_the_slope_is_that_of_the_tail_alone() -> None:
    bent = np.where(GRID < 500, 500**-0.5, GRID**-0.5)
    assert tail_slope(curve(np.stack([bent, bent]))).estimate == pytest.approx(-0.5, abs=1e-9)
    assert tail_slope(curve(np.stack([bent, bent])), start=1e-4).estimate > -0.45


@pytest.mark.parametrize("trials", [8, 60])
def test_slope_intervals_cover_as_often_as_they_say(trials: int) -> None:
    """Each trial is a power law with an error of its own in level and in slope."""
    rng = np.random.default_rng(6)
    runs, hits = 400, 0
    for run in range(runs):
        level = rng.gamma(20, size=(trials, 1))
        noise = 1 + 0.3 * rng.standard_normal((trials, 1)) * np.log(GRID / 3000) / 3
        values = level * GRID**-0.5 * noise  # the noise has mean 1: the mean is the power law
        found = tail_slope(curve(values), resamples=300, seed=run)
        hits += found.low <= -0.5 <= found.high
    assert abs(hits / runs - 0.95) < 0.04


def test_a_curve_that_reaches_zero_has_no_slope() -> None:
    assert np.isnan(tail_slope(curve(np.zeros((4, len(GRID))))).estimate)
    rare = np.zeros((4, len(GRID)))
    rare[0] = 1.0
    found = tail_slope(curve(rare))
    assert found.estimate == pytest.approx(0)
    assert np.isnan(found.low)


def test_order_and_which_differences_are_real() -> None:
    rng = np.random.default_rng(7)
    shared = rng.standard_normal((40, 1))
    methods = {"slow": 1.0, "twin": 0.0, "fast": 0.0}
    curves = [
        curve(shared + level + 0.2 * rng.standard_normal((40, 1)), name)
        for name, level in methods.items()
    ]
    found = order_at_end(curves)
    assert found.methods[-1] == "slow"
    assert {(each.first, each.second): each.real for each in found.differences} == {
        (found.methods[0], found.methods[1]): False,
        (found.methods[0], "slow"): True,
        (found.methods[1], "slow"): True,
    }
    assert [value.n for value in found.values] == [40] * 3
    assert order_at_end(curves[:1]).differences == []


def test_differences_hold_for_all_pairs_at_once() -> None:
    """Five equal methods: some of ten differences is called real in at most 5 % of experiments."""
    rng, runs, false = np.random.default_rng(8), 300, 0
    for run in range(runs):
        values = rng.standard_normal((15, 1)) + rng.standard_normal((5, 15, 1))
        curves = [curve(each, str(k)) for k, each in enumerate(values)]
        false += any(
            each.real for each in order_at_end(curves, resamples=300, seed=run).differences
        )
    assert false / runs < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / runs)
