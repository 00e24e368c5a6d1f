"""Discounted values of a model that grows by one episode at a time, compiled.

Rows are sparse, so a sweep costs as much as there are successors seen. A row that was never tried is
uniform over all states: it needs only the mean of the values. A self-loop is solved for at once:
q = c + gamma (p q + rest) gives q = (c + gamma rest) / (1 - gamma p), and the largest such q over
actions is the value of the state. Between greedy sweeps, sweeps of the greedy policy alone spread the
change (modified policy iteration, Puterman and Shin 1978), in place (Gauss-Seidel).

S states, A actions, K most successors of a row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.plumbing.compiled import kernel

TIES = 1e-9
"""Actions whose values lie within this of the best are equal, and the first of them is taken: a
difference of rounding does not change a policy. Synchronous sweeps are published without it."""

RESOLUTION = 2e-15
"""Times the largest value / (1 - gamma): changes below that are rounding, and sweeps end."""

ROUNDS = 100
"""Greedy sweeps after which the policy's own sweeps are left out: plain value iteration always ends."""


class Rule(NamedTuple):
    """How values are computed.

    Attributes:
        discount: gamma.
        scale: beta of the bonus b = min(1, beta / sqrt(n)).
        tolerance: largest change of a value in the last sweep; converged values are then within
            tolerance x gamma / (1 - gamma) of the fixed point.
        synchronous: plain sweeps from old to new values, as published, instead of the fast ones.
        order: [S] of the states in a sweep; it changes the cost, not the result.
        unclipped: whether the policy is greedy for action values before they are raised to the
            floor of their aim; published is after, where at the floor all actions are equal.
    """

    discount: float
    scale: float
    tolerance: float
    synchronous: bool
    order: Ints
    unclipped: bool = False


class Aim(NamedTuple):
    """What is maximised: Q = max(rewards + sign b + gamma P^ max Q, floor).

    Attributes:
        rewards: [S] of being in a state.
        sign: of the bonus: 1, 0 or -1.
        floor: least value of an action; -inf: none.
    """

    rewards: Floats
    sign: float
    floor: float


class Model(NamedTuple):
    """What was seen, and what follows from it for values.

    Attributes:
        tried: [S, A] visits n.
        known: [S, A] distinct successors.
        width: [1] most successors of a row so far. Loops run to it over all rows, since a branch
            that is never mispredicted is cheaper than an idle product.
        successors: [S, A, K] of them, in the order of their discovery.
        times: [S, A, K] how often.
        weights: [S, A, K] gamma P^ / (1 - gamma P^(s | s, a)); 0 for s itself.
        stretch: [S, A] 1 / (1 - gamma P^(s | s, a)).
        blank: [S, A] gamma where n = 0, else 0.
        bonus: [S, A] b; 1 where n = 0.
    """

    tried: Ints
    known: Ints
    width: Ints
    successors: Ints
    times: Ints
    weights: Floats
    stretch: Floats
    blank: Floats
    bonus: Floats


class Greedy(NamedTuple):
    """The rows of one policy, side by side in the order of the sweep.

    Attributes:
        successors: [S x width].
        weights: [S x width].
        constants: [S] reward and bonus, stretched.
        blank: [S] as in `Model`.
    """

    successors: Ints
    weights: Floats
    constants: Floats
    blank: Floats


@kernel
def empty_model(states: int, actions: int, successors: int, rule: Rule) -> Model:
    """The model before any data: every row is uniform."""
    rows, entries = (states, actions), (states, actions, successors)
    return Model(
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(1, np.int64),
        np.zeros(entries, np.int64),
        np.zeros(entries, np.int64),
        np.zeros(entries),
        np.ones(rows),
        np.full(rows, rule.discount),
        np.ones(rows),
    )


