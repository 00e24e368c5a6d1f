"""One trial of the linear contextual bandit, compiled: a step is a rank-one update.

Sub-optimality needs estimate and width of every arm in every context after every step; both move
by the same projection p = phi . Lambda^-1 phi_t, so one pass over the features serves them. Regret
needs them in the visited context only: there they are worked out from the inverse. Every `REFRESH`
steps all is solved anew from Lambda, so that rounding cannot add up.

S contexts, A arms, D dimensions, C = S A cells (s A + a), K checkpoints. Features are
[S, D, A]: sums over D run along all arms of a context at once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled.kernels import GAP, REGRET, UNCERTAINTY, draw, note
from kl_derail.hybrid.oracles.ridge import symmetric_inverse
from kl_derail.plumbing.compiled import kernel

REFRESH = 1000


class Problem(NamedTuple):
    """A linear bandit as the kernel reads it.

    Attributes:
        features: [S, D, A].
        rewards: [S, A] means.
        contexts: [S] distribution.
        first: [1, S] cumulative `contexts`.
        noise: half-width of the uniform noise.
    """

    features: Floats
    rewards: Floats
    contexts: Floats
    first: Floats
    noise: float


class Rule(NamedTuple):
    """How a trial is played and judged.

    Attributes:
        regret: play estimate + bonus and sum the regret; else play the bonus and judge the output.
        scale: published bonus scale beta; 0: the radius of the confidence ellipsoid.
        delta: probability with which the ellipsoid may fail.
        norm: bound on ||theta|| that the ellipsoid assumes.
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
        precision: [D, D] Lambda = ridge I + sum phi phi^T.
        inverse: [D, D] of it.
        moment: [D] sum of reward phi.
        theta: [D] estimate, inverse moment.
        determinant: [1] log det Lambda - D log ridge.
        mean: [S, A] theta . phi; kept for sub-optimality only.
        width: [S, A] ||phi||^2 in the inverse; kept for sub-optimality only.
        bonus: [S, A] what is explored by, its running minimum under the published rule.
        direction: [D] room for inverse phi_t.
        room: [A] room for a sum along arms.
        output: [S] arms of the output policy; -1 before it was first asked for.
        totals: [4] sums over steps.
        gap: [1] of the output policy.
    """

    precision: Floats
    inverse: Floats
    moment: Floats
    theta: Floats
    determinant: Floats
    mean: Floats
    width: Floats
    bonus: Floats
    direction: Floats
    room: Floats
    output: Ints
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
    state, curves = empty_state(problem, rule), np.full((4, len(checkpoints)), np.nan)
    _learn_offline(problem, state, behaviour, n_offline, offline)
    for begin in range(0, int(checkpoints[-1]), REFRESH):
        solve(problem, rule, state)
        end = min(begin + REFRESH, int(checkpoints[-1]))
        _play_online(problem, rule, state, begin, end, checkpoints, curves, online)
    return curves


def empty_state(problem: Problem, rule: Rule) -> State:
    """Nothing was seen."""
    contexts, dimension, arms = problem.features.shape
    return State(
        precision=rule.ridge * np.eye(dimension),
        inverse=np.eye(dimension) / rule.ridge,
        moment=np.zeros(dimension),
        theta=np.zeros(dimension),
        determinant=np.zeros(1),
        mean=np.zeros((contexts, arms)),
        width=np.zeros((contexts, arms)),
        bonus=np.ones((contexts, arms)),
        direction=np.zeros(dimension),
        room=np.zeros(arms),
        output=np.full(contexts, -1),
        totals=np.zeros(4),
        gap=np.zeros(1),
    )


def solve(problem: Problem, rule: Rule, state: State) -> None:
    """Inverse, estimate and determinant from Lambda; means and widths of all cells from them."""
    state.inverse[:] = symmetric_inverse(state.precision)
    state.theta[:] = state.inverse @ state.moment
    logarithm = np.linalg.slogdet(state.precision).logabsdet
    state.determinant[0] = logarithm - len(state.theta) * math.log(rule.ridge)
    for context in range(len(state.mean)):
        _evaluate(problem, state, context)


@kernel
def _learn_offline(
    problem: Problem, state: State, behaviour: Floats, steps: int, rng: np.random.Generator
) -> None:
    """Observations under the behaviour policy, a uniform number for every action."""
    for _ in range(steps):
        context = draw(problem.first, 0, rng.random())
        arm = draw(behaviour, context, rng.random())
        _count(problem, state, context, arm, _reward(problem, context, arm, rng))


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
        context = draw(problem.first, 0, rng.random())
        arm = _choose(problem, rule, state, context)
        totals[UNCERTAINTY] += state.bonus[context, arm] * state.bonus[context, arm]
        totals[REGRET] += _largest(problem.rewards, context) - problem.rewards[context, arm]
        _update(problem, rule, state, context, arm, _reward(problem, context, arm, rng))
        if not rule.regret:
            if _pessimist(rule, state, _radius(problem, rule, state)):
                state.gap[0] = _gap(problem, state.output)
            totals[GAP] += state.gap[0]
        if step == checkpoints[point]:
            note(curves, point, step, totals, state.gap[0])
            point += 1


@kernel
def _reward(problem: Problem, context: int, arm: int, rng: np.random.Generator) -> float:
    return float(problem.rewards[context, arm]) + problem.noise * (2 * rng.random() - 1)


@kernel
def _largest(values: Floats, row: int) -> float:
    top = float(values[row, 0])
    for index in range(1, values.shape[1]):
        top = max(top, values[row, index])
    return top


@kernel
def _radius(problem: Problem, rule: Rule, state: State) -> float:
    """What a width is multiplied by; valid: Abbasi-Yadkori et al. 2011, Thm. 2."""
    if rule.scale > 0:
        return rule.scale
    spread = math.sqrt(-2 * math.log(rule.delta) + state.determinant[0])
    return problem.noise * spread + math.sqrt(rule.ridge) * rule.norm


@kernel
def _count(problem: Problem, state: State, context: int, arm: int, reward: float) -> None:
    """Add an observation to Lambda and to the moment."""
    features, dimension = problem.features, len(state.moment)
    for i in range(dimension):
        phi = features[context, i, arm]
        state.moment[i] += reward * phi
        for j in range(dimension):
            state.precision[i, j] += phi * features[context, j, arm]


@kernel
def _evaluate(problem: Problem, state: State, context: int) -> None:
    """Means and widths of all arms of a context, from estimate and inverse (a symmetric form)."""
    features, mean, width, room = problem.features, state.mean, state.width, state.room
    arms = len(room)
    for arm in range(arms):
        mean[context, arm] = 0.0
        width[context, arm] = 0.0
    for i in range(len(state.theta)):
        diagonal, theta = state.inverse[i, i], state.theta[i]
        for arm in range(arms):
            room[arm] = diagonal * features[context, i, arm]
        for j in range(i):
            twice = 2 * state.inverse[i, j]
            for arm in range(arms):
                room[arm] += twice * features[context, j, arm]
        for arm in range(arms):
            width[context, arm] += room[arm] * features[context, i, arm]
            mean[context, arm] += theta * features[context, i, arm]


@kernel
def _choose(problem: Problem, rule: Rule, state: State, context: int) -> int:
    """The arm to play: largest bonus (for regret: estimate + bonus); the first of equal ones."""
    factor = 1.0
    if rule.regret:
        _evaluate(problem, state, context)
    if rule.regret or rule.scale == 0:
        factor = _radius(problem, rule, state)
    best, top = 0, -np.inf
    for arm in range(problem.rewards.shape[1]):
        bonus = factor * math.sqrt(state.width[context, arm])
        if rule.scale > 0:
            bonus = min(bonus, state.bonus[context, arm])
        state.bonus[context, arm] = bonus
        score = state.mean[context, arm] + bonus if rule.regret else bonus
        if score > top:
            best, top = arm, score
    return best


@kernel
def _update(
    problem: Problem, rule: Rule, state: State, context: int, arm: int, reward: float
) -> None:
    """Sherman-Morrison: inverse, estimate and, for sub-optimality, all means and widths."""
    _count(problem, state, context, arm, reward)
    direction, dimension = state.direction, len(state.theta)
    width, mean = 0.0, 0.0
    for i in range(dimension):
        direction[i] = 0.0
        for j in range(dimension):
            direction[i] += state.inverse[i, j] * problem.features[context, j, arm]
        width += direction[i] * problem.features[context, i, arm]
        mean += state.theta[i] * problem.features[context, i, arm]
    shrink, gain = 1 / (1 + width), (reward - mean) / (1 + width)
    for i in range(dimension):
        state.theta[i] += gain * direction[i]
        for j in range(dimension):
            state.inverse[i, j] -= shrink * direction[i] * direction[j]
    state.determinant[0] += math.log1p(width)
    if not rule.regret:
        _spread(problem.features, state, shrink, gain)


@kernel
def _spread(features: Floats, state: State, shrink: float, gain: float) -> None:
    """Move all means and widths by their projections on the direction of the update."""
    contexts, dimension, arms = features.shape
    room, direction = state.room, state.direction
    for context in range(contexts):
        for arm in range(arms):
            room[arm] = direction[0] * features[context, 0, arm]
        for i in range(1, dimension):
            weight = direction[i]
            for arm in range(arms):
                room[arm] += weight * features[context, i, arm]
        for arm in range(arms):
            state.width[context, arm] -= shrink * room[arm] * room[arm]
            state.mean[context, arm] += gain * room[arm]


@kernel
def _pessimist(rule: Rule, state: State, radius: float) -> bool:
    """Argmax of mean - radius ||phi|| in every context; whether it changed.

    Most arms are told apart without a root: mean - top > radius ||phi|| only where mean > top and
    (mean - top)^2 > radius^2 ||phi||^2.
    """
    changed, output = False, state.output
    for context in range(len(output)):
        best = 0
        top = state.mean[context, 0] - radius * math.sqrt(state.width[context, 0])
        for arm in range(1, state.mean.shape[1]):
            lead = state.mean[context, arm] - top
            if lead > 0 and lead * lead > radius * radius * state.width[context, arm]:
                best = arm
                top = state.mean[context, arm] - radius * math.sqrt(state.width[context, arm])
        changed |= best != output[context]
        output[context] = best
    return changed


@kernel
def _gap(problem: Problem, output: Ints) -> float:
    """Mean over contexts of what the output policy loses."""
    gap = 0.0
    for context in range(len(output)):
        loss = _largest(problem.rewards, context) - problem.rewards[context, output[context]]
        gap += problem.contexts[context] * loss
    return gap
