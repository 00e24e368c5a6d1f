"""Mountain Car on a grid: gymnasium's MountainCar-v0, compiled, seen through cells.

The car's position and velocity are gymnasium's own, number by number; a learner sees the cell of a
grid that they lie in. States are the cells and one goal state. A learner's time goes on after the
goal: whoever has arrived moves on to a new start.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.plumbing.compiled import kernel

ACTIONS = 3
LOWEST, HIGHEST, GOAL = -1.2, 0.6, 0.5
TOP_SPEED = 0.07
FORCE, GRAVITY = 0.001, 0.0025
FIRST_START, LAST_START = -0.6, -0.4


class Course(NamedTuple):
    """The rules of an episode; the car itself has no options.

    Attributes:
        bins: cells a side, over positions [-1.2, 0.5] and velocities [-0.07, 0.07].
        steps: limit of an episode.
        last_step_counts: whether an arrival at the very last step is an arrival. The published
            code needs one step more to see it.
    """

    bins: int = 30
    steps: int = 200
    last_step_counts: bool = True

    @property
    def states(self) -> int:
        """S, the goal included; the goal is state S - 1."""
        return self.bins**2 + 1

    @property
    def successors(self) -> int:
        """Room for the states that can follow one state: after the goal all cells of the starts."""
        return max(16, 3 + self.bins // 8)


def draw_starts(episodes: int, rng: np.random.Generator) -> Floats:
    """Start positions [episodes] as gymnasium has them, uniform in [-0.6, -0.4]."""
    return FIRST_START + (LAST_START - FIRST_START) * rng.random(episodes)


def goal_rewards(course: Course) -> Floats:
    """[S]: 1 at the goal, 0 elsewhere."""
    return np.append(np.zeros(course.states - 1), 1.0)


def sweep_order(course: Course) -> Ints:
    """The states [S] against the current of the car, so that a sweep carries values far.

    The car circles the bottom of the valley in the plane of position and velocity; the goal comes
    first, then the cells by their angle.
    """
    column, row = np.divmod(np.arange(course.bins**2), course.bins)
    position = LOWEST + (column + 0.5) / course.bins * (GOAL - LOWEST)
    velocity = (2 * row + 1) / course.bins - 1
    angle = np.arctan2(velocity, (position + math.pi / 6) / 0.85)
    return np.append(course.bins**2, np.argsort((angle + 1.5) % (2 * math.pi), kind="stable"))


def gymnasium_start() -> float:
    """The start position that gymnasium draws for seed 0."""
    import gymnasium

    car = gymnasium.make("MountainCar-v0").unwrapped
    car.reset(seed=0)
    return float(car.state[0])  # type: ignore[attr-defined]


@kernel
def move(position: float, velocity: float, action: int) -> tuple[float, float, bool]:
    """One step of MountainCar-v0: (position, velocity, arrived).

    The order of the floating-point operations is gymnasium's, so the numbers are too.
    """
    velocity += (action - 1) * FORCE + math.cos(3 * position) * -GRAVITY
    velocity = min(max(velocity, -TOP_SPEED), TOP_SPEED)
    position = min(max(position + velocity, LOWEST), HIGHEST)
    if position == LOWEST and velocity < 0:
        velocity = 0.0
    return position, velocity, position >= GOAL and velocity >= 0


@kernel
def cell(position: float, velocity: float, bins: int) -> int:
    """State that a car not yet at the goal is in, 0 .. bins^2 - 1."""
    column = int((position - LOWEST) * (bins / (GOAL - LOWEST)))
    row = int((velocity + TOP_SPEED) * (bins / (2 * TOP_SPEED)))
    return min(column, bins - 1) * bins + min(row, bins - 1)


@kernel
def drive(
    policy: Ints, start: float, restart: float, course: Course, states: Ints, actions: Ints
) -> tuple[int, bool]:
    """One episode of a deterministic policy.

    Args:
        policy: [S].
        start: position of the car at first; it stands still.
        restart: position whose cell follows the goal.
        course: the episode's rules.
        states: [L] filled with the states passed; L = steps + 2 are enough.
        actions: [L] filled with the actions taken.

    Returns:
        (length, arrived): states[:length] and actions[: length - 1] are filled; arrived in time.
    """
    goal = course.bins * course.bins
    position, velocity = start, 0.0
    states[0] = cell(position, velocity, course.bins)
    for step in range(course.steps):
        actions[step] = policy[states[step]]
        position, velocity, arrived = move(position, velocity, actions[step])
        if arrived:
            states[step + 1], actions[step + 1] = goal, policy[goal]
            if step + 1 == course.steps and not course.last_step_counts:
                return step + 2, False
            states[step + 2] = cell(restart, 0.0, course.bins)
            return step + 3, True
        states[step + 1] = cell(position, velocity, course.bins)
    return course.steps + 1, False
