"""The compiled car against gymnasium's, number by number."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.hybrid.environments.mountain_car import (
    Course,
    cell,
    draw_starts,
    drive,
    goal_rewards,
    gymnasium_start,
    move,
    sweep_order,
)


@pytest.fixture(scope="module")
def car():
    return gymnasium.make("MountainCar-v0").unwrapped


def test_states_are_equal_to_gymnasiums_step_by_step(car):
    rng, arrivals, walls = np.random.default_rng(0), 0, 0
    for seed in range(120):
        car.reset(seed=seed)
        if seed % 2:
            car.state = rng.uniform([-1.2, -0.07], [0.5, 0.07])
        (position, velocity), action = map(float, car.state), 1
        for _ in range(200):
            action = int(rng.integers(3)) if rng.random() < 0.1 else action
            observation, _, terminated, _, _ = car.step(action)
            position, velocity, arrived = move(position, velocity, action)
            assert (position, velocity, arrived) == (*car.state, terminated)
            np.testing.assert_array_equal(np.float32([position, velocity]), observation)
            walls += position == -1.2
            if arrived:
                arrivals += 1
                break
    assert arrivals > 20
    assert walls > 20


def test_the_fixed_start_is_gymnasiums(car):
    observation, _ = car.reset(seed=0)
    assert np.float32(gymnasium_start()) == observation[0]


def test_starts_are_gymnasiums_distribution():
    starts = draw_starts(10_000, np.random.default_rng(0))
    assert -0.6 <= starts.min() < -0.599
    assert -0.401 < starts.max() < -0.4
    assert starts.mean() == pytest.approx(-0.5, abs=0.002)


@given(position=st.floats(-1.2, 0.6), velocity=st.floats(-0.07, 0.07), bins=st.integers(2, 50))
def test_a_cell_holds_its_state(position, velocity, bins):
    column, row = divmod(cell(position, velocity, bins), bins)
    assert 0 <= column < bins
    assert 0 <= row < bins
    left, low = -1.2 + column * 1.7 / bins, -0.07 + row * 0.14 / bins
    assert left - 1e-9 <= min(position, 0.5) <= left + 1.7 / bins + 1e-9
    assert low - 1e-9 <= velocity <= low + 0.14 / bins + 1e-9


def pumping(course):
    policy = np.where(np.arange(course.states - 1) % course.bins < course.bins // 2, 0, 2)
    return np.append(policy, 1)


def driven(course, policy, start, restart=-0.41):
    states = np.full(course.steps + 2, -1)
    actions = np.full(course.steps + 2, -1)
    length, arrived = drive(policy, start, restart, course, states, actions)
    return states[:length], actions[: length - 1], arrived


def test_an_episode_passes_gymnasiums_cells_and_ends_with_a_new_start(car):
    course = Course()
    policy = pumping(course)
    states, actions, arrived = driven(course, policy, -0.5)
    car.reset(seed=0)
    car.state = np.array([-0.5, 0.0])
    for state, action in zip(states[:-2], actions[:-1], strict=True):
        assert state == cell(*car.state, course.bins)
        assert action == policy[state]
        terminated = car.step(int(action))[2]
    assert terminated
    assert arrived
    assert list(states[-2:]) == [course.states - 1, cell(-0.41, 0.0, course.bins)]
    assert actions[-1] == policy[course.states - 1]


def test_an_arrival_at_the_last_step_counts_unless_published():
    start, policy = -0.5, pumping(Course())
    needed = len(driven(Course(), policy, start)[0]) - 2
    assert driven(Course(steps=needed), policy, start)[2]
    states, _, arrived = driven(Course(steps=needed, last_step_counts=False), policy, start)
    assert not arrived
    assert len(states) == needed + 1
    assert states[-1] == Course().states - 1
    assert driven(Course(steps=needed + 1, last_step_counts=False), policy, start)[2]
    states, _, arrived = driven(Course(steps=needed - 1), policy, start)
    assert not arrived
    assert len(states) == needed


@pytest.mark.parametrize("bins", [2, 7, 30, 100])
def test_the_order_of_sweeps_names_each_state_once(bins):
    course = Course(bins=bins)
    np.testing.assert_array_equal(np.sort(sweep_order(course)), np.arange(course.states))
    assert goal_rewards(course).sum() == goal_rewards(course)[-1] == 1
    assert course.successors >= 16