@kernel
def record(model: Model, rule: Rule, states: Ints, actions: Ints, length: int) -> None:
    """Learn from an episode: states[: length] passed, actions[: length - 1] taken.

    Raises:
        ValueError: a row has more successors than the model has room for.
    """
    for step in range(length - 1):
        _count(model, states[step], actions[step], states[step + 1])
    for step in range(length - 1):
        _renew(model, rule, states[step], actions[step])


@kernel
def _count(model: Model, state: int, action: int, following: int) -> None:
    known, k = model.known[state, action], 0
    while k < known and model.successors[state, action, k] != following:
        k += 1
    if k == known:
        if k == model.successors.shape[2]:
            raise ValueError("a row of the model has more successors than it has room for")
        model.successors[state, action, k] = following
        model.known[state, action] += 1
        model.width[0] = max(model.width[0], k + 1)
    model.times[state, action, k] += 1
    model.tried[state, action] += 1


@kernel
def _renew(model: Model, rule: Rule, state: int, action: int) -> None:
    """Weights and bonus of a row from its counts."""
    n, stay, known = model.tried[state, action], 0, model.known[state, action]
    for k in range(known):
        if model.successors[state, action, k] == state:
            stay = model.times[state, action, k]
    # n - gamma stay = n (1 - gamma P^(s | s, a))
    share = rule.discount / (n - rule.discount * stay)
    for k in range(known):
        leaves = model.successors[state, action, k] != state
        model.weights[state, action, k] = share * model.times[state, action, k] if leaves else 0.0
    model.stretch[state, action] = share * n / rule.discount
    model.blank[state, action] = 0.0
    model.bonus[state, action] = min(1.0, rule.scale / math.sqrt(n))


@kernel
def solve(model: Model, aim: Aim, rule: Rule, values: Floats, policy: Ints) -> int:
    """Values and greedy policy of an aim, from `values` [S] on; both arrays are overwritten.

    Returns:
        Greedy sweeps over all states.
    """
    if rule.synchronous:
        return _solve_synchronously(model, aim, rule, values, policy)
    mean, sweeps = values.mean(), 0
    while True:
        mean, change = _improve(model, aim, rule, mean, values, policy)
        sweeps, tolerance = sweeps + 1, _tolerance(rule, values)
        if change < tolerance:
            return sweeps
        if sweeps < ROUNDS:
            goal = max(0.3 * tolerance, 0.01 * change)
            mean = _evaluate(model, aim, rule, mean, goal, values, policy)


@kernel
def _tolerance(rule: Rule, values: Floats) -> float:
    rounding = RESOLUTION * float(np.abs(values).max()) / (1 - rule.discount)
    return max(rule.tolerance, rounding)


@kernel
def _improve(
    model: Model, aim: Aim, rule: Rule, mean: float, values: Floats, policy: Ints
) -> tuple[float, float]:
    """One sweep of V(s) = max_a Q(s, a), in place; returns the mean and the largest change."""
    change, total, blank = 0.0, 0.0, 0.0
    margin = TIES / (1 - rule.discount)  # no row is stretched by more
    for s in rule.order:
        top, best, doubtful = aim.floor, 0, False
        for a in range(model.known.shape[1]):
            value = _solved(model, aim, mean, s, a, values)
            doubtful |= value != top and abs(value - top) < margin
            if value > top:
                top, best = value, a
        if doubtful or (rule.unclipped and top == aim.floor):
            best = _settled(model, aim, rule, mean, s, top, values)
        change = max(change, abs(top - values[s]))
        values[s], policy[s] = top, best
        total += top - mean
        blank += model.blank[s, best] if top > aim.floor else 0.0
    moved = total / (len(values) - blank)  # Newton's step: uniform rows move along
    return mean + moved, max(change, abs(moved))


@kernel
def _solved(model: Model, aim: Aim, mean: float, s: int, a: int, values: Floats) -> float:
    """What the value of the state would be if this were its best action: the self-loop is solved for."""
    value = (aim.rewards[s] + aim.sign * model.bonus[s, a]) * model.stretch[s, a]
    value += model.blank[s, a] * mean
    for k in range(model.width[0]):
        value += model.weights[s, a, k] * values[model.successors[s, a, k]]
    return float(value)


