"""Orders at their edges, and the two-point bound against exact testing errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kl_derail.hybrid.concentrability import bounds


def test_without_offline_data_the_new_bounds_are_the_online_ones() -> None:
    t = np.array([1, 100, 10_000])
    np.testing.assert_allclose(bounds.suboptimality(0, t, 3.0), bounds.online(t))
    np.testing.assert_allclose(bounds.suboptimality(500, t, np.inf), bounds.online(t))
    np.testing.assert_allclose(bounds.regret(0, t, 3.0), np.sqrt(t))
    np.testing.assert_allclose(bounds.earlier_hybrid(500, t, 0.0, 1.0), bounds.online(t))


def test_without_online_episodes_the_new_bound_is_the_offline_one() -> None:
    assert bounds.suboptimality(400, 0, 9.0) == pytest.approx(bounds.offline(400, 9.0))
    assert bounds.suboptimality(400, 0, 9.0) == pytest.approx(3 / 20)


def test_numbers_worked_out_by_hand() -> None:
    assert bounds.effective(300, 100, 3.0) == 200
    assert bounds.suboptimality(300, 21, 3.0) == pytest.approx(1 / 11)
    assert bounds.regret(300, 300, 1.0) == pytest.approx(300 / np.sqrt(600))
    assert bounds.earlier_hybrid(60, 4, 16.0, 1.0) == pytest.approx(4 / 8 + 1 / 2)


def test_the_new_bound_is_below_both_of_its_parts() -> None:
    t = np.geomspace(1, 1e6, 50)
    found = bounds.suboptimality(1000, t, 5.0)
    assert (found <= bounds.online(t)).all()
    assert (found <= bounds.offline(1000, 5.0)).all()


@pytest.mark.parametrize("samples", [20, 100, 1000])
def test_no_test_beats_the_two_point_bound(samples: int) -> None:
    """The best test of both signs decides by the majority; its error is exact."""
    low, gap = bounds.two_point(samples)
    wrong = stats.binom.cdf((samples - 1) // 2, samples, 0.5 + gap)
    ties = stats.binom.pmf(samples / 2, samples, 0.5 + gap)
    assert low <= gap * (wrong + ties / 2) <= 6 * low


def test_the_two_point_bound_falls_like_one_over_root_n() -> None:
    n = np.geomspace(10, 1e6, 20)
    low = np.array([bounds.two_point(each)[0] for each in n])
    # For small gaps KL = 8 g^2, so g = 1 / sqrt(16 n) and the bound is g exp(-1/2) / 4.
    np.testing.assert_allclose(low[10:] * np.sqrt(n[10:]), np.exp(-0.5) / 16, rtol=1e-3)
    assert (np.diff(low) < 0).all()
