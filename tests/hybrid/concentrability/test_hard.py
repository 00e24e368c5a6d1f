"""On the two-point instances our methods lose what every method must, and no more than its order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid.agent import HybridAgent
from kl_derail.hybrid.concentrability import bounds, concentrability, problem
from kl_derail.hybrid.concentrability.hard import (
    KNOWN,
    START,
    UNKNOWN,
    two_point_behaviour,
    two_point_mdp,
)
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.experiment import tabular
from kl_derail.hybrid.experiment.worlds import Experiment, Method
from kl_derail.hybrid.oracles.tabular import TabularOracle, published

TRIALS = 100
SCALE = 0.5
SHARE = 0.25


def experiment(objective: str, episodes: int) -> Experiment:
    options = tabular.TabularOptions()
    return Experiment(
        "tabular", objective, "sizes", (), episodes, "published", SCALE, 0.05, 0, options
    )


def online_loss(objective: str, episodes: int, gap: float) -> float:
    """Mean gap of the output, or mean regret of an episode."""
    method, t = Method("online", "hybrid", "", 0), np.array([episodes])
    losses = []
    for trial in range(TRIALS):
        streams = [np.random.default_rng([trial, each]) for each in range(2)]
        found = tabular.trial(
            two_point_mdp(gap), experiment(objective, episodes), method, t, *streams
        )
        curve = found.gap if objective == "suboptimality" else found.regret
        assert curve is not None
        losses.append(curve[-1] if objective == "suboptimality" else curve[-1] / episodes)
    return float(np.mean(losses))


def offline_loss(episodes: int, gap: float) -> float:
    """Mean gap of the pessimistic output on offline data alone."""
    mdp, losses = two_point_mdp(gap), []
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        data = collect(mdp, two_point_behaviour(SHARE), episodes, rng)
        oracle = TabularOracle(
            mdp.shape, published(SCALE), rewards=mdp.rewards, initial=mdp.initial, running=True
        )
        losses.append(HybridAgent().run(mdp, oracle, data, 0, rng).output_gap)
    return float(np.mean(losses))


def multiple(samples: int, loss: Callable[[float], float]) -> float:
    """The larger loss of both signs in units of the lower bound, at its gap."""
    low, gap = bounds.two_point(samples)
    return max(loss(gap), loss(-gap)) / low


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
def test_online_losses_follow_the_lower_bound(objective: str) -> None:
    for episodes in (25, 100, 400):
        loss = multiple(episodes, lambda gap, n=episodes: online_loss(objective, n, gap))
        assert 1 <= loss <= 6, episodes


def test_offline_losses_follow_the_lower_bound_of_what_the_data_hold() -> None:
    """N0 episodes hold N0 x SHARE samples of the unknown action."""
    for samples in (5, 20):
        loss = multiple(samples, lambda gap, n=samples: offline_loss(round(n / SHARE), gap))
        assert 1 <= loss <= 6, samples


def test_values_of_the_instance() -> None:
    mdp = two_point_mdp(0.2)
    for action, value in ((KNOWN, 0.5), (UNKNOWN, 0.7)):
        policy = np.zeros((2, 3), np.int64)
        policy[0, START] = action
        assert mdp.value(policy) == pytest.approx(value)
    assert two_point_mdp(-0.2).optimal_value == pytest.approx(0.5)


def test_c_grows_like_one_over_the_share_of_the_unknown_action() -> None:
    mdp = two_point_mdp(0.1)
    asked = problem(mdp)
    optimal = asked.best(mdp.rewards)
    c = [
        concentrability(asked, optimal, asked.occupancy(two_point_behaviour(share)))
        for share in (1e-6, 1e-8)
    ]
    assert c[1] / c[0] == pytest.approx(100, rel=0.01)


def test_gaps_of_more_than_a_half_are_refused() -> None:
    with pytest.raises(UserError, match=r"gap: found 0\.6"):
        two_point_mdp(0.6)
