"""The world "mountain-car": a discounted model of the car on a grid.

What a policy loses is the chance that it misses the goal: the gap is the share of episodes of the
output policy that do not arrive, regret counts the episodes played that did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled import mountain_car as compiled
from kl_derail.hybrid.compiled.discounted import Model, Rule, empty_model, solve
from kl_derail.hybrid.concentrability.recorded import Reference, optimal_actions
from kl_derail.hybrid.environments.mountain_car import (
    ACTIONS,
    Course,
    draw_starts,
    goal_rewards,
    gymnasium_start,
    sweep_order,
)
from kl_derail.hybrid.experiment.worlds import (
    Built,
    Experiment,
    Measured,
    Method,
    Published,
    World,
)

DRIVEN = 500
"""Episodes stored of the optimal policy and of each behaviour, for coverage."""

SCALE = 0.2
"""Bonus scale beta, published; the offline behaviours always have it."""


@dataclass(frozen=True)
class MountainCarOptions:
    """The episode, the values and the offline behaviours."""

    bins: int = option(30, "cells a side of the grid over position and velocity", minimum=2)
    steps: int = option(200, "limit of an episode", minimum=1)
    start: Literal["uniform", "fixed"] = option(
        "uniform", "start of an episode: drawn from [-0.6, -0.4], or always gymnasium's of seed 0"
    )
    last_step_counts: bool = option(True, "an arrival at the very last step is one")
    discount: float = option(0.99, "gamma", above=0, below=1)
    sweeps: Literal["converged", "synchronous"] = option(
        "converged", "fast sweeps to the fixed point, or plain value iteration"
    )
    tolerance: float = option(
        1e-6,
        "change of a value at which sweeps end; errors are at most gamma / (1 - gamma) times that",
        above=0,
    )
    greedy: Literal["clipped", "unclipped"] = option(
        "clipped",
        "whether the output is greedy for pessimistic action values after they are raised to 0, as "
        "published (where all of a state are 0 the first action is taken), or before",
    )
    evaluations: int = option(10, "starts from which the output policy is judged", minimum=1)
    behaviour_seed: int = option(0, "seed of the offline behaviours", minimum=0)
    behaviour_episodes: int = option(10_000, "recorded episodes of each behaviour", minimum=1)


class Car(NamedTuple):
    """Mountain Car with the recorded behaviours.

    Attributes:
        course: rules of an episode.
        rule: of the values.
        fixed: the start where it is always the same, else None.
        tapes: bonus-seeking and reward-seeking episodes.
    """

    course: Course
    rule: Rule
    fixed: float | None
    tapes: tuple[compiled.Episodes, compiled.Episodes]


def build(options: MountainCarOptions) -> Built:
    """The car of the options; its behaviours are played anew, in seconds.

    Its arrays are what coverage needs: `concentrability.recorded.Reference`, learnt from all episodes of
    both behaviours; their occupancies; and some episodes of the model's optimal policy and of each.
    """
    course = Course(options.bins, options.steps, options.last_step_counts)
    synchronous = options.sweeps == "synchronous"
    unclipped = options.greedy == "unclipped"
    order = sweep_order(course)
    rule = Rule(options.discount, SCALE, options.tolerance, synchronous, order, unclipped)
    fixed = gymnasium_start() if options.start == "fixed" else None
    rng = np.random.default_rng(options.behaviour_seed)
    first, second = (starts(fixed, options.behaviour_episodes + 1, rng) for _ in range(2))
    tested = starts(fixed, DRIVEN + 1, rng)
    car = Car(course, rule, fixed, behaviours(course, rule, first, second))
    learnt = reference(car)
    optimal = compiled.new_tape(DRIVEN, course)
    compiled.repeat(optimal_actions(learnt), course, tested, optimal)
    occupancies = np.stack([occupancy(course, tape) for tape in car.tapes])
    episodes = [optimal, *(some_episodes(tape) for tape in car.tapes)]
    driven = {
        name: np.stack([getattr(each, name) for each in episodes]) for name in optimal._fields
    }
    model = {name: np.asarray(value) for name, value in learnt._asdict().items()}
    return Built(car, {"occupancies": occupancies, **model, **driven})


def reference(car: Car) -> Reference:
    """The model that all recorded episodes teach."""
    model = blank(car.course, car.rule)
    for tape in car.tapes:
        compiled.learn(model, car.rule, tape, np.arange(len(tape.lengths)))
    width, begun = int(model.width[0]), np.concatenate([tape.states[:, 0] for tape in car.tapes])
    successors, times = (
        each[..., :width].astype(np.int32) for each in (model.successors, model.times)
    )
    known = np.arange(width) < model.known[..., None]
    initial = np.bincount(begun, minlength=car.course.states) / len(begun)
    return Reference(
        np.where(known, successors, 0),
        np.where(known, times, 0),
        goal_rewards(car.course),
        initial,
        car.rule.discount,
    )


def some_episodes(tape: compiled.Episodes) -> compiled.Episodes:
    """DRIVEN episodes spread evenly over a tape in random order; with repetition where it has fewer."""
    spread = np.linspace(0, len(tape.lengths) - 1, DRIVEN).astype(np.int64)
    return compiled.Episodes(*(each[np.random.default_rng(0).permutation(spread)] for each in tape))


def starts(fixed: float | None, episodes: int, rng: np.random.Generator) -> Floats:
    """Start positions [episodes], drawn also where they are fixed."""
    drawn = draw_starts(episodes, rng)
    return drawn if fixed is None else np.full(episodes, fixed)


def behaviours(
    course: Course, rule: Rule, first: Floats, second: Floats
) -> tuple[compiled.Episodes, compiled.Episodes]:
    """Episodes that seek bonuses, from starts `first`, and then such that seek rewards, from `second`.

    The latter are greedy in the model that the former leave behind, which stays as it is.
    """
    model, rewards = blank(course, rule), goal_rewards(course)
    seeking = compiled.new_tape(len(first) - 1, course)
    explore = compiled.new_plan(0 * rewards, 1.0, -np.inf)
    none = compiled.new_audits(np.empty(0), course)
    compiled.play(model, explore, explore, rule, course, first, none, seeking)
    exploit = compiled.new_plan(rewards, 0.0, -np.inf)
    solve(model, exploit.aim, rule, exploit.values, exploit.policy)
    earning = compiled.new_tape(len(second) - 1, course)
    compiled.repeat(exploit.policy, course, second, earning)
    return seeking, earning


def blank(course: Course, rule: Rule) -> Model:
    """A model that has seen nothing."""
    return empty_model(course.states, ACTIONS, course.successors, rule)


def occupancy(course: Course, tape: compiled.Episodes) -> Floats:
    """Visits of states and actions an episode, [S, A]."""
    taken = np.arange(tape.actions.shape[1]) < tape.lengths[:, None] - 1
    visits = np.zeros((course.states, ACTIONS))
    np.add.at(visits, (tape.states[taken], tape.actions[taken]), 1 / len(tape.lengths))
    return visits


def share(spelt: str) -> float:
    """Share of reward-seeking episodes that a behaviour "weight:SHARE" names."""
    name, _, number = spelt.partition(":")
    try:
        if name == "weight" and 0 <= float(number) <= 1:
            return float(number)
    except ValueError:
        pass
    raise UserError(f"behaviours: found {spelt}, allowed weight:SHARE, of reward-seeking, 0 to 1")


def check(car: Car, experiment: Experiment, method: Method) -> None:
    """UserError where the bonus, the behaviour or N0 is none that Mountain Car has."""
    if experiment.bonus != "published":
        raise UserError(f"bonus: found {experiment.bonus}, Mountain Car allows published")
    if method.behaviour:
        wanted_episodes(car, method)


def trial(
    car: Car,
    experiment: Experiment,
    method: Method,
    checkpoints: Ints,
    data_rng: np.random.Generator,
    online_rng: np.random.Generator,
) -> Measured:
    """One method in one trial."""
    rule = car.rule._replace(scale=experiment.scale)
    model, rewards = blank(car.course, rule), goal_rewards(car.course)
    for tape, chosen in zip(car.tapes, draw_episodes(car, method, data_rng), strict=True):
        compiled.learn(model, rule, tape, chosen)
    judged = starts(car.fixed, experiment.options.evaluations, online_rng)
    output, regret = compiled.new_plan(rewards, -1.0, 0.0), experiment.objective == "regret"
    if method.algorithm == "lcb":
        audits = compiled.new_audits(judged, car.course)
        solve(model, output.aim, rule, output.values, output.policy)
        return _flat(1 - compiled.audit(output.policy, car.course, audits), checkpoints, regret)
    audits = compiled.new_audits(judged[: 0 if regret else None], car.course)
    explore = compiled.new_plan(rewards if regret else 0 * rewards, 1.0, -np.inf)
    begins, tape = starts(car.fixed, experiment.episodes + 1, online_rng), no_tape(car.course)
    outcome = compiled.play(model, explore, output, rule, car.course, begins, audits, tape)
    return _measured(outcome, checkpoints, regret)


def no_tape(course: Course) -> compiled.Episodes:
    """A tape that records nothing."""
    return compiled.new_tape(0, course)


def draw_episodes(car: Car, method: Method, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Numbers of the offline episodes from each tape, without replacement."""
    recorded = len(car.tapes[0].lengths)
    first, later = (rng.permutation(recorded)[:count] for count in wanted_episodes(car, method))
    return first, later


