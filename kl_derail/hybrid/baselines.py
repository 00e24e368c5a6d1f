"""What a hybrid agent is compared with; every baseline is a function with the same Trace."""

from __future__ import annotations

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays
from kl_derail.hybrid.agent import HybridAgent, Objective, Trace
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.environments.base import Environment
from kl_derail.hybrid.oracles.base import Estimate, Oracle
from kl_derail.hybrid.oracles.tabular import TabularOracle, no_bonus
from kl_derail.hybrid.policies import as_stochastic

EPSILON = 0.1
"""Share of random actions of Hy-Q."""


def online_ucb(
    environment: Environment,
    oracle: Oracle,
    episodes: int,
    rng: np.random.Generator,
    objective: Objective = "regret",
) -> Trace:
    """Optimism without offline data: the hybrid agent at N0 = 0."""
    return HybridAgent(objective).run(environment, oracle, None, episodes, rng)


def offline_pessimism(environment: Environment, oracle: Oracle, data: OfflineData) -> Trace:
    """Pessimistic value iteration, LCB for bandits: the hybrid agent at N1 = 0."""
    return HybridAgent().run(environment, oracle, data, 0, np.random.default_rng(0))


def behaviour_cloning(environment: Environment, data: OfflineData) -> Trace:
    """Play each action as often as the data do; uniform in states that they never saw."""
    data.check_fits(environment)
    policy = action_frequencies(data)
    return Trace(policy, environment.gap(policy), None, None, np.empty(0), np.empty(0))


def action_frequencies(data: OfflineData) -> Floats:
    """Empirical probabilities of actions, [H, S, A] or [S, A]; rows without data are uniform."""
    counts: Floats = np.zeros(data.shape)
    stage = (data.stage,) if len(data.shape) == 3 else ()
    np.add.at(counts, (*stage, data.state, data.action), 1)
    visits = counts.sum(axis=-1, keepdims=True)
    return np.where(visits > 0, counts / np.maximum(visits, 1), 1 / data.shape[-1])


def hy_q(
    environment: Environment,
    data: OfflineData | None,
    episodes: int,
    rng: np.random.Generator,
    *,
    rewards: Floats | None = None,
    epsilon: float = EPSILON,
    objective: Objective = "regret",
) -> Trace:
    """Tabular Hy-Q: fitted Q iteration on offline and online data, greedy with epsilon, no bonus.

    For tables, fitted Q is exact: Q_h is the mean of reward + max Q_{h+1} over the data of its
    (h, s, a), and 0 where there are none.

    Args:
        environment: of shape (H, S, A).
        data: offline; None for none.
        episodes: online.
        rng: of the online episodes.
        rewards: [H, S, A] means where they are known; otherwise those observed.
        epsilon: share of random actions online; the output has none.
        objective: which curve to trace.

    Raises:
        UserError: the environment is a bandit, or epsilon is not between 0 and 1.

    Reference: Song et al., "Hybrid RL: using both offline and online data can make RL efficient",
    ICLR 2023, Algorithm 1.
    """
    if len(environment.shape) != 3:
        raise UserError(f"Hy-Q: shape (H, S, A) expected, found {environment.shape}")
    horizon, states, actions = environment.shape
    shape = (horizon, states, actions)
    fitted = TabularOracle(shape, no_bonus, rewards=rewards, unseen_uniform=False)
    oracle = EpsilonGreedy(fitted, shape, epsilon)
    return HybridAgent(objective).run(environment, oracle, data, episodes, rng)


class EpsilonGreedy(Oracle):
    """An oracle whose optimism is chance: the greedy policy of V^ with random actions mixed in."""

    def __init__(self, oracle: Oracle, shape: tuple[int, ...], epsilon: float) -> None:
        """Explore with probability epsilon by a uniform action; shape is that of a policy."""
        arrays.check_number("epsilon", epsilon, "a number 0 to 1", lambda number: 0 <= number <= 1)
        self._oracle, self.shape, self._epsilon = oracle, shape, epsilon

    def update(self, step: Step) -> None:
        """Learn from one more step."""
        self._oracle.update(step)

    def estimate(self, policy: Floats | Ints, context: int | None = None) -> Estimate:
        """V^ and U^ of the oracle within."""
        return self._oracle.estimate(policy, context)

    def argmax(self, value_weight: float, uncertainty_weight: float) -> Floats | Ints:
        """Greedy for V^; with random actions where uncertainty is welcome."""
        best = self._oracle.argmax(1.0, 0.0)
        if uncertainty_weight <= 0:
            return best
        policy = as_stochastic(best, self.shape)
        return np.asarray((1 - self._epsilon) * policy + self._epsilon / self.shape[-1])
