"""Side by side in one run: our compiled trials against straightforward vectorised NumPy, an episode of each.

    python benchmarks/hybrid.py [--repeats 7] [--out results/benchmarks]

The rivals are our own reading of the published rules (arXiv 2505.13768), as one would first write them: dense
arrays, nothing kept from one episode to the next but counts. They log what ours log, and lie near the published
code's own cost of an episode (PUBLISHED below). Both sides take turns on one core; only ratios count.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numba
import numpy as np

from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.mountain_car import cell
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.experiment.mountain_car import Car
from kl_derail.hybrid.experiment.run import run_trial
from kl_derail.hybrid.experiment.worlds import Experiment, Method, world
from kl_derail.plumbing.markdown import table

PUBLISHED = {
    "tabular": 0.40e-3,
    "bandit suboptimality": 0.5e-3,
    "bandit regret": 0.05e-3,
    "mountain-car": 20e-3,
}
"""Seconds an episode (bandits: a step) of the published code."""

ONLINE = Method("online", "hybrid", "", 0)


class Case(NamedTuple):
    """One line of the table.

    Attributes:
        name: key of PUBLISHED, or it is the beginning of the name.
        rival: endless episodes; the first is not timed.
        rival_episodes: of a repeat.
        ours: trials of our side.
        episodes: of a repeat of ours.
    """

    name: str
    rival: Callable[[], Iterator[Any]]
    rival_episodes: int
    ours: Callable[[int], None]
    episodes: int


def tabular(mdp: TabularMDP, regret: bool, scale: float) -> Iterator[float]:
    """A gap an episode: of the output policy, or of the policy played."""
    horizon, states, _ = mdp.shape
    rng, counts = np.random.default_rng(0), np.zeros((*mdp.shape, states))
    pessimist = np.zeros(mdp.shape)
    while True:
        model, bonus = tabular_model(counts, scale)
        explorer = backup(model, mdp.rewards + bonus if regret else bonus)
        policy = explorer.argmax(axis=-1)
        state = rng.choice(states, p=mdp.initial)
        for h in range(horizon):
            action = policy[h, state]
            following = rng.choice(states, p=mdp.transitions[h, state, action])
            counts[h, state, action, following] += 1
            state = following
        if not regret:
            model, bonus = tabular_model(counts, scale)
            pessimist = backup(model, mdp.rewards - bonus, pessimist)
            policy = pessimist.argmax(axis=-1)
        yield tabular_gap(mdp, policy)


def tabular_model(counts: Any, scale: float) -> tuple[Any, Any]:
    """Estimated transitions and bonuses."""
    visits = counts.sum(axis=-1)
    seen = visits[..., None] > 0
    model = np.where(seen, counts / np.maximum(visits, 1)[..., None], 1 / counts.shape[-1])
    return model, np.where(visits > 0, np.minimum(1, scale / np.sqrt(np.maximum(visits, 1))), 1.0)


def backup(model: Any, immediate: Any, floor: Any = None) -> Any:
    """Action values by backward induction."""
    q = np.array(immediate)
    for h in reversed(range(len(q))):
        if h + 1 < len(q):
            q[h] += model[h] @ q[h + 1].max(axis=-1)
        if floor is not None:
            q[h] = np.maximum(q[h], floor[h])
    return q


def tabular_gap(mdp: TabularMDP, policy: Any) -> float:
    """V* - V^pi."""
    best = value = np.zeros(mdp.states)
    rows = np.arange(mdp.states)
    for h in reversed(range(mdp.horizon)):
        best = (mdp.rewards[h] + mdp.transitions[h] @ best).max(axis=-1)
        chosen = rows, policy[h]
        value = mdp.rewards[h][chosen] + mdp.transitions[h][chosen] @ value
    return float(mdp.initial @ (best - value))


def bandit(problem: LinearBandit, regret: bool, scale: float) -> Iterator[float]:
    """A gap a step: of the output policy, or of the arm played."""
    rng, features, rewards = np.random.default_rng(0), problem.features, problem.rewards
    precision, moment = np.eye(features.shape[-1]), np.zeros(features.shape[-1])
    widest, rows = np.ones(rewards.shape), np.arange(len(rewards))
    while True:
        context = rng.choice(len(rewards), p=problem.contexts)
        inverse = np.linalg.inv(precision)
        phi = features[context]
        width = np.sqrt(np.einsum("ad,de,ae->a", phi, inverse, phi))
        widest[context] = np.minimum(widest[context], scale * width if regret else width)
        score = phi @ (inverse @ moment) + widest[context] if regret else widest[context]
        arm = score.argmax()
        reward = rewards[context, arm] + problem.noise * rng.uniform(-1, 1)
        precision += np.outer(phi[arm], phi[arm])
        moment += reward * phi[arm]
        if regret:
            yield rewards[context].max() - rewards[context, arm]
            continue
        inverse = np.linalg.inv(precision)
        widths = np.sqrt(np.einsum("sad,de,sae->sa", features, inverse, features))
        output = (features @ (inverse @ moment) - scale * widths).argmax(axis=-1)
        yield float(problem.contexts @ (rewards.max(axis=-1) - rewards[rows, output]))


def mountain_car(car: Car, scale: float, tolerance: float = 0.01) -> Iterator[bool]:
    """Whether an episode of the output policy arrives; value iteration over dense transitions.

    As ours, it begins with N0 = 2000 offline episodes, half of each behaviour.
    """
    environment, goal = gymnasium.make("MountainCar-v0"), car.course.states - 1
    counts = np.zeros((goal + 1, 3, goal + 1))
    for tape in car.tapes:
        for states, actions, length in zip(*(column[:1000] for column in tape), strict=True):
            steps = states[: length - 1], actions[: length - 1], states[1:length]
            np.add.at(counts, steps, 1)
    visits = counts.sum(axis=-1, keepdims=True)
    model = np.where(visits > 0, counts / np.maximum(visits, 1), 1 / len(counts))
    rewards = np.zeros((goal + 1, 3))
    rewards[goal] = 1
    explorer, output = np.zeros(rewards.shape), np.zeros(rewards.shape)
    for episode in itertools.count():
        explorer = iterate(model, bonuses(counts, scale), explorer, tolerance, -np.inf)
        for state, action, following in drive(environment, explorer.argmax(axis=-1), episode, goal):
            counts[state, action, following] += 1
            model[state, action] = counts[state, action] / counts[state, action].sum()
        output = iterate(model, rewards - bonuses(counts, scale), output, tolerance, 0.0)
        path = drive(environment, output.argmax(axis=-1), episode, goal)
        yield path[-1][-1] == goal


def drive(environment: Any, policy: Any, seed: int, goal: int) -> list[tuple[int, int, int]]:
    """State, action, next state of each step of an episode."""
    seen, _ = environment.reset(seed=seed)
    state, path, done, cut = cell(*seen, 30), [], False, False
    while not (done or cut):
        seen, _, done, cut, _ = environment.step(policy[state])
        following = goal if done else cell(*seen, 30)
        path.append((state, policy[state], following))
        state = following
    return path


def bonuses(counts: Any, scale: float) -> Any:
    """min(1, scale / sqrt(n)), 1 where n = 0."""
    return np.minimum(1, scale / np.sqrt(np.maximum(counts.sum(axis=-1), 1e-9)))


def iterate(model: Any, immediate: Any, q: Any, tolerance: float, floor: float) -> Any:
    """Synchronous value iteration from q on, until no value changes by the tolerance."""
    while True:
        renewed = np.maximum(immediate + 0.99 * (model @ q.max(axis=-1)), floor)
        if np.abs(renewed - q).max() < tolerance:
            return renewed
        q = renewed


def cases() -> list[Case]:
    """What is measured, at the published sizes."""
    mdp, arms = (
        world(name).build(world(name).options()).environment for name in ("tabular", "bandit")
    )
    options = dataclasses.replace(world("mountain-car").options(), evaluations=1)
    car = world("mountain-car").build(options).environment
    found = []
    for objective in ("suboptimality", "regret"):
        regret, ours = objective == "regret", partial(prepared, "tabular", objective, 20_000)
        rival = partial(tabular, mdp, regret, 15**0.5)
        found.append(Case(f"tabular {objective}", rival, 300, ours(), 20_000))
    for objective, few, many in (("suboptimality", 200, 5_000), ("regret", 2_000, 20_000)):
        rival = partial(bandit, arms, objective == "regret", 5.0)
        ours = partial(prepared, "bandit", objective, many)
        found.append(Case(f"bandit {objective}", rival, few, ours(), many))
    offline = Method("N0=2000", "hybrid", "weight:0.5", 2000)
    ours = partial(prepared, "mountain-car", "suboptimality", 2_000, offline, options)
    return [
        *found,
        Case("mountain-car suboptimality", partial(mountain_car, car, 0.2), 20, ours(), 2_000),
    ]


def prepared(
    name: str,
    objective: str,
    episodes: int,
    method: Method = ONLINE,
    options: Any = None,
) -> Callable[[int], None]:
    """Our trials, so many of them."""
    chosen = world(name)
    own = options or chosen.options()
    built, scale = chosen.build(own), chosen.published.scale
    experiment = Experiment(
        name, objective, "sizes", (method,), episodes, "published", scale, 0.05, 0, own
    )

    def run(trials: int) -> None:
        for trial in range(trials):
            run_trial(built.environment, experiment, trial)

    return run


def seconds(call: Callable[[int], object], count: int) -> float:
    """Processor time of a call: both sides run on one core, and other work on the machine counts less."""
    start = time.process_time()
    call(count)
    return time.process_time() - start


def compare(case: Case, repeats: int) -> dict[str, Any]:
    """Medians an episode of each side, and quartiles of the ratio, the sides taking turns."""
    rival = case.rival()
    next(rival)
    case.ours(1)
    rival_s, ours_s = np.array(
        [
            (
                seconds(lambda n: list(islice(rival, n)), case.rival_episodes)
                / case.rival_episodes,
                seconds(case.ours, 1) / case.episodes,
            )
            for _ in range(repeats)
        ]
    ).T
    published = next(cost for name, cost in PUBLISHED.items() if case.name.startswith(name))
    low, middle, high = np.quantile(rival_s / ours_s, (0.25, 0.5, 0.75))
    return {
        "an episode of": case.name,
        "published [us]": 1e6 * published,
        "NumPy [us]": 1e6 * float(np.median(rival_s)),
        "NumPy, best [us]": 1e6 * float(rival_s.min()),
        "ours [us]": 1e6 * float(np.median(ours_s)),
        "ours, best [us]": 1e6 * float(ours_s.min()),
        "ratio": float(middle),
        "quartiles": f"{low:.3g} to {high:.3g}",
    }


def growth(name: str, objective: str, episodes: int, repeats: int) -> dict[str, Any]:
    """Log-log slopes of the cost in episodes and in trials: 1 is linear. Best of the repeats."""
    factors = np.array([1, 2, 4, 8])
    longer = [prepared(name, objective, int(factor * episodes)) for factor in factors]
    by_episodes = [min(seconds(run, 1) for _ in range(repeats)) for run in longer]
    by_trials = [min(seconds(longer[0], int(n)) for _ in range(repeats)) for n in factors]
    return {
        "cost of": f"{name} {objective}",
        "episodes": f"{episodes} to {8 * episodes}",
        "slope in episodes": float(np.polyfit(np.log(factors), np.log(by_episodes), 1)[0]),
        "slope in trials": float(np.polyfit(np.log(factors), np.log(by_trials), 1)[0]),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """A list of rows as a table."""
    cells = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return table(list(rows[0]), cells)


def positive(text: str) -> int:
    """Reads a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}, allowed whole numbers >= 1")
    return int(text)


def main() -> None:
    """Measure, print, and write `hybrid.json` and `hybrid.md` where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=positive, default=7)
    parser.add_argument("--out", type=Path, help="folder for hybrid.json and hybrid.md")
    options = parser.parse_args()
    setting = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "repeats": options.repeats,
    }
    costs = [compare(case, options.repeats) for case in cases()]
    slopes = [
        growth("tabular", "suboptimality", 10_000, options.repeats),
        growth("bandit", "regret", 5_000, options.repeats),
        growth("bandit", "suboptimality", 2_000, options.repeats),
    ]
    text = f"{setting}\n\n{markdown(costs)}\n\nGrowth\n\n{markdown(slopes)}\n"
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "hybrid.md").write_text(text)
        results = {"setting": setting, "costs": costs, "growth": slopes}
        (options.out / "hybrid.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