def wanted_episodes(car: Car, method: Method) -> tuple[int, int]:
    """How many offline episodes a method takes from each tape.

    Raises:
        UserError: a tape has fewer.
    """
    second = round(share(method.behaviour) * method.n_offline) if method.n_offline else 0
    wanted, recorded = (method.n_offline - second, second), len(car.tapes[0].lengths)
    if max(wanted) > recorded:
        raise UserError(
            f"N0 = {method.n_offline} of {method.behaviour} needs {max(wanted)} episodes of one "
            f"behaviour, recorded are {recorded}; raise --behaviour_episodes"
        )
    return wanted


def _measured(outcome: compiled.Outcome, checkpoints: Ints, regret: bool) -> Measured:
    at = checkpoints - 1
    if regret:
        return Measured(regret=np.cumsum(1 - outcome.arrived)[at])
    gap = 1 - outcome.share
    return Measured(
        gap=gap[at],
        gap_mean=np.cumsum(gap)[at] / checkpoints,
        uncertainty=np.cumsum(outcome.value**2)[at],
    )


def _flat(gap: float, checkpoints: Ints, regret: bool) -> Measured:
    if regret:
        return Measured(regret=np.float64(gap) * checkpoints)
    gaps = np.full(len(checkpoints), gap)
    return Measured(gap=gaps, gap_mean=gaps)


PUBLISHED = Published(
    behaviours=("weight:0", "weight:0.5", "weight:1"),
    sized="weight:0.5",
    scale=SCALE,
    trials=10,
    n_offline=MappingProxyType({"suboptimality": 2000, "regret": 1000}),
    sizes=MappingProxyType({"suboptimality": (0, 2000, 4000), "regret": (0, 1000, 2000)}),
    episodes=MappingProxyType(
        {
            (objective, comparison): 20_000
            for objective in ("suboptimality", "regret")
            for comparison in ("behaviours", "sizes")
        }
    ),
)
PRESETS = MappingProxyType(
    {
        "published": {
            "start": "fixed",
            "last_step_counts": False,
            "sweeps": "synchronous",
            "tolerance": 0.01,
            "evaluations": 1,
        }
    }
)
WORLD = World(MountainCarOptions, PUBLISHED, build, check, trial, (), ("lcb",), PRESETS)
