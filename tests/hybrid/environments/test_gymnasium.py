from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete

from kl_derail.errors import UserError
from kl_derail.hybrid.agent import HybridAgent
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.environments.gymnasium import GymnasiumEnvironment
from kl_derail.hybrid.oracles import tabular
from kl_derail.hybrid.oracles.tabular import TabularOracle


class Stairs(gymnasium.Env[int, int]):
    """Four steps numbered from 10, up (6) or down (5); the top pays 1 and ends the episode."""

    observation_space = Discrete(4, start=10)
    action_space = Discrete(2, start=5)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        self.at = 10
        return self.at, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.at = min(max(self.at + 2 * action - 11, 10), 13)
        return self.at, float(self.at == 13), self.at == 13, False, {}


class KnownStairs(Stairs):
    """Stairs that publish their model, in which the top would pay again and again."""

    initial_state_distrib = np.array([1.0, 0, 0, 0])
    P: ClassVar = {
        at: {
            0: [(1.0, max(at - 1, 0), 0.0, False)],
            1: [(1.0, min(at + 1, 3), float(at > 1), at > 1)],
        }
        for at in range(4)
    }


def test_nothing_is_earned_after_the_end() -> None:
    world = GymnasiumEnvironment(KnownStairs(), horizon=8)
    assert world.optimal_value == pytest.approx(1)
    assert world.gap(np.ones((8, 4), dtype=int)) == pytest.approx(0)
    assert world.gap(np.zeros((8, 4), dtype=int)) == pytest.approx(1)


def test_spaces_that_do_not_begin_at_0() -> None:
    world = GymnasiumEnvironment(Stairs(), horizon=5)
    rng = np.random.default_rng(0)
    assert world.shape == (5, 4, 2)
    assert world.reset(rng) == 0
    steps = [world.step(h, 0, 1, rng) for h in range(3)]
    assert steps == [(0.0, 1), (0.0, 2), (1.0, NO_STATE)]
    assert np.isnan(world.optimal_value)
    assert np.isnan(world.gap(np.zeros((5, 4), dtype=int)))


def test_the_tabular_oracle_climbs() -> None:
    world = GymnasiumEnvironment(Stairs(), horizon=5)
    oracle = TabularOracle(world.shape, tabular.published(0.5), reward_range=(0, 1))
    trace = HybridAgent("regret").run(world, oracle, None, 150, np.random.default_rng(0))
    assert trace.returns[-20:].mean() == 1
    assert np.isnan(trace.output_gap)


def frozen_lake(slippery: bool = False) -> GymnasiumEnvironment:
    made = gymnasium.make("FrozenLake-v1", map_name="4x4", is_slippery=slippery)
    return GymnasiumEnvironment(made, horizon=8)


def test_frozen_lake_is_crossed() -> None:
    world = frozen_lake()
    assert world.optimal_value == pytest.approx(1)
    oracle = TabularOracle(world.shape, tabular.published(0.3), reward_range=(0, 1))
    data = collect(world, np.full(world.shape, 1 / 4), 200, np.random.default_rng(0))
    trace = HybridAgent("regret").run(world, oracle, data, 600, np.random.default_rng(0))
    assert trace.output_gap == pytest.approx(0, abs=1e-9)
    assert trace.returns[-50:].mean() > 0.9


def test_exact_values_are_the_mean_of_returns() -> None:
    world = frozen_lake(slippery=True)
    policy = np.full(world.shape, 1 / 4)
    policy[:, :, 1:3] += 0.2  # down and right, mostly
    policy /= policy.sum(axis=-1, keepdims=True)
    data = collect(world, policy, 3000, np.random.default_rng(0))
    assert data.reward.sum() / 3000 == pytest.approx(world.value(policy), abs=0.012)


def test_episodes_are_seeded() -> None:
    world = frozen_lake(slippery=True)
    policy = np.full(world.shape, 1 / 4)
    one, other = (
        list(collect(world, policy, 20, np.random.default_rng(4)).steps()) for _ in range(2)
    )
    assert one == other


def test_fingerprints_tell_environments_apart() -> None:
    found = {
        frozen_lake().fingerprint,
        frozen_lake(slippery=True).fingerprint,
        GymnasiumEnvironment(Stairs(), horizon=5).fingerprint,
        GymnasiumEnvironment(Stairs(), horizon=6).fingerprint,
    }
    assert len(found) == 4
    assert frozen_lake().fingerprint in found


def test_the_time_limit_is_the_horizon() -> None:
    assert GymnasiumEnvironment("FrozenLake-v1").horizon == 100


@pytest.mark.parametrize(
    ("environment", "horizon", "message"),
    [
        ("CartPole-v1", None, "CartPole-v1: observations: a Discrete space expected, found Box"),
        ("NoSuchLake-v1", None, "gymnasium environment NoSuchLake-v1: "),
        (Stairs(), None, "Stairs: a horizon >= 1 expected, by TimeLimit or given; found None"),
        (Stairs(), 0, "Stairs: a horizon >= 1 expected, by TimeLimit or given; found 0"),
    ],
)
def test_what_cannot_be_played_is_one_line(
    environment: Any, horizon: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=f"^{message}") as caught:
        GymnasiumEnvironment(environment, horizon)
    assert "\n" not in str(caught.value)
