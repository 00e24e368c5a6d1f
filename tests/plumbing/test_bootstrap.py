"""Bands along a curve against numpy, and against resampling one episode at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.plumbing.bootstrap import quantile_bands, ratio_bands

QUARTILES = (0.25, 0.5, 0.75)


def table(seed: int = 0, shape: tuple[int, int] = (30, 4), missing: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.exponential(size=shape)
    values[rng.random(shape) < missing] = np.nan
    return values


def resampled(values: np.ndarray, resamples: int, seed: int) -> list[np.ndarray]:
    """The rows of each resample, drawn as the module says it draws."""
    rng = np.random.default_rng(seed)
    n = len(values)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    return [np.repeat(values, each, axis=0) for each in counts]


def plain_quantile(column: np.ndarray, level: float) -> float:
    present = column[~np.isnan(column)]
    return np.quantile(present, level, method="inverted_cdf") if len(present) else np.nan


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(seed: int, episodes: int, level: float) -> None:
    values = table(seed, (episodes, 3))
    found = quantile_bands(values, [level], resamples=2)
    expected = [plain_quantile(column, level) for column in values.T]
    np.testing.assert_array_equal(found.estimate[0], expected)
    np.testing.assert_array_equal(found.n, (~np.isnan(values)).sum(axis=0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_quantile_bands_by_hand() -> None:
    values = table(3, (12, 4), missing=0.8)
    found = quantile_bands(values, QUARTILES, resamples=50, seed=7)
    each = np.array(
        [
            [[plain_quantile(column, level) for column in rows.T] for level in QUARTILES]
            for rows in resampled(values, 50, 7)
        ]
    )
    assert np.isnan(each).any()  # some resample has no such episode
    low, high = np.nanquantile(each, (0.025, 0.975), axis=0)
    np.testing.assert_allclose(found.low, low)
    np.testing.assert_allclose(found.high, high)
    np.testing.assert_allclose(found.standard_error, np.nanstd(each, axis=0, ddof=1))


def test_ratio_bands_by_hand() -> None:
    rng = np.random.default_rng(1)
    top, bottom = rng.exponential(size=(9, 2)), rng.integers(0, 3, (9, 2)).astype(float)
    found = ratio_bands(top * (bottom > 0), bottom, resamples=40, seed=2)
    both = np.stack([top * (bottom > 0), bottom], axis=-1)
    sums = np.array([rows.sum(axis=0) for rows in resampled(both, 40, 2)])
    ratios = sums[..., 0] / sums[..., 1]
    np.testing.assert_allclose(found.estimate, both.sum(0)[:, 0] / both.sum(0)[:, 1])
    np.testing.assert_allclose(found.low, np.quantile(ratios, 0.025, axis=0))
    np.testing.assert_allclose(found.standard_error, ratios.std(axis=0, ddof=1))
    np.testing.assert_array_equal(found.n, (bottom > 0).sum(axis=0))


def test_standard_error_of_a_mean_is_sigma_over_root_n() -> None:
    values = np.random.default_rng(0).normal(size=(400, 1))
    found = ratio_bands(values + 9, np.ones_like(values), resamples=4000)
    assert found.standard_error[0] == pytest.approx(values.std() / 20, rel=0.05)


def test_one_episode_has_an_estimate_but_no_band() -> None:
    values = np.array([[1.0, 5.0], [np.nan, 7.0]])
    for level, found in zip((0, 1), quantile_bands(values, [0, 1]).estimate, strict=True):
        np.testing.assert_array_equal(found, [1.0, (5.0, 7.0)[level]])
    bands = quantile_bands(values, [0.5])
    assert np.isnan([bands.low[0, 0], bands.high[0, 0], bands.standard_error[0, 0]]).all()
    assert np.isfinite([bands.low[0, 1], bands.high[0, 1], bands.standard_error[0, 1]]).all()


def test_nothing_at_all() -> None:
    assert quantile_bands(np.empty((0, 0)), QUARTILES).estimate.shape == (3, 0)
    empty = ratio_bands(np.zeros((4, 2)), np.zeros((4, 2)))
    assert np.isnan(empty.estimate).all()
    assert np.isnan(empty.low).all()
    none = ratio_bands(np.empty((0, 2)), np.empty((0, 2)))
    assert np.isnan(none.estimate).all()
    assert none.n.tolist() == [0, 0]


def test_same_seed_same_bands() -> None:
    values = table(5)
    first, second = (quantile_bands(values, QUARTILES, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.low, second.low)
    assert (first.low != quantile_bands(values, QUARTILES, seed=5).low).any()


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"needs \[episodes, columns\], has shape \(3,\)"):
        quantile_bands([1.0, 2.0, 3.0], QUARTILES)
