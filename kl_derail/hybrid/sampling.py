"""Draws by inverse CDF: one uniform number each, so that two implementations can follow one stream."""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid.arrays import Floats


def cumulative(probabilities: Floats) -> Floats:
    """Cumulative sums along the last axis, scaled so that the last one is exactly 1."""
    sums = np.cumsum(probabilities, axis=-1)
    return np.asarray(sums / sums[..., -1:], dtype=np.float64)


def draw(cumulative_K: Floats, rng: np.random.Generator) -> int:
    """The first index whose cumulative probability exceeds one uniform number.

    What has probability 0 is never drawn.
    """
    return int(np.searchsorted(cumulative_K, rng.random(), side="right"))


def uniform_noise(half_width: float, rng: np.random.Generator) -> float:
    """Uniform on [-half_width, half_width]; takes one number off the stream even for width 0."""
    return half_width * (2 * rng.random() - 1)
