"""One trial of a bandit with a linear model per arm, compiled: a step renews one arm's column.

Means and widths of an arm move, for all users, by the same projection p = u . Lambda_a^-1 u_t. Only
the arm just played can gain or lose users in the output policy. Every `REFRESH` steps all is solved
anew from Lambda_a, so that rounding cannot add up.

S users, A arms, D factors, K checkpoints. Columns are [A, S]: a renewal runs along all users.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled.kernels import GAP, REGRET, UNCERTAINTY, draw, note
from kl_derail.plumbing.compiled import kernel

REFRESH = 1000


class Problem(NamedTuple):
    """A bandit with a model per arm as the kernel reads it.

    Attributes:
        users: [D, S] known factors.
        losses: [A, S] best mean reward of the user minus that of the arm.
        rewards: [A, S] means.
        contexts: [S] distribution of users.
        first: [1, S] cumulative `contexts`.
        noise: half-width of the uniform noise.
    """

    users: Floats
    losses: Floats
    rewards: Floats
    contexts: Floats
    first: Floats
    noise: float


class Rule(NamedTuple):
    """How a trial is played and judged.

    Attributes:
        regret: play estimate + bonus and sum the regret; else play the bonus and judge the output.
        scale: published bonus scale beta; 0: the radius of each arm's confidence ellipsoid.
        delta: probability with which an arm's ellipsoid may fail.
        norm: bound on ||item|| that the ellipsoids assume.
        ridge: lambda.
    """

    regret: bool
    scale: float
    delta: float
    norm: float
    ridge: float


class State(NamedTuple):
    """What the learner knows.

    Attributes:
        plays: [A] observations of each arm.
        precision: [A, D, D] Lambda_a = ridge I + sum u u^T.
        inverse: [A, D, D] of it.
        moment: [A, D] sum of reward u.
        theta: [A, D] estimates.
        determinant: [A] log det Lambda_a - D log ridge.
        mean: [A, S] theta . u.
        width: [A, S] ||u||^2 in the inverse.
        value: [A, S] pessimistic values, their running maximum from 0 on under the published rule.
        output: [S] arms of the output policy.
        direction: [D] room for inverse u_t.
        room: [S] room for a sum along users.
        totals: [4] sums over steps.
        gap: [1] of the output policy.
    """

    plays: Ints
    precision: Floats
    inverse: Floats
    moment: Floats
    theta: Floats
    determinant: Floats
    mean: Floats
    width: Floats
    value: Floats
    output: Ints
    direction: Floats
    room: Floats
    totals: Floats
    gap: Floats


def run_trial(
    problem: Problem,
    rule: Rule,
    behaviour: Floats,
    n_offline: int,
    checkpoints: Ints,
    offline: np.random.Generator,
    online: np.random.Generator,
) -> Floats:
    """Play one trial; returns its curves [4, K].

    Args:
        problem: the bandit.
        rule: objective and bonuses.
        behaviour: [S, A] cumulative action probabilities of the offline policy.
        n_offline: offline observations.
        checkpoints: [K] online steps to log, rising; the last one ends the trial.
        offline: generator of the offline data.
        online: generator of the online steps.
    """
    state, curves = _empty_state(problem, rule), np.full((4, len(checkpoints)), np.nan)
    _learn_offline(problem, state, behaviour, n_offline, offline)
    _solve(problem, rule, state)
    for arm in range(len(state.plays)):
        _judge(rule, state, arm, _radius(problem, rule, state, arm))
    state.gap[0] = _gap(problem, state)
    for begin in range(0, int(checkpoints[-1]), REFRESH):
        end = min(begin + REFRESH, int(checkpoints[-1]))
        _play_online(problem, rule, state, begin, end, checkpoints, curves, online)
        _solve(problem, rule, state)
    return curves


def _empty_state(problem: Problem, rule: Rule) -> State:
    (dimension, users), arms = problem.users.shape, len(problem.rewards)
    return State(
        plays=np.zeros(arms, np.int64),
        precision=np.tile(rule.ridge * np.eye(dimension), (arms, 1, 1)),
        inverse=np.zeros((arms, dimension, dimension)),
        moment=np.zeros((arms, dimension)),
        theta=np.zeros((arms, dimension)),
        determinant=np.zeros(arms),
        mean=np.zeros((arms, users)),
        width=np.zeros((arms, users)),
        value=np.zeros((arms, users)),
        output=np.zeros(users, np.int64),
        direction=np.zeros(dimension),
        room=np.zeros(users),
        totals=np.zeros(4),
        gap=np.zeros(1),
    )


def _solve(problem: Problem, rule: Rule, state: State) -> None:
    """Inverses, estimates and determinants from every Lambda_a; means and widths from them."""
    inverse_ADD = np.linalg.inv(state.precision)
    state.inverse[:] = (inverse_ADD + inverse_ADD.transpose(0, 2, 1)) / 2
    state.theta[:] = np.einsum("ade,ae->ad", state.inverse, state.moment)
    logarithms_A = np.linalg.slogdet(state.precision).logabsdet
    state.determinant[:] = logarithms_A - len(problem.users) * math.log(rule.ridge)
    state.mean[:] = state.theta @ problem.users
    state.width[:] = (problem.users * (state.inverse @ problem.users)).sum(axis=1)


@kernel
def _learn_offline(
    problem: Problem, state: State, behaviour: Floats, steps: int, rng: np.random.Generator
) -> None:
    """Observations under the behaviour policy, a uniform number for every action."""
    for _ in range(steps):
        user = draw(problem.first, 0, rng.random())
        arm = draw(behaviour, user, rng.random())
        _count(problem, state, arm, user, _reward(problem, arm, user, rng))


@kernel
def _play_online(
    problem: Problem,
    rule: Rule,
    state: State,
    begin: int,
    end: int,
    checkpoints: Ints,
    curves: Floats,
    rng: np.random.Generator,
) -> None:
    """Steps begin + 1 to end: choose, learn, judge."""
    totals, point = state.totals, 0
    while checkpoints[point] <= begin:
        point += 1
    for step in range(begin + 1, end + 1):
        user = draw(problem.first, 0, rng.random())
        arm = _choose(problem, rule, state, user)
        bonus = _bonus(rule, state, arm, user, _radius(problem, rule, state, arm))
        totals[UNCERTAINTY] += bonus * bonus
        totals[REGRET] += problem.losses[arm, user]
        _update(problem, state, arm, user, _reward(problem, arm, user, rng))
        if not rule.regret:
            if _judge(rule, state, arm, _radius(problem, rule, state, arm)):
                state.gap[0] = _gap(problem, state)
            totals[GAP] += state.gap[0]
        if step == checkpoints[point]:
            note(curves, point, step, totals, state.gap[0])
            point += 1


@kernel
def _reward(problem: Problem, arm: int, user: int, rng: np.random.Generator) -> float:
    return float(problem.rewards[arm, user]) + problem.noise * (2 * rng.random() - 1)


@kernel
def _radius(problem: Problem, rule: Rule, state: State, arm: int) -> float:
    """What a width is multiplied by; valid: Abbasi-Yadkori et al. 2011, Thm. 2, for each arm."""
    if rule.scale > 0:
        return rule.scale
    spread = math.sqrt(-2 * math.log(rule.delta) + state.determinant[arm])
    return problem.noise * spread + math.sqrt(rule.ridge) * rule.norm


@kernel
def _bonus(rule: Rule, state: State, arm: int, user: int, radius: float) -> float:
    """Radius x ||u||; published: at most 1, and 1 before the arm was played."""
    bonus = radius * math.sqrt(state.width[arm, user])
    if rule.scale > 0:
        return 1.0 if state.plays[arm] == 0 else min(bonus, 1.0)
    return bonus


@kernel
def _count(problem: Problem, state: State, arm: int, user: int, reward: float) -> None:
    """Add an observation to the arm's Lambda and moment."""
    users = problem.users
    state.plays[arm] += 1
    for i in range(len(users)):
        state.moment[arm, i] += reward * users[i, user]
        for j in range(len(users)):
            state.precision[arm, i, j] += users[i, user] * users[j, user]


