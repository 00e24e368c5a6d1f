"""Large problems on the readable oracles: time and memory of S = 1000, A = 20 and of D = 200; drift of the inverse.

    python benchmarks/hybrid_scale.py [--episodes 300] [--updates 1000000] [--out results/benchmarks]

The tabular world has few successors per (s, a) and is never held as an array: transitions [H, S, A, S] would take
the bytes given as "dense". Each measurement runs in a process of its own on one thread, so that its peak memory is
its own; time is that of the processor, which a busy machine hardly changes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kl_derail.hybrid.agent import HybridAgent
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.bandit import random_bandit
from kl_derail.hybrid.environments.base import Environment
from kl_derail.hybrid.oracles import linear, tabular
from kl_derail.hybrid.oracles.ridge import Ridge
from kl_derail.plumbing.markdown import table
from kl_derail.plumbing.writing import replacing

STATES, ACTIONS, HORIZON, SUCCESSORS = 1000, 20, 10, 5
CONTEXTS, ARMS, DIMENSION = 20, 100, 200
MEBIBYTE = 2**20

Results = dict[str, float]


class SparseWorld(Environment):
    """S states, A actions; each (s, a) leads to one of a few successors, all alike."""

    fingerprint = "sparse world"

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._following: Ints = rng.integers(0, STATES, (STATES, ACTIONS, SUCCESSORS))
        self.rewards: Floats = np.tile(rng.random((STATES, ACTIONS)), (HORIZON, 1, 1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, S, A."""
        return HORIZON, STATES, ACTIONS

    def reset(self, rng: np.random.Generator) -> int:
        """Any state alike."""
        return int(rng.random() * STATES)

    def step(
        self, stage: int, state: int, action: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """One uniform number for the successor."""
        next_state = self._following[state, action, int(rng.random() * SUCCESSORS)]
        return float(self.rewards[stage, state, action]), int(next_state)


def large_mdp(episodes: int) -> Results:
    """Regret episodes of the hybrid agent, valid Bernstein bonuses, unknown starts."""
    world = SparseWorld(0)
    before = _peak()
    bonus = tabular.bernstein(0.05)
    oracle = tabular.TabularOracle(
        world.shape, bonus, rewards=world.rewards, reward_range=(0.0, 1.0)
    )
    seconds = _seconds(
        lambda: HybridAgent("regret").run(world, oracle, None, episodes, np.random.default_rng(1))
    )
    return {
        "CPU ms an episode": 1e3 * seconds / episodes,
        "MiB": _peak() - before,
        "dense MiB": HORIZON * STATES**2 * ACTIONS * 8 / MEBIBYTE,
    }


def large_bandit(steps: int) -> Results:
    """Regret steps of the hybrid agent, valid radius."""
    bandit = random_bandit(np.random.default_rng(0), CONTEXTS, ARMS, DIMENSION)
    before = _peak()
    radius = linear.elliptical(bandit.noise, 1.0, 0.05)
    oracle = linear.LinearOracle(bandit.features, bandit.contexts, radius)
    seconds = _seconds(
        lambda: HybridAgent("regret").run(bandit, oracle, None, steps, np.random.default_rng(1))
    )
    return {"CPU ms a step": 1e3 * seconds / steps, "MiB": _peak() - before}


def drift(updates: int, dimension: int = 10) -> Results:
    """Largest error of the inverse against an exact one, over the run, relative to its largest entry.

    It is read just before each exact solve, where it is at its worst. Unit features.
    """
    rng, model, worst = np.random.default_rng(0), Ridge(dimension), 0.0
    start = time.process_time()
    for update in range(1, updates + 1):
        phi = rng.standard_normal(dimension)
        model.update(phi / np.sqrt(phi @ phi), 0.0)
        if (update + 1) % model.resolve_every == 0:
            exact = np.linalg.inv(model.moment)
            worst = max(worst, float(np.abs(model.inverse - exact).max() / np.abs(exact).max()))
    return {"relative error": worst, "CPU s": time.process_time() - start}


def _seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE


def _apart(function: Callable[[int], Results], argument: int) -> Results:
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (argument,))


def positive(text: str) -> int:
    """Reads a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}, allowed whole numbers >= 1")
    return int(text)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--episodes", type=positive, default=300)
    parser.add_argument("--updates", type=positive, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    found = {
        f"tabular, S = {STATES}, A = {ACTIONS}, H = {HORIZON}": _apart(large_mdp, options.episodes),
        f"linear, {CONTEXTS} x {ARMS}, D = {DIMENSION}": _apart(large_bandit, options.episodes),
        f"inverse after {options.updates:,} updates, D = 10": _apart(drift, options.updates),
    }
    rows = [
        [name, ", ".join(f"{value:.3g} {key}" for key, value in measured.items())]
        for name, measured in found.items()
    ]
    print(table(["problem", "measured"], rows))
    with replacing(options.out / "hybrid_scale.json") as partial:
        partial.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
