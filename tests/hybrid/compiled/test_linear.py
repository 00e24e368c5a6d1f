import numpy as np
import pytest

from kl_derail.hybrid.compiled import linear
from kl_derail.hybrid.experiment import bandit, contextual
from kl_derail.hybrid.experiment.bandit import WORLD, BanditOptions
from kl_derail.hybrid.oracles.ridge import Ridge
from tests.hybrid.compiled import agreement

SMALL = BanditOptions(contexts=5, arms=9, dimension=4)
BANDIT = WORLD.build(SMALL).environment
STEPS = 400


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
@pytest.mark.parametrize("n_offline", [0, 60])
@pytest.mark.parametrize("bonus", ["published", "valid"])
def test_agrees_with_the_reference_step_by_step(objective, n_offline, bonus):
    of = agreement.experiment(WORLD, "bandit", objective, STEPS, bonus=bonus, options=SMALL)
    policy = contextual.behaviour(BANDIT, "softmax:5")
    oracle = bandit.oracle(BANDIT, of)
    trace = agreement.reference(BANDIT, oracle, policy, objective, n_offline, STEPS)
    agreement.check(agreement.compiled(WORLD, BANDIT, of, "softmax:5", n_offline), trace)


def test_agrees_beyond_an_exact_solve():
    of = agreement.experiment(WORLD, "bandit", "suboptimality", linear.REFRESH + 50, options=SMALL)
    policy = contextual.behaviour(BANDIT, "uniform")
    oracle = bandit.oracle(BANDIT, of)
    trace = agreement.reference(BANDIT, oracle, policy, "suboptimality", 0, of.episodes)
    agreement.check(agreement.compiled(WORLD, BANDIT, of, "uniform", 0), trace)


def test_means_and_widths_are_those_of_dense_linear_algebra():
    """200 updates without a solve between them, against one regression on all of them."""
    problem = bandit.problem(BANDIT)
    rule = linear.Rule(regret=False, scale=5.0, delta=0.05, norm=1.0, ridge=1.0)
    state, dense = linear.empty_state(problem, rule), Ridge(SMALL.dimension)
    linear.solve(problem, rule, state)
    rng = np.random.default_rng(0)
    drawn = [(*rng.integers([5, 9]).tolist(), rng.normal()) for _ in range(200)]
    for context, arm, reward in drawn:
        linear._update(problem, rule, state, context, arm, reward)
    contexts, arms, rewards = map(np.array, zip(*drawn, strict=True))
    dense.update_all(BANDIT.features[contexts, arms], rewards)
    widths = np.einsum("sad,de,sae->sa", BANDIT.features, dense.inverse, BANDIT.features)
    np.testing.assert_allclose(state.width, widths, atol=1e-12)
    np.testing.assert_allclose(state.mean, BANDIT.features @ dense.theta, atol=1e-12)
    assert state.determinant[0] == pytest.approx(dense.log_det_ratio, abs=1e-11)
