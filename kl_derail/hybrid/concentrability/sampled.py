"""Coverage by sampling: where occupancies are out of reach, and the estimator of the published code.

E repeated data sets or episodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from kl_derail.hybrid.arrays import Floats, Ints, check_count
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.policies import as_stochastic
from kl_derail.plumbing.statistics import Interval, cluster_ratio

PUBLISHED_RIDGE = 0.001


def sampled_concentrability(
    target_E: npt.ArrayLike, behaviour_E: npt.ArrayLike, *, confidence: float = 0.95
) -> Interval:
    """C(pi | rho) from the summed prices of single episodes of both policies.

    A delta-method interval on the scale of log C, with the smaller sample's degrees of freedom. The prices
    are taken as given: prices from few data are themselves uncertain, and this interval does not know.

    Args:
        target_E: sum of c(s_t, a_t) over each episode of pi; infinite where data never were.
        behaviour_E: the same for episodes of rho; another number of them if need be.
        confidence: of the interval.

    Returns:
        The estimate; n is the smaller number of episodes. An episode of infinite price: infinity.
    """
    both = [np.asarray(each, np.float64) for each in (target_E, behaviour_E)]
    n = min(map(len, both))
    if np.isinf(both[0]).any():
        return Interval(np.inf, np.inf, np.inf, n)
    means = [float(each.mean()) for each in both]
    estimate = (means[0] / means[1]) ** 2
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)
    relative = [each.var(ddof=1) / len(each) / each.mean() ** 2 for each in both]
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * 2 * np.sqrt(sum(relative))
    return Interval(estimate, estimate * float(np.exp(-half)), estimate * float(np.exp(half)), n)


class Errors(NamedTuple):
    """Errors V^ - V of two policies' values, from the same data sets.

    Attributes:
        target: [E] of the policy asked about.
        behaviour: [E] of the behaviour policy.
    """

    target: Floats
    behaviour: Floats


def error_ratio(errors: Errors, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """E|V^(pi) - V(pi)| / E|V^(rho) - V(rho)| as in the published code: unsquared, by Monte Carlo.

    Another quantity than C, squared or not: C compares uncertainties, which add up over pairs, while
    errors of single pairs cancel in a policy's value. The interval resamples data sets.
    """
    target, behaviour = np.abs(errors.target), np.abs(errors.behaviour)
    return cluster_ratio(target, behaviour, confidence=confidence, seed=seed)


def tabular_errors(
    mdp: TabularMDP,
    target: Floats | Ints,
    behaviour: Floats,
    episodes: int,
    repeats: int,
    rng: np.random.Generator,
) -> Errors:
    """Errors of planning in the empirical model; unseen rows are uniform, rewards known.

    Args:
        mdp: the environment.
        target: policy [H, S, A] or actions [H, S].
        behaviour: policy [H, S, A] or actions [H, S].
        episodes: of each data set, N0.
        repeats: E data sets.
        rng: source of the data.
    """
    check_count("episodes", episodes)
    rows = [as_stochastic(each, mdp.shape) for each in (target, behaviour)]
    found = np.empty((2, repeats))
    for repeat in range(repeats):
        seen_HSAS = _transition_counts(mdp, rows[1], episodes, rng)
        tried_HSA1 = seen_HSAS.sum(axis=-1, keepdims=True)
        model_HSAS = np.where(tried_HSA1 > 0, seen_HSAS / np.maximum(tried_HSA1, 1), 1 / mdp.states)
        model = TabularMDP(model_HSAS, mdp.rewards, mdp.initial)
        found[:, repeat] = [model.value(each) for each in rows]
    return Errors(*(each - mdp.value(policy) for each, policy in zip(found, rows, strict=True)))


def _transition_counts(
    mdp: TabularMDP, policy_HSA: Floats, episodes: int, rng: np.random.Generator
) -> Floats:
    """[H, S, A, S] how often each transition occurs in so many episodes: multinomial by stage."""
    counts_HSAS = np.empty(mdp.transitions.shape)
    states_S = rng.multinomial(episodes, mdp.initial)
    for stage, policy_SA in enumerate(policy_HSA):
        tried_SA = rng.multinomial(states_S, policy_SA)
        counts_HSAS[stage] = rng.multinomial(tried_SA, mdp.transitions[stage])
        states_S = counts_HSAS[stage].sum(axis=(0, 1)).astype(np.int64)
    return counts_HSAS


def bandit_errors(
    bandit: LinearBandit | ArmsBandit,
    target: Floats | Ints,
    behaviour: Floats | Ints,
    episodes: int,
    repeats: int,
    rng: np.random.Generator,
    *,
    ridge: float = PUBLISHED_RIDGE,
) -> Errors:
    """Errors of ridge regression: one model (linear), or one per arm.

    Args:
        bandit: the environment.
        target: policy [S, A] or actions [S].
        behaviour: policy [S, A] or actions [S].
        episodes: observations of each data set, N0.
        repeats: E data sets.
        rng: source of the data.
        ridge: of the regression, > 0.
    """
    check_count("episodes", episodes)
    visits = [bandit.occupancy(each) for each in (target, behaviour)]
    found = np.empty((2, repeats))
    for repeat in range(repeats):
        pairs = rng.choice(visits[1].size, size=episodes, p=visits[1].ravel())
        noise = rng.uniform(-bandit.noise, bandit.noise, size=episodes)
        paid = bandit.rewards.ravel()[pairs] + noise
        counts_SA = np.bincount(pairs, minlength=visits[1].size).reshape(bandit.shape)
        paid_SA = np.bincount(pairs, paid, visits[1].size).astype(np.float64).reshape(bandit.shape)
        error_SA = _ridge_means(bandit, counts_SA, paid_SA, ridge) - bandit.rewards
        found[:, repeat] = [np.vdot(each, error_SA) for each in visits]
    return Errors(*found)


def _ridge_means(
    bandit: LinearBandit | ArmsBandit, counts_SA: Ints, sums_SA: Floats, ridge: float
) -> Floats:
    """[S, A] mean rewards by ridge regression on how often pairs were seen and what they paid in sum."""
    if isinstance(bandit, LinearBandit):
        flat = bandit.features.reshape(-1, bandit.features.shape[-1])
        return (flat @ _ridge(flat, counts_SA.ravel(), sums_SA.ravel(), ridge)).reshape(
            bandit.shape
        )
    arms = zip(counts_SA.T, sums_SA.T, strict=True)
    return np.stack(
        [bandit.users @ _ridge(bandit.users, count, total, ridge) for count, total in arms], axis=-1
    )


def _ridge(features_ND: Floats, counts_N: Ints, sums_N: Floats, ridge: float) -> Floats:
    moment_DD = (features_ND.T * counts_N) @ features_ND
    penalised_DD = moment_DD + ridge * np.eye(len(moment_DD))
    return np.asarray(np.linalg.solve(penalised_DD, features_ND.T @ sums_N))
