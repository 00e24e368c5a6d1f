"""A compiled trial against gymnasium's car and the readable oracle, step by step."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from kl_derail.hybrid.compiled import mountain_car as compiled
from kl_derail.hybrid.compiled.discounted import TIES, Aim, Rule, empty_model, solve
from kl_derail.hybrid.data import Step
from kl_derail.hybrid.environments.mountain_car import (
    ACTIONS,
    Course,
    cell,
    draw_starts,
    drive,
    goal_rewards,
    sweep_order,
)
from kl_derail.hybrid.oracles.discounted import DiscountedOracle

COURSE = Course(bins=10, steps=200)
EPISODES = 30
STARTS = draw_starts(EPISODES + 1, np.random.default_rng(3))
AUDITS = draw_starts(4, np.random.default_rng(4))
PUMPING = np.append(np.where(np.arange(100) % 10 < 5, 0, 2), 0)


def played(rule, course=COURSE, *, regret=False, starts=STARTS, audits=AUDITS):
    model = empty_model(course.states, ACTIONS, course.successors, rule)
    rewards, tape = goal_rewards(course), compiled.new_tape(len(starts) - 1, course)
    explore = compiled.new_plan(rewards if regret else 0 * rewards, 1.0, -np.inf)
    output = compiled.new_plan(rewards, -1.0, 0.0)
    judged = compiled.new_audits(audits[: 0 if regret else None], course)
    outcome = compiled.play(model, explore, output, rule, course, starts, judged, tape)
    return outcome, tape, output, model


def gymnasium_episode(car, policy, start, restart, course):
    """(states, actions, arrived) by gymnasium's own steps."""
    car.reset(seed=0)
    car.state = np.array([start, 0.0])
    states, actions = [cell(start, 0.0, course.bins)], []
    for step in range(course.steps):
        actions.append(int(policy[states[-1]]))
        if car.step(actions[-1])[2]:
            goal = course.states - 1
            if step + 1 == course.steps and not course.last_step_counts:
                return [*states, goal], actions, False
            return [*states, goal, cell(restart, 0.0, course.bins)], [*actions, policy[goal]], True
        states.append(cell(*car.state, course.bins))
    return states, actions, False


def check_against_reference(rule, regret):
    outcome, tape, output, _ = played(rule, regret=regret)
    car = gymnasium.make("MountainCar-v0").unwrapped
    rewards = np.repeat(goal_rewards(COURSE)[:, None], ACTIONS, 1)
    initial = np.eye(COURSE.states)[0]
    oracle = DiscountedOracle(
        rewards,
        initial,
        rule.discount,
        rule.scale,
        rule.tolerance,
        greedy="unclipped" if rule.unclipped else "clipped",
        ties=0.0 if rule.synchronous else TIES,
    )
    for t in range(EPISODES):
        plan = oracle.solve(float(regret), 1.0)
        given = plan.policy, STARTS[t], STARTS[t + 1], COURSE
        states, actions, arrived = gymnasium_episode(car, *given)
        length = tape.lengths[t]
        assert list(tape.states[t, :length]) == states
        assert list(tape.actions[t, : length - 1]) == actions
        assert outcome.arrived[t] == arrived
        assert outcome.value[t] == pytest.approx(plan.values[states[0]], abs=1e-7)
        for state, action, following in zip(states[:-1], actions, states[1:], strict=True):
            oracle.update(Step(0, state, action, 0.0, following))
        if not regret:
            policy = oracle.argmax(1, -1)
            driven = [gymnasium_episode(car, policy, start, start, COURSE)[2] for start in AUDITS]
            assert outcome.share[t] == np.mean(driven)
    if not regret:
        np.testing.assert_array_equal(output.policy, policy)
    return outcome


RUNS = pytest.mark.parametrize(
    ("regret", "unclipped"), [(False, False), (False, True), (True, False)]
)


@RUNS
def test_a_trial_is_the_references_step_by_step(regret, unclipped):
    rule = Rule(0.97, 0.2, 1e-11, False, sweep_order(COURSE), unclipped)
    outcome = check_against_reference(rule, regret)
    assert outcome.arrived.any() or not regret
    assert np.isnan(outcome.share).all() == regret


@RUNS
def test_so_is_the_published_one(regret, unclipped):
    check_against_reference(Rule(0.97, 0.2, 0.01, True, sweep_order(COURSE), unclipped), regret)


@pytest.mark.parametrize(
    ("weight", "sign", "floor"), [(0, 1, -np.inf), (1, 1, -np.inf), (1, -1, 0)]
)
def test_errors_are_no_larger_than_the_tolerance(weight, sign, floor):
    """On the published grid, 901 states: a hundredth of what gamma / (1 - gamma) would allow."""
    course, rewards = Course(), goal_rewards(Course())
    fine = Rule(0.99, 0.2, 1e-13, False, sweep_order(course))
    starts = draw_starts(201, np.random.default_rng(0))
    model = played(fine._replace(tolerance=1e-6), course, regret=True, starts=starts)[-1]
    aim = Aim(weight * rewards, float(sign), float(floor))

    def solved(tolerance, start):
        values, policy = start.copy(), np.zeros(course.states, np.int64)
        solve(model, aim, fine._replace(tolerance=tolerance), values, policy)
        return values

    exact = solved(1e-13, np.zeros(course.states))
    near = exact + np.random.default_rng(0).normal(size=course.states)
    for tolerance in (1e-2, 1e-4, 1e-6):
        for start in (np.zeros(course.states), near):
            assert np.abs(solved(tolerance, start) - exact).max() <= tolerance


def test_audits_are_driven_anew_only_where_the_policy_changed_them():
    rng = np.random.default_rng(0)
    audits = compiled.new_audits(AUDITS, COURSE)
    policy = PUMPING.copy()
    for _ in range(60):
        states, actions = (np.zeros(COURSE.steps + 2, np.int64) for _ in range(2))
        fresh = [drive(policy, start, start, COURSE, states, actions)[1] for start in AUDITS]
        assert compiled.audit(policy, COURSE, audits) == np.mean(fresh)
        policy[rng.integers(100)] = rng.integers(ACTIONS)


def test_a_taped_episode_teaches_what_it_taught_when_it_was_played():
    rule = Rule(0.97, 0.2, 1e-8, False, sweep_order(COURSE))
    _, tape, _, model = played(rule)
    again = empty_model(COURSE.states, ACTIONS, COURSE.successors, rule)
    compiled.learn(again, rule, tape, np.arange(EPISODES))
    for one, other in zip(model, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_policy_repeated_is_the_episode_driven():
    policy, tape = PUMPING, compiled.new_tape(3, COURSE)
    compiled.repeat(policy, COURSE, STARTS[:4], tape)
    states, actions = (np.zeros(COURSE.steps + 2, np.int64) for _ in range(2))
    for t in range(3):
        length, _ = drive(policy, STARTS[t], STARTS[t + 1], COURSE, states, actions)
        assert tape.lengths[t] == length
        np.testing.assert_array_equal(tape.states[t, :length], states[:length])
        np.testing.assert_array_equal(tape.actions[t, : length - 1], actions[: length - 1])
