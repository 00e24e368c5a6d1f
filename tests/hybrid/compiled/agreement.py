"""A method run twice, compiled and by the readable agent, on the same random numbers."""

from typing import Any

import numpy as np

from kl_derail.hybrid.agent import HybridAgent, Trace
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.experiment.worlds import Experiment, Measured, Method, World

TOLERANCE = 1e-12


def experiment(
    world: World, name: str, objective: str, episodes: int, **changes: Any
) -> Experiment:
    settings = {
        "world": name,
        "objective": objective,
        "comparison": "sizes",
        "methods": (),
        "episodes": episodes,
        "bonus": "published",
        "scale": world.published.scale,
        "delta": 0.05,
        "seed": 0,
        "options": world.options(),
    }
    return Experiment(**{**settings, **changes})


def reference(environment: Any, oracle: Any, policy: Any, objective: str, n: int, t: int) -> Trace:
    offline, online = rngs()
    data = collect(environment, policy, n, offline) if n else None
    return HybridAgent(objective).run(environment, oracle, data, t, online)


def compiled(world: World, environment: Any, of: Experiment, behaviour: str, n: int) -> Measured:
    method = Method("a", "hybrid", behaviour, n)
    return world.trial(environment, of, method, np.arange(1, of.episodes + 1), *rngs())


def rngs() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(11), np.random.default_rng(12)


def check(found: Measured, trace: Trace) -> None:
    """Equal after every episode: gaps and regrets tell equal actions, uncertainties equal values."""
    np.testing.assert_allclose(found.uncertainty, trace.uncertainty, rtol=TOLERANCE, atol=TOLERANCE)
    if trace.gap is None:
        assert found.gap is None
        np.testing.assert_allclose(found.regret, trace.regret, rtol=TOLERANCE, atol=TOLERANCE)
        return
    assert found.regret is None
    np.testing.assert_allclose(found.gap, trace.gap, rtol=0, atol=TOLERANCE)
    means = np.cumsum(trace.gap) / np.arange(1, len(trace.gap) + 1)
    np.testing.assert_allclose(found.gap_mean, means, rtol=0, atol=TOLERANCE)