@kernel
def _choose(problem: Problem, rule: Rule, state: State, user: int) -> int:
    """The arm to play: largest bonus (for regret: estimate + bonus); the first of equal ones."""
    best, top = 0, -np.inf
    for arm in range(len(state.plays)):
        score = _bonus(rule, state, arm, user, _radius(problem, rule, state, arm))
        if rule.regret:
            score += state.mean[arm, user]
        if score > top:
            best, top = arm, score
    return best


@kernel
def _update(problem: Problem, state: State, arm: int, user: int, reward: float) -> None:
    """Sherman-Morrison for the arm: inverse, estimate, and its means and widths for all users."""
    _count(problem, state, arm, user, reward)
    direction, dimension = state.direction, len(state.direction)
    width, mean = state.width[arm, user], state.mean[arm, user]
    shrink, gain = 1 / (1 + width), (reward - mean) / (1 + width)
    for i in range(dimension):
        direction[i] = 0.0
        for j in range(dimension):
            direction[i] += state.inverse[arm, i, j] * problem.users[j, user]
    for i in range(dimension):
        state.theta[arm, i] += gain * direction[i]
        for j in range(dimension):
            state.inverse[arm, i, j] -= shrink * direction[i] * direction[j]
    state.determinant[arm] += math.log1p(width)
    _spread(problem.users, state, arm, shrink, gain)


@kernel
def _spread(users: Floats, state: State, arm: int, shrink: float, gain: float) -> None:
    """Move the arm's means and widths by their projections on the direction of the update."""
    room, direction = state.room, state.direction
    for user in range(len(room)):
        room[user] = direction[0] * users[0, user]
    for i in range(1, len(users)):
        for user in range(len(room)):
            room[user] += direction[i] * users[i, user]
    for user in range(len(room)):
        state.width[arm, user] -= shrink * room[user] * room[user]
        state.mean[arm, user] += gain * room[user]


@kernel
def _judge(rule: Rule, state: State, arm: int, radius: float) -> bool:
    """Renew the arm's pessimistic values and the users it has; whether the output changed."""
    values, output, room = state.value, state.output, state.room
    changed = False
    for user in range(len(room)):
        room[user] = state.mean[arm, user] - _bonus(rule, state, arm, user, radius)
    for user in range(len(room)):
        before, value = values[arm, user], room[user]
        if rule.scale > 0:
            value = max(value, before)
        values[arm, user] = value
        holder = output[user]
        if holder == arm and value < before:
            output[user] = _best_arm(values, user)
        elif value > values[holder, user] or (value == values[holder, user] and arm < holder):
            output[user] = arm
        changed |= output[user] != holder
    return changed


@kernel
def _best_arm(values: Floats, user: int) -> int:
    best = 0
    for arm in range(1, len(values)):
        if values[arm, user] > values[best, user]:
            best = arm
    return best


@kernel
def _gap(problem: Problem, state: State) -> float:
    """Mean over users of what the output policy loses."""
    gap = 0.0
    for user in range(len(state.output)):
        gap += problem.contexts[user] * problem.losses[state.output[user], user]
    return gap
