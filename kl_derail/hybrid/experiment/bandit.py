"""The world "bandit": random linear contextual bandits, or one given by its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kl_derail.config import option
from kl_derail.hybrid.compiled import linear as compiled
from kl_derail.hybrid.environments.bandit import LinearBandit, random_bandit
from kl_derail.hybrid.experiment import contextual, offline
from kl_derail.hybrid.experiment.folder import load_arrays
from kl_derail.hybrid.experiment.worlds import (
    Built,
    Experiment,
    Published,
    World,
    refuse_unused,
)
from kl_derail.hybrid.oracles.linear import LinearOracle, constant, elliptical
from kl_derail.hybrid.sampling import cumulative

ARRAYS = ("features", "theta", "contexts")
SOURCES = ("environment",)
RIDGE = 1.0


@dataclass(frozen=True)
class BanditOptions:
    """The bandit."""

    environment: Path | None = option(
        None, "file (.safetensors, .npz) of features [S,A,D], theta [D], contexts [S]"
    )
    environment_seed: int = option(0, "seed of the random bandit where no file is given", minimum=0)
    contexts: int = option(20, "S of the random bandit", minimum=1)
    arms: int = option(100, "A of the random bandit", minimum=1)
    dimension: int = option(10, "D of the random bandit", minimum=1)
    noise: float = option(1.0, "half-width of the uniform noise of rewards", minimum=0)


def build(options: BanditOptions) -> Built:
    """The bandit of the options."""
    if options.environment is None:
        rng = np.random.default_rng(options.environment_seed)
        sizes = (options.contexts, options.arms, options.dimension)
        bandit = random_bandit(rng, *sizes, options.noise)
    else:
        unused = ("environment_seed", "contexts", "arms", "dimension")
        refuse_unused(options, unused, "with --environment")
        arrays = load_arrays(options.environment, ARRAYS)
        bandit = LinearBandit(**arrays, noise=options.noise)
    stored = {name: getattr(bandit, name) for name in ARRAYS}
    return Built(bandit, {**stored, "noise": np.array(bandit.noise)})


def oracle(bandit: LinearBandit, experiment: Experiment) -> LinearOracle:
    """The readable oracle that an experiment's kernel must agree with."""
    valid, regret = experiment.bonus == "valid", experiment.objective == "regret"
    norm = float(np.linalg.norm(bandit.theta))
    return LinearOracle(
        bandit.features,
        bandit.contexts,
        elliptical(bandit.noise, norm, experiment.delta) if valid else constant(experiment.scale),
        ridge=RIDGE,
        exploration=None if valid else experiment.scale if regret else 1.0,
    )


def problem(bandit: LinearBandit) -> compiled.Problem:
    """The bandit as the kernel reads it."""
    return compiled.Problem(
        features=np.ascontiguousarray(bandit.features.transpose(0, 2, 1)),
        rewards=bandit.rewards,
        contexts=bandit.contexts,
        first=cumulative(bandit.contexts)[None],
        noise=float(bandit.noise),
    )


def rule(bandit: LinearBandit, experiment: Experiment) -> compiled.Rule:
    """Objective and bonuses as the kernel reads them; the valid radius knows ||theta||."""
    return compiled.Rule(
        regret=experiment.objective == "regret",
        scale=experiment.scale if experiment.bonus == "published" else 0.0,
        delta=experiment.delta,
        norm=float(np.linalg.norm(bandit.theta)),
        ridge=RIDGE,
    )


PUBLISHED = Published(
    behaviours=("optimal", "softmax:5", "softmax:-10"),
    sized="softmax:5",
    scale=5.0,
    trials=100,
    n_offline=MappingProxyType({"suboptimality": 2000, "regret": 2000}),
    sizes=MappingProxyType(
        {"suboptimality": (0, 1000, 2000, 4000), "regret": (0, 1000, 2000, 4000)}
    ),
    episodes=MappingProxyType(
        {
            ("suboptimality", "behaviours"): 10_000,
            ("suboptimality", "sizes"): 50_000,
            ("regret", "behaviours"): 20_000,
            ("regret", "sizes"): 20_000,
        }
    ),
)
trial = partial(contextual.run_trial, contextual.Parts(oracle, problem, rule, compiled.run_trial))
WORLD = World(BanditOptions, PUBLISHED, build, contextual.check, trial, SOURCES, offline.BASELINES)
