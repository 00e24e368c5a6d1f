"""The compiled values against dense linear algebra and the readable oracle."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.hybrid.compiled.discounted import (
    TIES,
    Aim,
    Rule,
    empty_model,
    first_best,
    record,
    solve,
)
from kl_derail.hybrid.data import Step
from kl_derail.hybrid.oracles.discounted import DiscountedOracle, value_iteration

S, A, K = 40, 3, 12
EXPLORE, OPTIMIST, PESSIMIST, EARN = (0.0, 1.0), (1.0, 1.0), (1.0, -1.0), (1.0, 0.0)
AIMS = [EXPLORE, OPTIMIST, PESSIMIST, EARN]


def rule(discount=0.99, tolerance=1e-12, synchronous=False, order=None, unclipped=False):
    order = np.arange(S) if order is None else order
    return Rule(discount, 0.3, tolerance, synchronous, order, unclipped)


def walks(seed, episodes=30, length=25, tried=S - 5):
    """Episodes that drift, often stay where they are, and leave the last states unseen."""
    rng = np.random.default_rng(seed)
    for _ in range(episodes):
        moves = rng.choice([0, 0, 0, 1, 1, 2, -3], length).cumsum()
        yield (rng.integers(tried) + moves) % tried, rng.integers(0, A, length)


def pair(rule, seed, rewards, **kwargs):
    """A compiled model and the reference, both of the same walks."""
    model = empty_model(S, A, K, rule)
    oracle = DiscountedOracle(
        np.repeat(rewards[:, None], A, 1),
        np.full(S, 1 / S),
        rule.discount,
        rule.scale,
        1e-12,
        greedy="unclipped" if rule.unclipped else "clipped",
        ties=0.0 if rule.synchronous else TIES,
    )
    for states, actions in walks(seed, **kwargs):
        record(model, rule, states, actions, len(states))
        for state, action, following in zip(states[:-1], actions[:-1], states[1:], strict=True):
            oracle.update(Step(0, int(state), int(action), 0.0, int(following)))
    return model, oracle


def solved(model, rule, rewards, weights, start=None):
    values, policy = np.zeros(S) if start is None else start.copy(), np.zeros(S, np.int64)
    floor = 0.0 if weights[1] < 0 else -np.inf
    solve(model, Aim(weights[0] * rewards, weights[1], floor), rule, values, policy)
    return values, policy


def spread_rewards(seed):
    return np.random.default_rng(seed).random(S) ** 4


@pytest.mark.parametrize("weights", AIMS)
@pytest.mark.parametrize("seed", range(3))
def test_values_are_the_fixed_point_by_a_dense_solve(weights, seed):
    rewards, plain = spread_rewards(seed), rule()
    model, oracle = pair(plain, seed, rewards)
    values, policy = solved(model, plain, rewards, weights)
    gains = weights[0] * rewards[:, None] + weights[1] * oracle.bonuses()
    rows, transitions = np.arange(S), oracle.transitions()
    free = values > 0 if weights == PESSIMIST else np.ones(S, bool)
    system = np.eye(S) - 0.99 * transitions[rows, policy] * free[:, None]
    exact = np.linalg.solve(system, gains[rows, policy] * free)
    np.testing.assert_allclose(values, exact, atol=1e-9)
    action_values = gains + 0.99 * transitions @ exact
    floor = 0.0 if weights == PESSIMIST else -np.inf
    np.testing.assert_allclose(np.maximum(action_values, floor).max(axis=1), exact, atol=1e-9)


@pytest.mark.parametrize("weights", AIMS)
@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("unclipped", [False, True])
def test_both_ways_agree_with_the_reference(weights, synchronous, unclipped):
    rewards, way = spread_rewards(7), rule(synchronous=synchronous, unclipped=unclipped)
    model, oracle = pair(way, 7, rewards)
    values, policy = solved(model, way, rewards, weights)
    expected = oracle.solve(*weights)
    np.testing.assert_allclose(values, expected.values, atol=1e-9)
    np.testing.assert_array_equal(policy, expected.policy)


@pytest.mark.parametrize("synchronous", [False, True])
def test_at_the_floor_only_unclipped_policies_tell_actions_apart(synchronous):
    """Against all action values of the floored fixed point, by a dense model."""
    rewards = 0.1 * spread_rewards(7)
    plain, raw = (rule(synchronous=synchronous, unclipped=each) for each in (False, True))
    model, oracle = pair(plain, 7, rewards)
    values, clipped = solved(model, plain, rewards, PESSIMIST)
    again, unclipped = solved(model, raw, rewards, PESSIMIST)
    np.testing.assert_array_equal(again, values)
    floored = values == 0
    gains = rewards[:, None] - oracle.bonuses()
    action_values = gains + 0.99 * oracle.transitions() @ values
    assert floored.sum() > S / 2
    assert not clipped[floored].any()
    ties = 0.0 if synchronous else TIES
    best = (action_values >= action_values.max(axis=1, keepdims=True) - ties - 1e-13).argmax(axis=1)
    np.testing.assert_array_equal(unclipped, best)
    assert unclipped[floored].any()


@pytest.mark.parametrize(("gap", "expected"), [(0.4e-9, 0), (0.9e-9, 1), (5e-9, 2)])
def test_ties_are_with_the_best_not_with_the_last_best(gap, expected):
    """Three actions of one state that end the sum after a reward of rising size; no bonuses."""
    plain = rule()._replace(order=np.arange(4), scale=1e-9)
    model = empty_model(4, A, K, plain)
    record(model, plain, np.array([0, 1, 0, 2, 0, 3, 3]), np.array([0, 0, 1, 0, 2, 0]), 7)
    for state in (1, 2, 3):  # each stays where it is, whatever is done
        for action in range(A):
            record(model, plain, np.full(2000, state), np.full(2000, action), 2000)
    values, policy = np.zeros(4), np.zeros(4, np.int64)
    worth = (1 - 0.99) / 0.99 * np.array([0, 0, gap, 2 * gap])
    solve(model, Aim(worth, 0.0, -np.inf), plain, values, policy)
    assert policy[0] == expected


@pytest.mark.parametrize(
    ("values", "ties", "unclipped", "expected"),
    [
        ([1.0, 1 + 0.9e-9, 1 + 1.8e-9], TIES, False, 1),  # near the best, not one near the other
        ([1.0, 1 + 0.9e-9, 1 + 1.8e-9], 0.0, False, 2),
        ([-3.0, -1.0, -2.0], 0.0, False, 0),
        ([-3.0, -1.0, -2.0], 0.0, True, 1),
        ([-3.0, 0.5, 0.5], 0.0, False, 1),
    ],
)
def test_the_first_of_the_best_is_taken(values, ties, unclipped, expected):
    """In the kernel and in the reference alike."""
    assert first_best(np.array(values), ties, unclipped, 0.0) == expected
    gains, still = np.array([values]), np.ones((1, 3, 1))
    greedy = "unclipped" if unclipped else "clipped"
    solution = value_iteration(
        gains, 0 * still, 0.9, 1e-9, np.zeros(1), 0.0, greedy=greedy, ties=ties
    )
    assert solution.policy[0] == expected


def test_synchronous_sweeps_end_where_the_references_do():
    rewards, coarse = spread_rewards(3), rule(tolerance=0.01, synchronous=True)
    model, oracle = pair(coarse, 3, rewards)
    oracle._tolerance = 0.01
    for _ in range(2):  # cold, then warm
        expected = oracle.solve(*OPTIMIST)
    first = solved(model, coarse, rewards, OPTIMIST)[0]
    values, policy = solved(model, coarse, rewards, OPTIMIST, first)
    np.testing.assert_allclose(values, expected.values, atol=1e-12)
    np.testing.assert_array_equal(policy, expected.policy)


def test_the_tolerance_bounds_the_error():
    rewards = spread_rewards(1)
    model, oracle = pair(rule(), 1, rewards)
    for tolerance in (1e-2, 1e-4, 1e-6):
        values, _ = solved(model, rule(tolerance=tolerance), rewards, EXPLORE)
        error = np.abs(values - oracle.solve(*EXPLORE).values).max()
        assert error <= tolerance * 0.99 / (1 - 0.99)


@pytest.mark.parametrize("tried", [3, 20, S])
def test_the_order_of_the_sweep_and_the_start_do_not_matter(tried):
    rewards, rng = spread_rewards(2), np.random.default_rng(0)
    model, _ = pair(rule(), 2, rewards, tried=tried)
    values, policy = solved(model, rule(), rewards, OPTIMIST)
    shuffled = rule(order=rng.permutation(S))
    again = solved(model, shuffled, rewards, OPTIMIST, 100 * rng.random(S))
    np.testing.assert_allclose(again[0], values, atol=1e-9)
    np.testing.assert_array_equal(again[1], policy)


def test_before_any_data_exploration_is_worth_a_bonus_every_step():
    values, policy = solved(empty_model(S, A, K, rule()), rule(), np.zeros(S), EXPLORE)
    np.testing.assert_allclose(values, 100, atol=1e-8)
    assert not policy.any()


def test_a_row_without_room_for_its_successors_is_refused():
    model, plain = empty_model(S, A, 2, rule()), rule()
    states, actions = np.array([0, 1, 0, 2, 0, 3]), np.zeros(6, np.int64)
    with pytest.raises(ValueError, match="more successors"):
        record(model, plain, states, actions, 6)
