from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.hybrid import bonuses


def test_published_by_hand() -> None:
    found = bonuses.published(np.array([0, 1, 15, 60]), math.sqrt(15))
    np.testing.assert_allclose(found, [1, 1, 1, 0.5], atol=1e-15)
    np.testing.assert_allclose(bonuses.published(np.array([0, 1, 4]), 0.2), [1, 0.2, 0.1])


def test_hoeffding_by_hand() -> None:
    # S = 2, 10 cells, delta = 0.1, n = 100: log terms of 2 corners, 2 signs, all cells and n
    log = math.log(4) + math.log(2) + math.log(10 / 0.1 * 100 * 101)
    found = bonuses.hoeffding(np.array([0, 100]), 3.0, 2, 10, 0.1)
    np.testing.assert_allclose(found, [3, 3 * math.sqrt(log / 200)], rtol=1e-12)


def test_bernstein_by_hand() -> None:
    # two outcomes of probability 1/4 and 3/4 of n = 1001
    log = math.log(4 * 2 * 10 / 0.1 * 1001 * 1002)
    deviation = 2 * math.sqrt(3) / 4
    distance = deviation * math.sqrt(2 * log / 1000) + 2 * 7 * log / 3000
    found = bonuses.bernstein(np.array(1001), np.array(deviation), 3.0, 2, 10, 0.1)
    assert found == pytest.approx(3 * distance / 2, rel=1e-12)


def test_bernstein_wins_where_nothing_varies() -> None:
    many = np.array(1e6)
    still = bonuses.bernstein(many, np.array(0.0), 1.0, 5, 150, 0.1)
    assert still < bonuses.hoeffding(many, 1.0, 5, 150, 0.1) / 10


@given(st.integers(0, 10**6), st.floats(1e-6, 0.5), st.integers(2, 50))
def test_bonuses_stay_within_the_span_and_fall(n: int, delta: float, states: int) -> None:
    visits = np.array([n, 2 * n + 1])
    for found in (
        bonuses.published(visits, 3.0),
        bonuses.hoeffding(visits, 1.0, states, 100, delta),
        bonuses.hoeffding_rewards(visits, 1.0, 100, delta),
        bonuses.bernstein(visits, np.array(0.5), 1.0, states, 100, delta),
    ):
        assert 0 <= found[1] <= found[0] <= 1


def test_failure_probabilities_sum_to_delta() -> None:
    n = np.arange(1, 100_001)
    total = 12 * np.exp(-bonuses.log_failure(n, 12, 0.05)).sum()
    assert total == pytest.approx(0.05, rel=1e-4)
    assert total < 0.05


@pytest.mark.parametrize("bound", ["hoeffding", "bernstein"])
def test_bounds_hold_for_every_value_function(bound: str) -> None:
    """The worst V of the cube puts 1 on all that is over-counted: half the L1 distance."""
    rng, delta, runs = np.random.default_rng(0), 0.2, 2000
    probabilities = np.array([0.5, 0.3, 0.2])
    samples = rng.choice(3, p=probabilities, size=(runs, 64))
    failed = np.zeros(runs, dtype=bool)
    for n in (2, 8, 64):
        shares = np.stack([(samples[:, :n] == s).mean(axis=1) for s in range(3)], axis=1)
        error = np.maximum(shares - probabilities, 0).sum(axis=1)
        visits = np.full(runs, n)
        if bound == "hoeffding":
            limit = bonuses.hoeffding(visits, 1.0, 3, 1, delta)
        else:
            deviation = np.sqrt(shares * (1 - shares)).sum(axis=1)
            limit = bonuses.bernstein(visits, deviation, 1.0, 3, 1, delta)
        failed |= error > limit
    assert failed.mean() <= delta


def test_elliptical_radius_by_hand() -> None:
    # nothing seen: sigma sqrt(2 log(1 / delta)) + sqrt(ridge) S
    found = bonuses.elliptical_radius(0.0, noise=0.5, ridge=4.0, norm=3.0, delta=math.exp(-2))
    assert found == pytest.approx(0.5 * 2 + 2 * 3)
    assert bonuses.elliptical_radius(5.0, 1.0, 1.0, 0.0, math.exp(-2)) == pytest.approx(3.0)
