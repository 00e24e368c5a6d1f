from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.agent import HybridAgent, Objective, choose, play
from kl_derail.hybrid.data import OfflineData, collect, recorded
from kl_derail.hybrid.environments.bandit import random_bandit
from kl_derail.hybrid.environments.tabular import random_mdp
from kl_derail.hybrid.oracles import linear, tabular
from kl_derail.hybrid.oracles.linear import LinearOracle
from kl_derail.hybrid.oracles.tabular import TabularOracle
from tests.hybrid import truth

MDP = random_mdp(np.random.default_rng(0), horizon=2, states=3, actions=3)
BANDIT = random_bandit(np.random.default_rng(0), contexts=4, arms=6, dimension=3)


def published(scale: float = 1.0) -> TabularOracle:
    return TabularOracle(
        MDP.shape,
        tabular.published(scale),
        rewards=MDP.rewards,
        initial=MDP.initial,
        running=True,
    )


def some_data(n: int) -> OfflineData:
    return collect(MDP, policies.uniform(MDP), n, np.random.default_rng(1))


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def test_regret_grows_ever_more_slowly() -> None:
    regret = HybridAgent("regret").run(MDP, published(), some_data(20), 400, rng()).regret
    assert regret is not None
    assert len(regret) == 400
    assert (np.diff(regret) >= -1e-12).all()
    assert regret[-1] - regret[299] < regret[99] / 3


def test_gap_of_the_output_closes() -> None:
    trace = HybridAgent().run(MDP, published(), some_data(20), 600, rng())
    assert trace.gap is not None
    assert trace.gap[-1] == trace.output_gap == MDP.gap(trace.output)
    assert trace.gap[-1] < 0.05 < trace.gap[0]


@pytest.mark.parametrize(("objective", "curves"), [("regret", 0b01), ("suboptimality", 0b10)])
def test_each_objective_has_its_curve(objective: Objective, curves: int) -> None:
    trace = HybridAgent(objective).run(MDP, published(), None, 5, rng())
    assert (trace.regret is not None) == bool(curves & 1)
    assert (trace.gap is not None) == bool(curves & 2)
    assert len(trace.uncertainty) == len(trace.returns) == 5


def test_the_loop_by_hand() -> None:
    """Explore, play, learn, judge: written out with the oracle's own answers."""
    oracle, one = published(), rng()
    found = HybridAgent("regret").run(MDP, published(), some_data(7), 30, rng())
    oracle.learn(some_data(7))
    regret, squares = 0.0, 0.0
    for t in range(30):
        start = MDP.reset(one)
        policy = oracle.argmax(1, 1)
        squares += oracle.estimate(policy).uncertainty ** 2
        regret += MDP.optimal_value - MDP.value(policy)
        steps = play(MDP, policy, start, one, rng())
        assert found.returns[t] == sum(step.reward for step in steps)
        for step in steps:
            oracle.update(step)
        assert found.regret is not None
        assert found.regret[t] == pytest.approx(regret, abs=1e-12)
        assert found.uncertainty[t] == pytest.approx(squares, abs=1e-12)
    np.testing.assert_array_equal(found.output, oracle.argmax(1, -1))


@pytest.mark.parametrize("n", [0, 12])
def test_no_online_episodes_is_the_offline_edge(n: int) -> None:
    trace = HybridAgent().run(MDP, published(), some_data(n), 0, rng())
    np.testing.assert_array_equal(trace.output, published().learn(some_data(n)).argmax(1, -1))
    assert trace.gap is not None
    assert len(trace.gap) == len(trace.uncertainty) == 0


def test_no_offline_data_is_the_online_edge() -> None:
    agent = HybridAgent("regret")
    without = agent.run(MDP, published(), None, 40, rng())
    empty = agent.run(MDP, published(), some_data(0), 40, rng())
    np.testing.assert_array_equal(without.regret, empty.regret)


def test_online_episodes_are_as_good_as_offline_ones() -> None:
    """What was played, given as offline data, leads to the same output."""
    agent, oracle = HybridAgent(), published()
    played = [episode.steps for episode in islice(agent.episodes(MDP, oracle, rng()), 50)]
    data = recorded(MDP, played)
    np.testing.assert_array_equal(
        agent.run(MDP, published(), data, 0, rng()).output, oracle.argmax(1, -1)
    )


@pytest.mark.parametrize("objective", ["regret", "suboptimality"])
def test_bandits_play_the_same_loop(objective: Objective) -> None:
    oracle = LinearOracle(BANDIT.features, BANDIT.contexts, linear.constant(1.0), exploration=1.0)
    data = collect(BANDIT, policies.uniform(BANDIT), 50, np.random.default_rng(1))
    trace = HybridAgent(objective).run(BANDIT, oracle, data, 2000, rng())
    assert trace.output_gap < 0.03 < BANDIT.gap(policies.uniform(BANDIT))


def test_bandit_regret_is_that_of_the_contexts_drawn() -> None:
    oracle = LinearOracle(BANDIT.features, BANDIT.contexts, linear.constant(1.0))
    found, total = HybridAgent("regret"), 0.0
    for episode in islice(found.episodes(BANDIT, oracle, rng()), 20):
        (step,) = episode.steps
        total = BANDIT.rewards[step.state].max() - BANDIT.rewards[step.state, step.action]
        assert episode.regret == pytest.approx(total, abs=1e-12)


def test_known_to_the_end_the_agent_plays_the_optimum() -> None:
    mdp = truth.tiny_mdp(0)
    data = collect(mdp, policies.uniform(mdp), 20_000, np.random.default_rng(0))
    oracle = TabularOracle(mdp.shape, tabular.bernstein(0.1), rewards=mdp.rewards)
    assert HybridAgent().run(mdp, oracle, data, 0, rng()).output_gap == pytest.approx(0, abs=1e-9)


def test_policies_of_every_kind_can_be_played() -> None:
    actions = np.array([[0, 1], [1, 0]])
    rows = policies.as_stochastic(actions, (2, 2, 2))
    for stage, state in np.ndindex(2, 2):
        expected = actions[stage, state]
        assert choose(actions, stage, state, rng()) == expected
        assert choose(rows, stage, state, rng()) == expected
        assert choose(actions[0], stage, state, rng()) == actions[0, state]
        assert choose(rows[0], stage, state, rng()) == actions[0, state]


@pytest.mark.parametrize("draws", [False, True])
def test_actions_are_drawn_apart_from_the_luck_of_the_environment(draws: bool) -> None:
    one, other, chance, untouched = rng(), rng(), rng(), rng()
    policy = policies.uniform(MDP) if draws else policies.optimal(MDP)
    play(MDP, policy, 0, one, chance)
    other.random(MDP.horizon)
    untouched.random(MDP.horizon if draws else 0)
    assert one.random() == other.random()
    assert chance.random() == untouched.random()


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"^N1: a whole number >= 0 expected, found -1$"):
        HybridAgent().run(MDP, published(), None, -1, rng())
    with pytest.raises(UserError, match=r"^objective: found speed, allowed suboptimality, regret$"):
        HybridAgent("speed")
    stranger = truth.tiny_mdp(0)
    data = collect(stranger, policies.uniform(stranger), 3, rng())
    oracle = published()
    with pytest.raises(UserError, match="do not fit"):
        HybridAgent().run(MDP, oracle, data, 5, rng())
    with pytest.raises(
        UserError, match=r"^oracle of shape \(2, 3, 3\) does not fit .* \(2, 2, 3\)$"
    ):
        HybridAgent().run(stranger, oracle, None, 5, rng())
    assert not oracle.counts.visits.any()
