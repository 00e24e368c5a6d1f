"""What the worlds of contextual bandits share: how behaviours are spelt, and how a trial goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kl_derail.hybrid import policies
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.experiment import offline
from kl_derail.hybrid.experiment.behaviours import policy
from kl_derail.hybrid.experiment.worlds import Experiment, Measured, Method, measured
from kl_derail.hybrid.oracles.base import Oracle
from kl_derail.hybrid.sampling import cumulative


class Parts(NamedTuple):
    """What a world of bandits brings; each is a function of (bandit, experiment), or named otherwise.

    Attributes:
        oracle: the readable oracle, for baselines.
        problem: bandit to the kernel's arrays.
        rule: objective and bonuses as the kernel reads them.
        run: the kernel: (problem, rule, cumulative policy [S, A], N0, checkpoints [K], offline
            generator, online generator) -> curves [4, K].
    """

    oracle: Callable[[Any, Experiment], Oracle]
    problem: Callable[[Any], Any]
    rule: Callable[[Any, Experiment], Any]
    run: Callable[..., Floats]


def behaviour(bandit: LinearBandit | ArmsBandit, spelt: str) -> Floats:
    """The offline policy [S, A]; softmax:SCALE is by mean rewards."""
    return policy(bandit, spelt, policies.softmax_rewards)


def check(bandit: LinearBandit | ArmsBandit, _: Experiment, method: Method) -> None:
    """UserError where the behaviour is misspelt."""
    if method.behaviour:
        behaviour(bandit, method.behaviour)


def run_trial(
    parts: Parts,
    bandit: LinearBandit | ArmsBandit,
    experiment: Experiment,
    method: Method,
    checkpoints: Ints,
    data_rng: np.random.Generator,
    online_rng: np.random.Generator,
) -> Measured:
    """One method in one trial; see `worlds.World`."""
    played = behaviour(bandit, method.behaviour or "uniform")
    if method.algorithm in offline.BASELINES:
        given = (bandit, parts.oracle(bandit, experiment), method, played, experiment.objective)
        return offline.flat(*given, checkpoints, data_rng)
    curves = parts.run(
        parts.problem(bandit),
        parts.rule(bandit, experiment),
        cumulative(played),
        method.n_offline,
        checkpoints,
        data_rng,
        online_rng,
    )
    return measured(curves, experiment.objective)
