"""Bootstrap by episode for many columns at once: quantiles and ratios along a curve.

For one number, `kl_derail.plumbing.statistics` has sharper intervals (BCa); here every column of a
curve is resampled with the same draws. Seeded: the same data give the same bands.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 400
"""Resamples: a standard error then has a Monte-Carlo error of 4 %."""

Floats = npt.NDArray[np.float64]


class Bands(NamedTuple):
    """Estimates along a curve of C columns, the leading axes being those of the estimate.

    Attributes:
        estimate: [..., C]; NaN where no episode has a value.
        low: [..., C] lower end of the percentile interval; NaN with fewer than two episodes.
        high: [..., C] upper end.
        standard_error: [..., C] standard deviation over resamples.
        n: [C] episodes that have a value.
    """

    estimate: Floats
    low: Floats
    high: Floats
    standard_error: Floats
    n: npt.NDArray[np.int64]


def quantile_bands(
    values: npt.ArrayLike,
    quantiles: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bands:
    """Quantiles of each column over episodes: the least value that at least such a share does not exceed.

    Args:
        values: [E, C], an episode a row; NaN where an episode has none.
        quantiles: [Q], each in [0, 1].
        confidence: of the interval.
        resamples: bootstrap resamples of the episodes.
        seed: of the resampling.

    Returns:
        Bands of shape [Q, C].
    """
    table = _two_dimensional(values)
    draws = _draws(len(table), resamples, seed)
    once = np.ones((1, len(table)))
    levels = np.asarray(quantiles, np.float64)
    shape = (len(levels), table.shape[1])
    estimate, resampled = np.full(shape, np.nan), np.full((resamples, *shape), np.nan)
    for column, cells in enumerate(table.T):
        order = np.argsort(cells)[: np.count_nonzero(~np.isnan(cells))]  # NaN is sorted last
        if len(order):
            estimate[:, column] = _quantiles(cells[order], once[:, order], levels)[0]
            resampled[:, :, column] = _quantiles(cells[order], draws[:, order], levels)
    return _bands(estimate, resampled, (~np.isnan(table)).sum(axis=0), confidence)


def ratio_bands(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bands:
    """Ratio of the sums over episodes, column by column.

    Args:
        numerators: [E, C], an episode a row, e.g. nats.
        denominators: [E, C] >= 0, e.g. tokens; ones for the mean over episodes.
        confidence: of the interval.
        resamples: bootstrap resamples of the episodes.
        seed: of the resampling.

    Returns:
        Bands of shape [C].
    """
    top, bottom = _two_dimensional(numerators), _two_dimensional(denominators)
    draws = _draws(len(top), resamples, seed)
    with np.errstate(invalid="ignore"):
        estimate = top.sum(axis=0) / bottom.sum(axis=0)
        resampled = (draws @ top) / (draws @ bottom)
    return _bands(estimate, resampled, (bottom > 0).sum(axis=0), confidence)


def _two_dimensional(values: npt.ArrayLike) -> Floats:
    table = np.asarray(values, np.float64)
    if table.ndim != 2:
        raise ValueError(f"needs [episodes, columns], has shape {table.shape}")
    return table


@lru_cache(maxsize=4)
def _draws(episodes: int, resamples: int, seed: int) -> Floats:
    """[R, E] how often each resample draws each episode."""
    if not episodes:
        return np.empty((resamples, 0))
    rng = np.random.default_rng(seed)
    even = np.full(episodes, 1 / episodes)
    draws = rng.multinomial(episodes, even, size=resamples).astype(np.float64)
    draws.flags.writeable = False  # shared by all columns and curves of as many episodes
    return draws


def _quantiles(ascending: Floats, weights: Floats, levels: Floats) -> Floats:
    """[R, Q] quantiles of the values [n] under the weights [R, n]; NaN where all weights are 0."""
    reached = np.cumsum(weights, axis=1)
    total = reached[:, -1:]
    needed = np.maximum(levels * total * (1 - 1e-12), 0.5)  # weights are whole: at least one
    place = np.stack([(reached < each[:, None]).sum(axis=1) for each in needed.T], axis=1)
    found = ascending[np.minimum(place, len(ascending) - 1)]
    return np.where(total > 0, found, np.nan)


def _bands(
    estimate: Floats, resampled: Floats, n: npt.NDArray[np.int64], confidence: float
) -> Bands:
    """Summarise resamples [R, ...]; a column that fewer than two episodes have gets no band."""
    tail = (1 - confidence) / 2
    ascending = np.sort(resampled, axis=0)  # NaN last
    count = np.count_nonzero(~np.isnan(ascending), axis=0)
    low, high = (_at(ascending, count, level) for level in (tail, 1 - tail))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column without values: NaN, as it should be
        error = np.nanstd(ascending, axis=0, ddof=1)
    low, high, error = (np.where(n >= 2, each, np.nan) for each in (low, high, error))
    return Bands(estimate, low, high, error, n)


def _at(ascending: Floats, count: npt.NDArray[np.int64], level: float) -> Floats:
    """[...] quantile along axis 0 of the first `count` values: `np.nanquantile`, a hundred times as fast."""
    place = level * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    pair = np.stack([below, np.minimum(below + 1, np.maximum(count - 1, 0))])
    first, second = np.take_along_axis(ascending, pair, axis=0)
    found: Floats = first + (second - first) * (place - below)
    return found
