"""What a coverage question needs of an environment: its occupancies, and their uncertainty under given data.

A policy pi is known here by its occupancy d^pi: expected visits of each (step, state, action) in an
episode. Value and uncertainty are linear in it, so one theory serves all environments:
V(pi) = sum d^pi r, and U(pi) = sum d^pi c with a price c of each pair that depends on the data alone.
Constants and logarithms of a real bonus are dropped: they cancel in C = (U(pi) / U(rho))^2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from kl_derail.hybrid import bellman
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.contextual import ContextualBandit
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.policies import as_stochastic, greedy

RANK_TOLERANCE = 1e-10
"""Directions with less than this share of the largest eigenvalue count as never seen."""


class Problem(NamedTuple):
    """An environment as coverage sees it; "pairs" is [H, S, A] (tabular) or [S, A] (the others).

    Attributes:
        rewards: [pairs] mean rewards.
        occupancy: policy, probabilities [pairs] or actions, to expected visits d [pairs].
        best: weights [pairs] to the occupancy of a deterministic policy with the largest sum d w.
        prices: occupancy of the data [pairs] to prices c [pairs]; infinite where data tell nothing.
        reach: [pairs] the most that any policy visits a pair; None where it is not worked out.
    """

    rewards: Floats
    occupancy: Callable[[Floats | Ints], Floats]
    best: Callable[[Floats], Floats]
    prices: Callable[[Floats], Floats]
    reach: Floats | None


def problem(environment: TabularMDP | LinearBandit | ArmsBandit) -> Problem:
    """The coverage problem of an environment."""
    if isinstance(environment, TabularMDP):
        return tabular_problem(environment)
    if isinstance(environment, LinearBandit):
        return linear_problem(environment)
    return arms_problem(environment)


def tabular_problem(mdp: TabularMDP) -> Problem:
    """A finite-horizon MDP; c = 1 / sqrt(d^rho)."""

    def best(weights_HSA: Floats) -> Floats:
        values_HSA = bellman.optimal_action_values(mdp.transitions, weights_HSA)
        return mdp.occupancy(greedy(values_HSA))

    return Problem(mdp.rewards, mdp.occupancy, best, count_prices, _reach(mdp))


def linear_problem(bandit: LinearBandit) -> Problem:
    """A linear contextual bandit; c = ||phi|| in the inverse of E phi phi' under the data."""

    def prices(data_SA: Floats) -> Floats:
        weighted = data_SA[..., None] * bandit.features
        return norms(bandit.features, np.tensordot(weighted, bandit.features, ((0, 1), (0, 1))))

    return _bandit_problem(bandit, prices)


def arms_problem(bandit: ArmsBandit) -> Problem:
    """One linear model per arm; c = ||u|| in the inverse of E rho(a | s) u u', arm by arm."""

    def prices(data_SA: Floats) -> Floats:
        moments_ADD = np.einsum("sa,sd,se->ade", data_SA, bandit.users, bandit.users)
        return np.stack([norms(bandit.users, each) for each in moments_ADD], axis=-1)

    return _bandit_problem(bandit, prices)


def discounted_problem(
    transitions_SAS: Floats, rewards_SA: Floats, initial_S: Floats, discount: float
) -> Problem:
    """A discounted MDP; c = 1 / sqrt(share of the data at the pair).

    Visits are discounted and sum to 1, rewards are divided by 1 - discount, so that sum d r is the
    value. The data may have any distribution [S, A], which need not be an occupancy: recorded episodes
    are neither discounted nor endless.
    """
    states, actions = rewards_SA.shape
    flat = sparse.csr_array(transitions_SAS.reshape(states * actions, states))

    def system(policy_SA: Floats) -> sparse.csc_array:
        choice = sparse.csr_array(
            (policy_SA.ravel(), np.arange(states * actions), np.arange(states + 1) * actions),
            shape=(states, states * actions),
        )
        return sparse.csc_array(sparse.eye_array(states) - discount * (choice @ flat))

    def occupancy(policy: Floats | Ints) -> Floats:
        policy_SA = as_stochastic(policy, (states, actions))
        visits_S = splu(system(policy_SA)).solve(initial_S, trans="T")
        return np.asarray((1 - discount) * visits_S[:, None] * policy_SA)

    def best(weights_SA: Floats) -> Floats:
        choice_S = greedy(weights_SA)
        while True:  # policy iteration: each round is strictly better, and there are finitely many
            policy_SA = as_stochastic(choice_S, (states, actions))
            value_S = splu(system(policy_SA)).solve((policy_SA * weights_SA).sum(axis=1))
            q_SA = weights_SA + discount * (flat @ value_S).reshape(states, actions)
            held_S = np.take_along_axis(q_SA, choice_S[:, None], axis=1)[:, 0]
            gain_S = q_SA.max(axis=1) - held_S
            better_S = gain_S > 1e-12 * (1 + np.abs(held_S))
            if not better_S.any():
                return occupancy(choice_S)
            choice_S = np.where(better_S, q_SA.argmax(axis=1), choice_S)

    return Problem(rewards_SA / (1 - discount), occupancy, best, count_prices, None)


def _bandit_problem(bandit: ContextualBandit, prices: Callable[[Floats], Floats]) -> Problem:
    reach_SA = np.repeat(bandit.contexts[:, None], bandit.actions, axis=1)
    return Problem(
        bandit.rewards,
        bandit.occupancy,
        lambda weights_SA: bandit.occupancy(greedy(weights_SA)),
        prices,
        reach_SA,
    )


def _reach(mdp: TabularMDP) -> Floats:
    """[H, S, A] the largest probability, over policies, to be at a state of a stage and play there."""
    reach_HS = np.empty(mdp.shape[:2])
    for stage in range(mdp.horizon):
        chance_SS = np.eye(mdp.states)  # from a state now to each state of the stage
        for before in reversed(range(stage)):
            chance_SS = (mdp.transitions[before] @ chance_SS).max(axis=1)
        reach_HS[stage] = mdp.initial @ chance_SS
    return np.repeat(reach_HS[..., None], mdp.actions, axis=-1)


def count_prices(occupancy: Floats) -> Floats:
    """1 / sqrt(d) of each pair, infinite where d = 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.sqrt(occupancy))


def norms(features: Floats, second_moment_DD: Floats) -> Floats:
    """||phi|| in the (pseudo-)inverse of a second moment, infinite outside its range.

    Args:
        features: [..., D].
        second_moment_DD: symmetric, positive semi-definite.

    Returns:
        [...]
    """
    scales_D, directions_DD = np.linalg.eigh(second_moment_DD)
    seen_D = scales_D > RANK_TOLERANCE * max(scales_D[-1], 0.0)
    parts = np.square(features @ directions_DD)
    unseen = parts[..., ~seen_D].sum(axis=-1) > RANK_TOLERANCE * parts.sum(axis=-1)
    inside = parts[..., seen_D] @ (1 / scales_D[seen_D])
    return np.where(unseen, np.inf, np.sqrt(inside))
