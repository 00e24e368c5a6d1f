import numpy as np
import pytest

from kl_derail.hybrid.compiled import arms
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.experiment import contextual, movielens
from kl_derail.hybrid.experiment.movielens import WORLD
from tests.hybrid.compiled import agreement

USERS, ITEMS, STEPS = 30, 6, 400


def bandit():
    rng = np.random.default_rng(0)
    factors = rng.random((USERS, 3)), rng.random((ITEMS, 3))
    return ArmsBandit(*factors, contexts=rng.dirichlet(np.ones(USERS)), noise=1.0)


BANDIT = bandit()


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
@pytest.mark.parametrize("n_offline", [0, 60])
@pytest.mark.parametrize(
    ("bonus", "scale"), [("published", 10.0), ("published", 0.7), ("valid", 10.0)]
)
def test_agrees_with_the_reference_step_by_step(objective, n_offline, bonus, scale):
    of = agreement.experiment(WORLD, "movielens", objective, STEPS, bonus=bonus, scale=scale)
    policy = contextual.behaviour(BANDIT, "softmax:5")
    oracle = movielens.oracle(BANDIT, of)
    trace = agreement.reference(BANDIT, oracle, policy, objective, n_offline, STEPS)
    agreement.check(agreement.compiled(WORLD, BANDIT, of, "softmax:5", n_offline), trace)


def test_agrees_beyond_an_exact_solve():
    steps = arms.REFRESH + 50
    of = agreement.experiment(WORLD, "movielens", "suboptimality", steps)
    policy = contextual.behaviour(BANDIT, "uniform")
    oracle = movielens.oracle(BANDIT, of)
    trace = agreement.reference(BANDIT, oracle, policy, "suboptimality", 0, steps)
    agreement.check(agreement.compiled(WORLD, BANDIT, of, "uniform", 0), trace)
