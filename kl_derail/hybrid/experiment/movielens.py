"""The world "movielens": ratings as a bandit with one model per film, or one given by its factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.hybrid.compiled import arms as compiled
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.movielens import (
    Ratings,
    download,
    load_ratings,
    movielens_bandit,
    synthetic_ratings,
)
from kl_derail.hybrid.experiment import contextual, offline
from kl_derail.hybrid.experiment.folder import load_arrays
from kl_derail.hybrid.experiment.worlds import (
    Built,
    Experiment,
    Published,
    World,
    refuse_unused,
)
from kl_derail.hybrid.oracles.arms import ArmsOracle
from kl_derail.hybrid.oracles.linear import constant, elliptical
from kl_derail.hybrid.sampling import cumulative

ARRAYS = ("users", "items", "contexts")
SOURCES = ("ratings", "download", "factors")
RIDGE = 1.0
SYNTHETIC = "synthetic"
STAND_IN = "synthetic stand-in for MovieLens: no real ratings"


@dataclass(frozen=True)
class MovieLensOptions:
    """Where ratings or factors come from: one of the first three."""

    ratings: str | None = option(
        None, "file of ratings (u.data, ratings.csv), or synthetic: a stand-in without real ratings"
    )
    download: Path | None = option(
        None, "folder to fetch MovieLens-100K into, from GroupLens; its licence is yours to keep"
    )
    factors: Path | None = option(
        None, "file (.safetensors, .npz) of factors: users [S,D], items [A,D], contexts [S]"
    )
    environment_seed: int = option(0, "seed of the factors and of the choice of films", minimum=0)
    films: int = option(20, "A, films drawn as arms", minimum=1)
    dimension: int = option(3, "D, non-negative factors", minimum=1)
    noise: float = option(1.0, "half-width of the uniform noise of rewards", minimum=0)


def build(options: MovieLensOptions) -> Built:
    """The bandit of the options.

    Raises:
        UserError: not exactly one source was named, or it is broken.
    """
    named = [name for name in SOURCES if getattr(options, name)]
    if len(named) != 1:
        raise UserError(
            f"movielens: found {' and '.join(named) or 'no ratings'}; name one of --ratings FILE, "
            "--download FOLDER, --factors FILE, or --ratings synthetic for a labelled stand-in"
        )
    bandit = _bandit(options)
    stored = {name: getattr(bandit, name) for name in ARRAYS}
    note = STAND_IN if options.ratings == SYNTHETIC else ""
    return Built(bandit, {**stored, "noise": np.array(bandit.noise)}, note)


def _bandit(options: MovieLensOptions) -> ArmsBandit:
    if options.factors is not None:
        refuse_unused(options, ("environment_seed", "films", "dimension"), "with --factors")
        return ArmsBandit(**load_arrays(options.factors, ARRAYS), noise=options.noise)
    return movielens_bandit(
        _ratings(options),
        options.environment_seed,
        films=options.films,
        dimension=options.dimension,
        noise=options.noise,
    )


def _ratings(options: MovieLensOptions) -> Ratings:
    if options.ratings == SYNTHETIC:
        return synthetic_ratings(np.random.default_rng(options.environment_seed))
    return load_ratings(
        download(options.download) if options.download else Path(options.ratings or "")
    )


def oracle(bandit: ArmsBandit, experiment: Experiment) -> ArmsOracle:
    """The readable oracle that an experiment's kernel must agree with."""
    valid, arms = experiment.bonus == "valid", len(bandit.items)
    radius = elliptical(bandit.noise, _norm(bandit), experiment.delta / arms)
    return ArmsOracle(
        bandit.users,
        arms,
        bandit.contexts,
        radius if valid else constant(experiment.scale),
        ridge=RIDGE,
        running=not valid,
    )


def problem(bandit: ArmsBandit) -> compiled.Problem:
    """The bandit as the kernel reads it."""
    rewards = bandit.rewards.T
    return compiled.Problem(
        users=np.ascontiguousarray(bandit.users.T),
        losses=np.ascontiguousarray(rewards.max(axis=0) - rewards),
        rewards=np.ascontiguousarray(rewards),
        contexts=bandit.contexts,
        first=cumulative(bandit.contexts)[None],
        noise=float(bandit.noise),
    )


def rule(bandit: ArmsBandit, experiment: Experiment) -> compiled.Rule:
    """Objective and bonuses as the kernel reads them; the valid radius knows the largest ||v||."""
    return compiled.Rule(
        regret=experiment.objective == "regret",
        scale=experiment.scale if experiment.bonus == "published" else 0.0,
        delta=experiment.delta / len(bandit.items),
        norm=_norm(bandit),
        ridge=RIDGE,
    )


def _norm(bandit: ArmsBandit) -> float:
    return float(np.linalg.norm(bandit.items, axis=1).max())


PUBLISHED = Published(
    behaviours=("optimal", "softmax:5", "uniform"),
    sized="softmax:5",
    scale=10.0,
    trials=50,
    n_offline=MappingProxyType({"suboptimality": 4000, "regret": 4000}),
    sizes=MappingProxyType(
        {"suboptimality": (0, 2000, 4000, 8000), "regret": (0, 2000, 4000, 8000)}
    ),
    episodes=MappingProxyType(
        {
            (objective, comparison): 50_000
            for objective in ("suboptimality", "regret")
            for comparison in ("behaviours", "sizes")
        }
    ),
)
trial = partial(contextual.run_trial, contextual.Parts(oracle, problem, rule, compiled.run_trial))
WORLD = World(
    MovieLensOptions, PUBLISHED, build, contextual.check, trial, SOURCES, offline.BASELINES
)
