from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import baselines, policies
from kl_derail.hybrid.agent import HybridAgent
from kl_derail.hybrid.data import OfflineData, Step, collect, recorded
from kl_derail.hybrid.environments.bandit import random_bandit
from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.environments.tabular import TabularMDP, random_mdp
from kl_derail.hybrid.oracles import linear, tabular
from kl_derail.hybrid.oracles.linear import LinearOracle
from kl_derail.hybrid.oracles.tabular import TabularOracle

MDP = random_mdp(np.random.default_rng(0), horizon=2, states=3, actions=3)
BANDIT = random_bandit(np.random.default_rng(0), contexts=4, arms=6, dimension=3)


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def some_data(n: int, mdp: TabularMDP = MDP) -> OfflineData:
    return collect(mdp, policies.uniform(mdp), n, np.random.default_rng(1))


def test_online_ucb_is_the_agent_without_data() -> None:
    def oracle() -> TabularOracle:
        return TabularOracle(MDP.shape, tabular.published(1.0), rewards=MDP.rewards)

    found = baselines.online_ucb(MDP, oracle(), 30, rng())
    expected = HybridAgent("regret").run(MDP, oracle(), None, 30, rng())
    np.testing.assert_array_equal(found.regret, expected.regret)


def test_lcb_avoids_what_was_hardly_seen() -> None:
    """One lucky reward of a bad arm misleads the estimate, not the lower bound."""
    oracle = LinearOracle(BANDIT.features, BANDIT.contexts, linear.constant(3.0))
    data = collect(BANDIT, policies.softmax_rewards(BANDIT, 5.0), 40, np.random.default_rng(0))
    found = baselines.offline_pessimism(BANDIT, oracle, data)
    assert found.output_gap == BANDIT.gap(oracle.argmax(1, -1))
    assert found.output_gap < BANDIT.gap(policies.softmax_rewards(BANDIT, 5.0))


def test_cloning_plays_what_the_data_play() -> None:
    policy = policies.softmax_values(MDP, 2.0)
    data = collect(MDP, policy, 20_000, np.random.default_rng(0))
    found = baselines.behaviour_cloning(MDP, data)
    np.testing.assert_allclose(found.output, policy, atol=0.02)
    assert found.output_gap == pytest.approx(MDP.gap(policy), abs=0.01)


def test_cloning_of_no_data_is_uniform() -> None:
    np.testing.assert_array_equal(
        baselines.behaviour_cloning(MDP, some_data(0)).output, policies.uniform(MDP)
    )
    bandit = collect(BANDIT, policies.optimal(BANDIT), 0, rng())
    assert baselines.action_frequencies(bandit).shape == (4, 6)


def test_fitted_q_is_the_mean_of_targets() -> None:
    """Hy-Q offline: regression written out, on the data of each cell, from the last stage."""
    data = some_data(12)
    q = np.zeros((3, 3, 3))
    for h in (1, 0):
        for s, a in np.ndindex(3, 3):
            chosen = (data.stage == h) & (data.state == s) & (data.action == a)
            later = q[h + 1, data.next_state[chosen]].max(axis=-1)
            if chosen.any():
                q[h, s, a] = (data.reward[chosen] + later).mean()
    found = baselines.hy_q(MDP, data, 0, rng())
    np.testing.assert_array_equal(found.output, q[:2].argmax(axis=-1))


def test_hy_q_expects_nothing_of_what_it_never_saw() -> None:
    """Action 1 of state 0 earned 0.1; the others are unknown, though some state later pays 1."""
    played = [
        [Step(0, 0, 1, 0.1, NO_STATE)],
        [Step(0, 1, 0, 0.0, 2), Step(1, 2, 0, 1.0, NO_STATE)],
    ]
    found = baselines.hy_q(MDP, recorded(MDP, played), 0, rng())
    assert found.output[0, 0] == 1


def test_hy_q_explores_by_chance_and_counts_it_as_regret() -> None:
    data = some_data(3000)
    lazy = baselines.hy_q(MDP, data, 200, rng(), rewards=MDP.rewards, epsilon=0.0)
    busy = baselines.hy_q(MDP, data, 200, rng(), rewards=MDP.rewards, epsilon=0.5)
    mixed = 0.5 * policies.as_stochastic(policies.optimal(MDP), MDP.shape) + 0.5 / 3
    assert lazy.output_gap == busy.output_gap == pytest.approx(0, abs=1e-9)
    assert lazy.regret is not None
    assert busy.regret is not None
    assert lazy.regret[-1] == pytest.approx(0, abs=1e-9)
    assert busy.regret[-1] == pytest.approx(200 * MDP.gap(mixed), rel=1e-9)


def test_hy_q_shares_the_luck_of_the_environment_in_every_episode() -> None:
    """Where actions do not matter, exploring or not, first states and paths are the same."""
    moves = np.repeat(MDP.transitions[:, :, :1], 3, axis=2)
    mdp = TabularMDP(moves, np.repeat(MDP.rewards[:, :, :1], 3, axis=2), MDP.initial)
    lazy, busy = (baselines.hy_q(mdp, None, 60, rng(), epsilon=each) for each in (0.0, 0.9))
    np.testing.assert_array_equal(lazy.returns, busy.returns)
    assert len(set(lazy.returns)) > 2


@pytest.mark.parametrize("epsilon", [3, -0.1, np.nan])
def test_hy_q_refuses_what_is_no_share(epsilon: float) -> None:
    with pytest.raises(UserError, match=f"^epsilon: a number 0 to 1 expected, found {epsilon}$"):
        baselines.hy_q(MDP, None, 3, rng(), epsilon=epsilon)


def test_hy_q_refuses_bandits() -> None:
    with pytest.raises(UserError, match=r"^Hy-Q: shape \(H, S, A\) expected, found \(4, 6\)$"):
        baselines.hy_q(BANDIT, None, 3, rng())


def test_hy_q_learns_online() -> None:
    trace = baselines.hy_q(MDP, None, 1500, rng(), epsilon=0.3, objective="suboptimality")
    assert trace.gap is not None
    assert trace.gap[-1] < 0.05 < trace.gap[0]
