"""The world "tabular": random finite-horizon MDPs, or one given by its arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.hybrid import bonuses, policies
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.baselines import EPSILON
from kl_derail.hybrid.compiled import tabular as compiled
from kl_derail.hybrid.environments.tabular import TabularMDP, random_mdp
from kl_derail.hybrid.experiment import offline
from kl_derail.hybrid.experiment.behaviours import policy
from kl_derail.hybrid.experiment.folder import load_arrays
from kl_derail.hybrid.experiment.worlds import (
    Built,
    Experiment,
    Measured,
    Method,
    Published,
    World,
    measured,
    refuse_unused,
)
from kl_derail.hybrid.oracles.tabular import TabularOracle, bernstein, hoeffding, published
from kl_derail.hybrid.sampling import cumulative

ARRAYS = ("transitions", "rewards", "initial")


@dataclass(frozen=True)
class TabularOptions:
    """The MDP."""

    environment: Path | None = option(
        None, "file (.safetensors, .npz) of transitions [H,S,A,S], rewards [H,S,A], initial [S]"
    )
    environment_seed: int = option(0, "seed of the random MDP where no file is given", minimum=0)
    horizon: int = option(3, "H of the random MDP", minimum=1)
    states: int = option(5, "S of the random MDP", minimum=1)
    actions: int = option(10, "A of the random MDP", minimum=1)
    concentration: Literal["hoeffding", "bernstein"] = option(
        "hoeffding", "inequality behind the valid bonuses"
    )


def build(options: TabularOptions) -> Built:
    """The MDP of the options; its rewards must lie in [0, 1]."""
    if options.environment is None:
        rng = np.random.default_rng(options.environment_seed)
        mdp = random_mdp(rng, options.horizon, options.states, options.actions)
    else:
        unused = ("environment_seed", "horizon", "states", "actions")
        refuse_unused(options, unused, "with --environment")
        arrays = load_arrays(options.environment, ARRAYS)
        mdp = TabularMDP(arrays["transitions"], arrays["rewards"], arrays["initial"])
    if mdp.rewards.min() < 0 or mdp.rewards.max() > 1:
        raise UserError("rewards: the tabular experiments expect mean rewards in [0, 1]")
    return Built(mdp, {name: getattr(mdp, name) for name in ARRAYS})


def behaviour(mdp: TabularMDP, spelt: str) -> Floats:
    """The offline policy [H, S, A]; softmax:SCALE is by its own action values."""
    return policy(mdp, spelt, policies.softmax_values)


def check(mdp: TabularMDP, experiment: Experiment, method: Method) -> None:
    """UserError where the behaviour is misspelt, or an inequality is named that no bonus uses."""
    if experiment.bonus != "valid":
        refuse_unused(experiment.options, ("concentration",), "without --bonus valid")
    if method.behaviour:
        behaviour(mdp, method.behaviour)


def trial(
    mdp: TabularMDP,
    experiment: Experiment,
    method: Method,
    checkpoints: Ints,
    data_rng: np.random.Generator,
    online_rng: np.random.Generator,
) -> Measured:
    """One method in one trial."""
    played = behaviour(mdp, method.behaviour or "uniform")
    if method.algorithm in offline.BASELINES:
        given = (mdp, oracle(mdp, experiment), method, played, experiment.objective)
        return offline.flat(*given, checkpoints, data_rng)
    curves = compiled.run_trial(
        tables(mdp),
        rule(mdp.shape, experiment, method),
        cumulative(played).reshape(-1, mdp.actions),
        method.n_offline,
        checkpoints,
        data_rng,
        online_rng,
    )
    return measured(curves, experiment.objective)


def oracle(mdp: TabularMDP, experiment: Experiment) -> TabularOracle:
    """The readable oracle that an experiment's kernel must agree with."""
    valid = {"hoeffding": hoeffding, "bernstein": bernstein}[experiment.options.concentration]
    is_valid = experiment.bonus == "valid"
    return TabularOracle(
        mdp.shape,
        valid(experiment.delta) if is_valid else published(experiment.scale),
        rewards=mdp.rewards,
        initial=mdp.initial,
        reward_range=(0.0, 1.0) if is_valid else None,
        running=not is_valid,
    )


def tables(mdp: TabularMDP) -> compiled.Tables:
    """The MDP as the kernel reads it."""
    horizon, states, actions = mdp.shape
    return compiled.Tables(
        initial=mdp.initial,
        transitions=mdp.transitions.reshape(horizon, -1, states),
        rewards=mdp.rewards.reshape(horizon, -1),
        first=cumulative(mdp.initial)[None],
        following=cumulative(mdp.transitions).reshape(-1, states),
        optimal=policies.optimal(mdp) + actions * np.arange(states),
        identity=np.eye(actions),
    )


def rule(shape: tuple[int, int, int], experiment: Experiment, method: Method) -> compiled.Rule:
    """Objective, bonuses by visits and clipping, as the kernel reads them."""
    horizon, states, actions = shape
    visits = np.arange(method.n_offline + experiment.episodes + 1)
    fitted = method.algorithm == "hy-q"
    valid = experiment.bonus == "valid" and not fitted
    left, epsilon = np.arange(horizon, 0.0, -1.0), EPSILON if fitted else 0.0
    base, slope = _shares(visits, states, horizon * states * actions, experiment)
    mixture = (1 - epsilon) * np.eye(actions) + epsilon / actions
    return compiled.Rule(
        regret=experiment.objective == "regret",
        reward_weight=float(fitted or experiment.objective == "regret"),
        span=np.zeros(horizon) if fitted else left - 1 if valid else np.ones(horizon),
        base=base,
        slope=slope,
        ceiling=left if valid else np.full(horizon, np.inf),
        running=not (valid or fitted),
        unseen=0.0 if fitted else 1 / states,
        random=fitted,
        mixture=mixture,
        choice=cumulative(mixture),
    )


def _shares(visits: Ints, states: int, cells: int, experiment: Experiment) -> tuple[Floats, Floats]:
    """Bonus of n visits as a share of its span: base + slope x deviation, both [N + 1]."""
    flat = np.zeros(len(visits))
    if experiment.bonus == "published":
        return bonuses.published(visits, experiment.scale), flat
    if experiment.options.concentration == "hoeffding":
        return bonuses.hoeffding(visits, 1.0, states, cells, experiment.delta), flat
    return _bernstein(visits, states, cells, experiment.delta)


def _bernstein(visits: Ints, states: int, cells: int, delta: float) -> tuple[Floats, Floats]:
    """Empirical Bernstein bonus of span 1 as base + slope x deviation; see `bonuses.bernstein`."""
    slope, constant = bonuses.bernstein_terms(visits, states + 1, cells, delta)
    return np.minimum(1.0, constant), slope  # so that a cell never visited has the whole span


PUBLISHED = Published(
    behaviours=("optimal", "softmax:2", "uniform"),
    sized="softmax:2",
    scale=math.sqrt(15),
    trials=100,
    n_offline=MappingProxyType({"suboptimality": 1000, "regret": 1000}),
    sizes=MappingProxyType({"suboptimality": (0, 500, 1000), "regret": (0, 500, 1000, 2000)}),
    episodes=MappingProxyType(
        {
            ("suboptimality", "behaviours"): 20_000,
            ("suboptimality", "sizes"): 20_000,
            ("regret", "behaviours"): 20_000,
            ("regret", "sizes"): 20_000,
        }
    ),
)
WORLD = World(
    TabularOptions, PUBLISHED, build, check, trial, ("environment",), ("lcb", "cloning", "hy-q")
)