@kernel
def _settled(
    model: Model, aim: Aim, rule: Rule, mean: float, s: int, top: float, values: Floats
) -> int:
    """The greedy action by Q for V(s) = top: V - Q is (V - q) (1 - gamma P^(s | s, a))."""
    plain = np.empty(model.known.shape[1])
    for a in range(len(plain)):
        solved = _solved(model, aim, mean, s, a, values)
        plain[a] = top - (top - solved) / model.stretch[s, a]
    return first_best(plain, TIES, rule.unclipped, aim.floor)


@kernel
def first_best(values: Floats, ties: float, unclipped: bool, floor: float) -> int:
    """The first of the actions [A] within `ties` of the best, clipped at the floor or not."""
    lowest = -np.inf if unclipped else floor
    best, action = max(values.max(), lowest), 0
    while max(values[action], lowest) < best - ties:
        action += 1
    return action


@kernel
def _evaluate(
    model: Model, aim: Aim, rule: Rule, mean: float, goal: float, values: Floats, policy: Ints
) -> float:
    """Sweeps of the policy alone, in place, until no value changes by `goal`; returns the mean."""
    rows, width, change = _gather(model, aim, rule, policy), model.width[0], np.inf
    while change >= goal:
        change, total, blank, entry = 0.0, 0.0, 0.0, 0
        for i in range(len(values)):
            value = rows.constants[i] + rows.blank[i] * mean
            for _ in range(width):
                value += rows.weights[entry] * values[rows.successors[entry]]
                entry += 1
            value = max(value, aim.floor)
            s = rule.order[i]
            change = max(change, abs(value - values[s]))
            values[s] = value
            total += value - mean
            blank += rows.blank[i] if value > aim.floor else 0.0
        moved = total / (len(values) - blank)  # Newton's step: uniform rows move along
        mean, change = mean + moved, max(change, abs(moved))
    return mean


@kernel
def _gather(model: Model, aim: Aim, rule: Rule, policy: Ints) -> Greedy:
    states, width, entry = len(policy), model.width[0], 0
    rows = Greedy(
        np.empty(states * width, np.int64),
        np.empty(states * width),
        np.empty(states),
        np.empty(states),
    )
    for i in range(states):
        s = rule.order[i]
        a = policy[s]
        for k in range(width):
            rows.successors[entry] = model.successors[s, a, k]
            rows.weights[entry] = model.weights[s, a, k]
            entry += 1
        rows.blank[i] = model.blank[s, a]
        rows.constants[i] = (aim.rewards[s] + aim.sign * model.bonus[s, a]) * model.stretch[s, a]
    return rows


@kernel
def _solve_synchronously(model: Model, aim: Aim, rule: Rule, values: Floats, policy: Ints) -> int:
    """Value iteration from old to new values until none changes by the tolerance."""
    sweeps, change, plain = 0, np.inf, np.empty(model.known.shape[1])
    while change >= _tolerance(rule, values):
        change, sweeps, old, mean = 0.0, sweeps + 1, values.copy(), values.mean()
        for s in range(len(values)):
            for a in range(len(plain)):
                plain[a] = _plain(model, aim, rule, mean, s, a, old)
            values[s] = max(plain.max(), aim.floor)
            policy[s] = first_best(plain, 0.0, rule.unclipped, aim.floor)
            change = max(change, abs(values[s] - old[s]))
    return sweeps


@kernel
def _plain(
    model: Model, aim: Aim, rule: Rule, mean: float, s: int, a: int, values: Floats
) -> float:
    """Q(s, a) from the values, the self-loop not solved for."""
    follow = 0.0
    for k in range(model.known[s, a]):
        follow += model.times[s, a, k] * values[model.successors[s, a, k]]
    expected = follow / model.tried[s, a] if model.tried[s, a] else mean
    return float(aim.rewards[s] + aim.sign * model.bonus[s, a] + rule.discount * expected)
