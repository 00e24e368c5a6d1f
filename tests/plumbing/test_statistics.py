"""Intervals against closed forms, and against how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kl_derail.plumbing.statistics import (
    Interval,
    cluster_fraction,
    cluster_ratio,
    t_interval,
    two_level_ratio,
    wilson,
)

QUICK = {"resamples": 600}


def covered(interval: Interval, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (450, 1000)])
def test_wilson_closed_form(successes: int, n: int) -> None:
    z, p = stats.norm.ppf(0.975), successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    found = wilson(successes, n)
    assert found == pytest.approx((p, centre - half, centre + half, n), abs=1e-12)


def test_wilson_of_nothing() -> None:
    assert np.isnan(wilson(0, 0)[:3]).all()
    assert wilson(0, 0).n == 0
    with pytest.raises(ValueError, match="k"):
        wilson(3, 2)


def test_cluster_ratio_by_hand() -> None:
    found = cluster_ratio([1, 2, 6], [2, 2, 8])
    assert (found.estimate, found.n) == (9 / 12, 3)
    assert 0.5 <= found.low < 0.75 < found.high <= 1.0


def test_cluster_ratio_is_the_normal_interval_for_many_clusters() -> None:
    x = np.random.default_rng(0).normal(3, 2, 400)
    found = cluster_ratio(x, np.ones(400))
    half = 1.96 * x.std(ddof=1) / 20
    assert found.estimate == pytest.approx(x.mean())
    assert found.low == pytest.approx(x.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(x.mean() + half, abs=0.1 * half)


def test_clusters_widen_the_interval() -> None:
    """Turns of a silent episode are alike: treating them as independent would be false."""
    parts, wholes = np.repeat([0, 20], 16), np.full(32, 20)
    clustered, pretended = cluster_fraction(parts, wholes), wilson(16 * 20, 32 * 20)
    assert clustered.high - clustered.low > 3 * (pretended.high - pretended.low)


def test_seeds() -> None:
    x, ones = np.random.default_rng(1).exponential(size=30), np.ones(30)
    assert cluster_ratio(x, ones, seed=3) == cluster_ratio(x, ones, seed=3)
    assert cluster_ratio(x, ones, seed=3) != cluster_ratio(x, ones, seed=4)
    bases = np.arange(30) % 3
    assert two_level_ratio(x, ones, bases, seed=3) == two_level_ratio(x, ones, bases, seed=3)
    assert two_level_ratio(x, ones, bases, seed=3) != two_level_ratio(x, ones, bases, seed=4)


def test_cluster_ratio_covers() -> None:
    """Shares that vary between episodes, episodes of different length: 95 % +- 4 sigma."""
    rng, hits, trials = np.random.default_rng(2), 0, 150
    for trial in range(trials):
        wholes = rng.integers(5, 30, 64)
        parts = rng.binomial(wholes, rng.beta(1, 1, 64))
        hits += covered(cluster_fraction(parts, wholes, seed=trial, **QUICK), 0.5)
    assert 0.88 <= hits / trials <= 1


def test_degenerate_clusters() -> None:
    assert cluster_ratio([], []).n == 0
    assert np.isnan(cluster_ratio([], []).estimate)
    one = cluster_ratio([2], [4])
    assert (one.estimate, one.n) == (0.5, 1)
    assert np.isnan([one.low, one.high]).all()
    assert cluster_ratio([1, 2, 3], [2, 4, 6]) == Interval(0.5, 0.5, 0.5, 3)
    assert cluster_ratio([0, 1, 0], [0, 2, 0]).n == 1


def test_two_clusters_still_give_an_interval() -> None:
    found = cluster_ratio([1, 3], [4, 4])
    assert found.low <= 0.5 <= found.high


def test_a_share_of_zero_or_one_is_not_certain() -> None:
    zero = cluster_fraction(np.zeros(64), np.full(64, 15))
    assert zero == wilson(0, 64)
    assert zero.high > 0.05
    assert cluster_fraction([3, 4], [3, 4]) == wilson(2, 2)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="between 0 and its whole"):
        cluster_fraction([3], [2])
    with pytest.raises(ValueError, match="one number a cluster"):
        cluster_ratio([1, 2], [1])
    with pytest.raises(ValueError, match="finite"):
        cluster_ratio([np.nan], [1])
    with pytest.raises(ValueError, match="finite"):
        cluster_ratio([1], [-1])


def test_two_level_variance_is_that_of_the_two_levels() -> None:
    """Equal groups: the bootstrap's variance of the mean has a closed form.

    With G groups of n it is (between + within) / G, between the variance of the group means
    and within the mean over groups of variance / n, all with divisor G or n.
    """
    rng, groups, n = np.random.default_rng(4), 12, 20
    x = rng.normal(0, 1, (groups, 1)) + rng.normal(0, 2, (groups, n))
    label = np.repeat(np.arange(groups), n)
    found = two_level_ratio(x.ravel(), np.ones(x.size), label, resamples=20_000)
    spread = np.sqrt((x.mean(1).var() + (x.var(1) / n).mean()) / groups)
    assert found.n == groups
    assert found.estimate == pytest.approx(x.mean())
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.05)


def test_two_level_edges() -> None:
    assert two_level_ratio([], [], []).n == 0
    lone = two_level_ratio([1, 2], [2, 2], ["a", "a"])
    assert (lone.estimate, lone.n) == (0.75, 1)
    assert np.isnan(lone.low)
    dropped = two_level_ratio([1, 0, 2], [2, 0, 2], ["a", "b", "a"])
    assert dropped.n == 1
    unequal = two_level_ratio([1, 2, 3, 0], [2, 2, 4, 1], ["a", "a", "a", "b"])
    assert unequal.estimate == pytest.approx(6 / 9)
    assert unequal.low == 0.0
    assert 0.75 <= unequal.high <= 1.0


def test_few_bases_cover_with_t_and_not_with_the_bootstrap() -> None:
    """Three bases that differ: the reason why the docstring recommends `t_interval`."""
    rng, trials, boot, student = np.random.default_rng(5), 200, 0, 0
    for trial in range(trials):
        x = rng.normal(size=(3, 1)) + rng.normal(size=(3, 30))
        label = np.repeat(np.arange(3), 30)
        found = two_level_ratio(x.ravel(), np.ones(90), label, seed=trial, resamples=400)
        boot += covered(found, 0.0)
        student += covered(t_interval(x.mean(1)), 0.0)
    assert 0.65 <= boot / trials <= 0.87
    assert 0.89 <= student / trials <= 1


def test_t_interval_closed_form() -> None:
    found = t_interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / np.sqrt(3)
    assert found == pytest.approx((2.0, 2 - half, 2 + half, 3))
    assert np.isnan(t_interval([1.0]).low)
    assert np.isnan(t_interval([]).estimate)
