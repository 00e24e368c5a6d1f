import numpy as np
import pytest

from kl_derail.hybrid.baselines import hy_q
from kl_derail.hybrid.data import collect
from kl_derail.hybrid.experiment import tabular
from kl_derail.hybrid.experiment.tabular import WORLD, TabularOptions
from kl_derail.hybrid.experiment.worlds import Method
from tests.hybrid.compiled import agreement

SMALL = TabularOptions(horizon=3, states=4, actions=5)
MDP = WORLD.build(SMALL).environment
EPISODES = 250


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
@pytest.mark.parametrize("n_offline", [0, 40])
@pytest.mark.parametrize("bonus", ["published", "hoeffding", "bernstein"])
def test_agrees_with_the_reference_step_by_step(objective, n_offline, bonus):
    concentration = "hoeffding" if bonus == "published" else bonus
    options = TabularOptions(horizon=3, states=4, actions=5, concentration=concentration)
    kind = "published" if bonus == "published" else "valid"
    of = agreement.experiment(WORLD, "tabular", objective, EPISODES, bonus=kind, options=options)
    oracle = tabular.oracle(MDP, of)
    policy = tabular.behaviour(MDP, "softmax:2")
    trace = agreement.reference(MDP, oracle, policy, objective, n_offline, EPISODES)
    agreement.check(agreement.compiled(WORLD, MDP, of, "softmax:2", n_offline), trace)


def test_valid_bonuses_agree_where_they_no_longer_span_everything():
    mdp = WORLD.build(TabularOptions(horizon=2, states=2, actions=2)).environment
    options = TabularOptions(concentration="bernstein")
    of = agreement.experiment(
        WORLD, "tabular", "suboptimality", 1500, bonus="valid", options=options
    )
    oracle = tabular.oracle(mdp, of)
    policy = tabular.behaviour(mdp, "uniform")
    trace = agreement.reference(mdp, oracle, policy, "suboptimality", 100, 1500)
    assert trace.uncertainty[-1] - trace.uncertainty[-2] < 0.8 * trace.uncertainty[0]
    agreement.check(agreement.compiled(WORLD, mdp, of, "uniform", 100), trace)


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
def test_hy_q_agrees_with_the_reference(objective):
    of = agreement.experiment(WORLD, "tabular", objective, EPISODES, options=SMALL)
    offline, online = agreement.rngs()
    data = collect(MDP, tabular.behaviour(MDP, "uniform"), 30, offline)
    trace = hy_q(MDP, data, EPISODES, online, rewards=MDP.rewards, objective=objective)
    method = Method("Hy-Q", "hy-q", "uniform", 30)
    grid = np.arange(1, EPISODES + 1)
    agreement.check(WORLD.trial(MDP, of, method, grid, *agreement.rngs()), trace)


def test_checkpoints_do_not_change_the_values_between_them():
    of = agreement.experiment(WORLD, "tabular", "regret", EPISODES, options=SMALL)
    method = Method("online", "hybrid", "", 0)
    full = WORLD.trial(MDP, of, method, np.arange(1, EPISODES + 1), *agreement.rngs())
    some = WORLD.trial(MDP, of, method, np.array([1, 7, 100, 250]), *agreement.rngs())
    np.testing.assert_array_equal(full.regret[[0, 6, 99, 249]], some.regret)
