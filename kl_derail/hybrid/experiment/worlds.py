"""The worlds of `kl-derail hybrid run`: each is one module that says how to build it and how to run a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError, did_you_mean
from kl_derail.hybrid.arrays import Floats, Ints

MODULES = {
    "tabular": "kl_derail.hybrid.experiment.tabular",
    "bandit": "kl_derail.hybrid.experiment.bandit",
    "movielens": "kl_derail.hybrid.experiment.movielens",
    "mountain-car": "kl_derail.hybrid.experiment.mountain_car",
}
"""Each module has a constant WORLD; it is imported when its world is asked for."""


class Method(NamedTuple):
    """One curve of an experiment.

    Attributes:
        label: name in the log and in the legend: "rho1", "N0=500", "online", "offline LCB".
        algorithm: "hybrid", or a baseline: "lcb", "cloning", "hy-q".
        behaviour: offline policy as the world spells it, e.g. "softmax:2"; empty where n_offline = 0.
        n_offline: N0, offline episodes (bandits: observations).
    """

    label: str
    algorithm: str
    behaviour: str
    n_offline: int


@dataclass(frozen=True)
class Experiment:
    """All that the numbers of an experiment depend on, except how many trials there are.

    Attributes:
        world: key of `MODULES`.
        objective: "suboptimality" or "regret".
        comparison: "behaviours" (at one N0) or "sizes" (of one behaviour).
        methods: the curves; they share the random numbers of each trial.
        episodes: N1.
        bonus: "published", or "valid" (a theorem holds with probability 1 - delta).
        scale: bonus scale beta of the published rule.
        delta: failure probability of the valid bonuses.
        seed: of the trials.
        options: the world's own options.
    """

    world: str
    objective: str
    comparison: str
    methods: tuple[Method, ...]
    episodes: int
    bonus: str
    scale: float
    delta: float
    seed: int
    options: Any


class Measured(NamedTuple):
    """A method's curves at the checkpoints of a trial, each [K] or None; see `log.TrialCurve`."""

    gap: Floats | None = None
    gap_mean: Floats | None = None
    regret: Floats | None = None
    uncertainty: Floats | None = None


def measured(curves: Floats, objective: str) -> Measured:
    """What an objective logs of a kernel's curves [4, K]: gap, its mean, regret, uncertainty."""
    gap, gap_mean, regret, uncertainty = curves
    if objective == "regret":
        return Measured(regret=regret, uncertainty=uncertainty)
    return Measured(gap=gap, gap_mean=gap_mean, uncertainty=uncertainty)


class Built(NamedTuple):
    """An environment, ready for trials.

    Attributes:
        environment: what `World.trial` gets; it travels to worker processes.
        arrays: what concentrability needs, by name; written beside the log, part of the fingerprint.
        note: printed with all results, e.g. "synthetic stand-in"; mostly empty.
    """

    environment: Any
    arrays: Mapping[str, npt.NDArray[Any]]
    note: str = ""


class Published(NamedTuple):
    """The study's settings of one world; mappings are by objective, or by (objective, comparison)."""

    behaviours: tuple[str, ...]
    sized: str
    scale: float
    trials: int
    n_offline: Mapping[str, int]
    sizes: Mapping[str, tuple[int, ...]]
    episodes: Mapping[tuple[str, str], int]


Trial = Callable[
    [Any, Experiment, Method, Ints, np.random.Generator, np.random.Generator], Measured
]


class World(NamedTuple):
    """What a module must say about its world.

    Attributes:
        options: dataclass of the world's own options (`kl_derail.config.option`), maybe empty.
        published: the study's settings.
        build: from the world's options to the environment.
        check: UserError where a method cannot be run, e.g. a behaviour is misspelt: (environment,
            experiment, method) -> anything.
        trial: (environment, experiment, method, checkpoints [K], offline generator, online
            generator) -> curves. Runs in worker processes: a function of a module.
        sources: options that say where the environment comes from, not what it is.
        baselines: algorithms besides "hybrid" that `trial` knows.
        presets: named values of options, e.g. "published".
    """

    options: type
    published: Published
    build: Callable[[Any], Built]
    check: Callable[[Any, Experiment, Method], object]
    trial: Trial
    sources: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, object]] = MappingProxyType({})


def refuse_unused(options: Any, names: Sequence[str], reason: str) -> None:
    """UserError where one of the options has another value than its default, but no effect.

    Args:
        options: dataclass of options.
        names: of those without effect.
        reason: why they have none, e.g. "with --environment".
    """
    for name in names:
        found, default = getattr(options, name), getattr(type(options)(), name)
        if found != default:
            raise UserError(f"{name}: found {found}, which has no effect {reason}; leave it out")


def world(name: str) -> World:
    """The world of that name."""
    if name not in MODULES:
        raise UserError(
            f"world: found {name}, allowed {', '.join(MODULES)}{did_you_mean(name, MODULES)}"
        )
    found: World = import_module(MODULES[name]).WORLD
    return found
