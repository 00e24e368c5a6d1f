"""Baselines that never play: what they put out is known before the first online episode."""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.baselines import behaviour_cloning, offline_pessimism
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.environments.base import Environment
from kl_derail.hybrid.experiment.worlds import Measured, Method
from kl_derail.hybrid.oracles.base import Oracle

BASELINES = ("lcb", "cloning")


def flat(
    environment: Environment,
    oracle: Oracle,
    method: Method,
    policy: Floats,
    objective: str,
    checkpoints: Ints,
    rng: np.random.Generator,
) -> Measured:
    """Curves of a baseline: the gap stays as it is, regret grows by it every episode.

    Args:
        environment: where the data come from.
        oracle: that has seen nothing; for "lcb".
        method: "lcb" or "cloning", and N0.
        policy: that the data come from.
        objective: "suboptimality" or "regret".
        checkpoints: [K] online episodes.
        rng: of the data.
    """
    data = collect(environment, policy, method.n_offline, rng)
    if method.algorithm == "lcb":
        gap = offline_pessimism(environment, oracle, data).output_gap
    else:
        gap = behaviour_cloning(environment, data).output_gap
    if objective == "regret":
        return Measured(regret=gap * checkpoints.astype(np.float64))
    gaps = np.full(len(checkpoints), gap)
    return Measured(gap=gaps, gap_mean=gaps)
