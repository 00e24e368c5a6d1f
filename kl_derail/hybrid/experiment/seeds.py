"""Random streams: a trial's numbers depend on the experiment's seed and the trial, on nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Streams(NamedTuple):
    """Fresh generators of one trial; every method gets them alike (common random numbers)."""

    offline: np.random.Generator
    online: np.random.Generator


def streams(seed: int, trial: int) -> Streams:
    """Generators of a trial: those of `SeedSequence(seed).spawn(n)[trial].spawn(2)`, for any n."""
    child = np.random.SeedSequence(seed, spawn_key=(trial,))
    return Streams(*(np.random.default_rng(each) for each in child.spawn(2)))
