from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.hybrid import bonuses, policies
from kl_derail.hybrid.data import OfflineData, Step, collect
from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.oracles import tabular
from kl_derail.hybrid.oracles.tabular import TabularOracle
from tests.hybrid import truth

SCALE = 1.3
WEIGHTS = [(1, 1), (0, 1), (1, -1), (1, 0), (0.5, -2)]
CASES = [(seed, n) for seed in range(2) for n in (0, 3, 40)]


def some_data(mdp: TabularMDP, n: int, seed: int = 0) -> OfflineData:
    return collect(mdp, policies.uniform(mdp), n, np.random.default_rng(seed))


def plain(mdp: TabularMDP, data: OfflineData) -> TabularOracle:
    oracle = TabularOracle(
        mdp.shape, tabular.published(SCALE), rewards=mdp.rewards, initial=mdp.initial
    )
    return oracle.learn(data)


@pytest.mark.parametrize(("seed", "n"), CASES)
def test_estimates_equal_the_sum_over_all_paths(seed: int, n: int) -> None:
    mdp = truth.tiny_mdp(seed, horizon=3, actions=2)
    data = some_data(mdp, n)
    oracle, (model, visits) = plain(mdp, data), truth.empirical_model(data)
    bonus = bonuses.published(visits, SCALE)
    rng = np.random.default_rng(seed)
    for policy in [policies.optimal(mdp), rng.dirichlet(np.ones(2), size=(3, 2))]:
        rows, found = policies.as_stochastic(policy, mdp.shape), oracle.estimate(policy)
        value = truth.path_value(model, mdp.rewards, mdp.initial, rows)
        uncertainty = truth.path_value(model, bonus, mdp.initial, rows)
        np.testing.assert_allclose(found, (value, uncertainty), atol=1e-9)


@pytest.mark.parametrize(("seed", "n"), CASES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_argmax_is_the_best_of_all_policies(
    seed: int, n: int, weights: tuple[float, float]
) -> None:
    mdp = truth.tiny_mdp(seed)
    oracle = plain(mdp, some_data(mdp, n))

    def score(policy: np.ndarray) -> float:
        return float(np.dot(weights, oracle.estimate(policy)))

    best = max(map(score, truth.deterministic_policies(mdp.shape)))
    assert score(oracle.argmax(*weights)) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(("seed", "n"), CASES)
@pytest.mark.parametrize("weights", [(1, 1), (0, 1), (1, -1)])
def test_clipped_values_equal_the_plain_recursion(
    seed: int, n: int, weights: tuple[float, float]
) -> None:
    mdp = truth.tiny_mdp(seed)
    data = some_data(mdp, n)
    oracle = TabularOracle(
        mdp.shape,
        tabular.published(SCALE),
        rewards=mdp.rewards,
        initial=mdp.initial,
        reward_range=(0, 1),
    ).learn(data)
    model, visits = truth.empirical_model(data)
    immediate = weights[0] * mdp.rewards + weights[1] * bonuses.published(visits, SCALE)

    def value(policy: np.ndarray) -> float:
        return truth.clipped_value(model, immediate, mdp.initial, policy, most=1)

    for policy in truth.deterministic_policies(mdp.shape):
        rows = policies.as_stochastic(policy, mdp.shape)
        q = oracle.action_values(*weights, rows)[0]
        assert mdp.initial @ (rows[0] * q).sum(-1) == pytest.approx(value(policy), abs=1e-9)
    best = max(map(value, truth.deterministic_policies(mdp.shape)))
    assert value(oracle.argmax(*weights)) == pytest.approx(best, abs=1e-9)


def test_one_by_one_is_all_at_once() -> None:
    mdp = truth.tiny_mdp(0)
    data = some_data(mdp, 30)
    at_once = TabularOracle(mdp.shape, tabular.hoeffding(0.1, known_rewards=False)).learn(data)
    one_by_one = TabularOracle(mdp.shape, tabular.hoeffding(0.1, known_rewards=False))
    for step in data.steps():
        one_by_one.update(step)
    for weights in WEIGHTS:
        np.testing.assert_allclose(
            at_once.action_values(*weights), one_by_one.action_values(*weights), atol=1e-12
        )
    policy = policies.uniform(mdp)
    np.testing.assert_allclose(at_once.estimate(policy), one_by_one.estimate(policy), atol=1e-12)


def test_unknown_rewards_are_means_and_unknown_starts_frequencies() -> None:
    sure = truth.tiny_mdp(0)
    mdp = TabularMDP(sure.transitions, sure.rewards, sure.initial, bernoulli=True)
    data = some_data(mdp, 60)
    oracle = TabularOracle(mdp.shape, tabular.no_bonus).learn(data)
    sums = np.zeros(mdp.shape)
    for step in data.steps():
        sums[step.stage, step.state, step.action] += step.reward
    model, visits = truth.empirical_model(data)
    starts = np.bincount(data.state[data.stage == 0], minlength=2) / 60
    rows = policies.uniform(mdp)
    expected = truth.path_value(model, sums / np.maximum(visits, 1), starts, rows)
    np.testing.assert_allclose(oracle.estimate(rows), (expected, 0), atol=1e-9)


def test_running_values_are_the_maximum_so_far() -> None:
    """Against the recursion written out, over episodes that come one at a time."""
    mdp = truth.tiny_mdp(3, horizon=3)
    oracle = TabularOracle(mdp.shape, tabular.published(SCALE), rewards=mdp.rewards, running=True)
    previous, steps = np.zeros(mdp.shape), list(some_data(mdp, 25).steps())
    for episode in range(25):
        for step in steps[3 * episode : 3 * episode + 3]:
            oracle.update(step)
        model, visits = truth.empirical_model(some_data(mdp, episode + 1))
        lower = mdp.rewards - bonuses.published(visits, SCALE)
        later = np.zeros(2)
        for h in reversed(range(3)):
            previous[h] = np.maximum(previous[h], lower[h] + model[h] @ later)
            later = previous[h].max(axis=-1)
        np.testing.assert_array_equal(oracle.argmax(1, -1), previous.argmax(axis=-1))
        np.testing.assert_allclose(oracle.action_values(1, -1), previous, atol=1e-12)


def test_asking_again_changes_nothing() -> None:
    mdp = truth.tiny_mdp(0)
    oracle = TabularOracle(mdp.shape, tabular.published(SCALE), running=True)
    oracle.learn(some_data(mdp, 20))
    once = oracle.action_values(1, -1)
    oracle.action_values(1, 1), oracle.estimate(policies.uniform(mdp))
    np.testing.assert_array_equal(oracle.action_values(1, -1), once)


def test_answers_follow_what_is_learnt_later() -> None:
    mdp = truth.tiny_mdp(0)
    first, later = some_data(mdp, 10, seed=1), some_data(mdp, 10, seed=2)
    oracle = plain(mdp, first)
    oracle.action_values(1, 1)
    expected = plain(mdp, first.merge(later)).action_values(1, 1)
    np.testing.assert_allclose(oracle.learn(later).action_values(1, 1), expected, atol=1e-12)


@pytest.mark.parametrize("uniform", [True, False])
def test_unseen_rows_are_uniform_or_the_end(uniform: bool) -> None:
    rewards = np.array([[[0.0], [0.0]], [[1.0], [3.0]]])
    oracle = TabularOracle((2, 2, 1), tabular.no_bonus, rewards=rewards, unseen_uniform=uniform)
    assert oracle.action_values(1, 0)[0].ravel().tolist() == [2 * uniform] * 2


def test_nothing_follows_the_end_of_an_episode() -> None:
    oracle = TabularOracle((2, 2, 1), tabular.no_bonus, rewards=np.ones((2, 2, 1)))
    for next_state in (NO_STATE, 0, NO_STATE, NO_STATE):
        oracle.update(Step(0, 0, 0, 1.0, next_state))
    assert oracle.action_values(1, 0)[0, 0, 0] == 1.25


BOUNDS = {"hoeffding": tabular.hoeffding, "bernstein": tabular.bernstein}


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("bound", BOUNDS)
def test_valid_bonuses_cover_all_policies_at_all_times(bound: str, known: bool) -> None:
    """|V^ - V| <= U^ at every checkpoint, for all 64 policies, in at least 1 - delta of runs."""
    sure, delta, failed = truth.tiny_mdp(0, horizon=3, actions=2), 0.2, 0
    mdp = TabularMDP(sure.transitions, sure.rewards, sure.initial, bernoulli=True)
    candidates = list(truth.deterministic_policies(mdp.shape))
    values = np.array([mdp.value(policy) for policy in candidates])
    for run in range(10):
        oracle = TabularOracle(
            mdp.shape,
            BOUNDS[bound](delta, known_rewards=known),
            rewards=mdp.rewards if known else None,
            initial=mdp.initial,
            reward_range=(0, 1),
        )
        for part in range(3):
            oracle.learn(some_data(mdp, 20 * 5**part, seed=10 * run + part))
            found = np.array([oracle.estimate(policy) for policy in candidates])
            failed += bool((np.abs(found[:, 0] - values) > found[:, 1] + 1e-12).any())
    assert failed <= 10 * delta


@pytest.mark.parametrize("bound", BOUNDS)
def test_valid_uncertainty_covers_first_states_that_are_not_known(bound: str) -> None:
    """Transitions and rewards leave no doubt, so that first states seen are all the error there is."""
    delta, runs, states = 0.2, 400, 2
    still = np.broadcast_to(np.eye(states)[:, None], (2, states, 1, states))
    mdp = TabularMDP(still, np.array([[[0.0], [1.0]]] * 2), np.array([0.3, 0.7]))
    policy, failed, off = np.zeros((2, states), dtype=np.int64), 0, 0
    rng = np.random.default_rng(0)
    for _ in range(runs):
        oracle = TabularOracle(
            mdp.shape, BOUNDS[bound](delta), rewards=mdp.rewards, reward_range=(0, 1)
        )
        oracle._bonus = replace(oracle._bonus, transitions=lambda counts, span, share: 0 * span)
        for _ in range(4):
            oracle.learn(collect(mdp, policy, 8, rng))
            value, uncertainty = oracle.estimate(policy)
            failed += abs(value - mdp.value(policy)) > uncertainty
            off += value != pytest.approx(mdp.value(policy))
    assert failed <= delta * runs
    assert off > runs


def test_first_states_have_their_own_share_of_delta() -> None:
    """2 sqrt((S log 2 + log(2 n (n + 1) / (delta / 3))) / 2n) at n = 2000: span H, one cell."""
    mdp, n, delta = truth.tiny_mdp(0), 2000, 0.3
    bonus = tabular.hoeffding(delta, known_rewards=False)
    given = TabularOracle(mdp.shape, bonus, initial=mdp.initial)
    blind = TabularOracle(mdp.shape, bonus)
    for oracle in (given, blind):
        oracle.learn(some_data(mdp, n))
    wider = tabular.hoeffding(delta * 2 / 3, known_rewards=False)
    shared = TabularOracle(mdp.shape, wider, initial=blind._first_states()).learn(some_data(mdp, n))
    policy = policies.uniform(mdp)
    error = 2 * np.sqrt((2 * np.log(2) + np.log(2 * n * (n + 1) / (delta / 3))) / (2 * n))
    expected = shared.estimate(policy).uncertainty + error
    assert blind.estimate(policy).uncertainty == pytest.approx(expected, rel=1e-12)
    assert given._bonus(given.counts).max() < blind._bonus(blind.counts).max()


def test_nothing_seen_the_uncertainty_is_all_that_can_be_earned() -> None:
    oracle = TabularOracle((3, 2, 2), tabular.hoeffding(0.1), reward_range=(-1, 1))
    assert oracle.estimate(np.zeros((3, 2), dtype=np.int64)).uncertainty == 3 * 2


@given(st.integers(0, 60), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_optimism_is_above_pessimism(n: int, seed: int) -> None:
    mdp = truth.tiny_mdp(1)
    oracle = TabularOracle(
        mdp.shape, tabular.hoeffding(0.1), rewards=mdp.rewards, reward_range=(0, 1)
    ).learn(some_data(mdp, n, seed))
    low, middle, high = (oracle.action_values(1, weight) for weight in (-1, 0, 1))
    assert (low >= 0).all()
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (high <= np.array([2, 1])[:, None, None]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rewards": np.ones((2, 2))}, "rewards: shape"),
        ({"initial": np.ones(2)}, "initial: rows must sum to 1"),
        ({"reward_range": (0.5, 1.0)}, "reward_range: low <= 0 <= high expected"),
    ],
)
def test_what_does_not_fit_is_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        TabularOracle((2, 2, 3), tabular.no_bonus, **change)


@pytest.mark.parametrize("bonus", [tabular.hoeffding, tabular.bernstein])
@pytest.mark.parametrize("delta", [0.0, 2.0, np.nan])
def test_bonuses_without_meaning_are_one_line(bonus: Any, delta: float) -> None:
    with pytest.raises(UserError, match=r"^delta: a number > 0 and < 1 expected, found "):
        bonus(delta)
    with pytest.raises(UserError, match=r"^scale: a finite number >= 0 expected, found -1\.0$"):
        tabular.published(-1.0)


def test_data_of_another_shape_are_refused() -> None:
    data = some_data(truth.tiny_mdp(0), 1)
    with pytest.raises(UserError, match=r"\(2, 2, 3\) do not fit one of \(2, 2, 4\)"):
        TabularOracle((2, 2, 4), tabular.no_bonus).learn(data)
