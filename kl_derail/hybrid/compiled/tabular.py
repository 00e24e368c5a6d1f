"""One trial of the tabular experiments, compiled: about 1 us an episode.

An episode changes one row of the model a step, and only those are renewed; the exact value of a
policy is worked out anew only where the policy has changed. Backups are done in full, as sums over
the next states in order that run along all state-action pairs at once: equal to the reference to
rounding, and for the published size quicker than finding out what may be left out.

S states, A actions, H horizon, C = S A cells (s A + a), K checkpoints.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled.kernels import GAP, REGRET, UNCERTAINTY, draw, note
from kl_derail.plumbing.compiled import kernel


class Tables(NamedTuple):
    """A tabular MDP as the kernel reads it.

    Attributes:
        initial: [S] distribution of the first state.
        transitions: [H, C, S] probabilities of the next state.
        rewards: [H, C] mean rewards, known to the learner.
        first: [1, S] cumulative `initial`.
        following: [H C, S] cumulative `transitions`.
        optimal: [H, S] cells of an optimal policy; its value, by the same sums, is V*.
        identity: [A, A]; how a greedy policy draws its actions.
    """

    initial: Floats
    transitions: Floats
    rewards: Floats
    first: Floats
    following: Floats
    optimal: Ints
    identity: Floats


class Rule(NamedTuple):
    """How a trial is played and judged.

    Attributes:
        regret: sum the regret of what is played; else judge the output.
        reward_weight: of rewards in what the explorer collects beside the bonus: 0 or 1.
        span: [H] largest bonus of a step.
        base: [N + 1] share of the span that is the bonus of a cell visited n times.
        slope: [N + 1] what a cell's deviation, sum over next states of sqrt(p^ (1 - p^)), adds to
            that share; 0 unless the bonus is of Bernstein's kind.
        ceiling: [H] largest value from a step on; inf where values are not clipped.
        running: whether pessimistic values keep their maximum over episodes.
        unseen: probability of each next state where nothing was seen.
        random: whether actions are drawn around the greedy one.
        mixture: [A, A] probability of each action by the greedy action; the identity if not random.
        choice: [A, A] cumulative `mixture`.
    """

    regret: bool
    reward_weight: float
    span: Floats
    base: Floats
    slope: Floats
    ceiling: Floats
    running: bool
    unseen: float
    random: bool
    mixture: Floats
    choice: Floats


class Model(NamedTuple):
    """What the learner knows.

    Attributes:
        visits: [H, C] visits of each cell.
        counts: [H, S, C] transitions seen into each next state.
        estimate: [H, S, C] their estimated probabilities; all alike where nothing was seen.
        bonus: [H, C] bonus of each cell.
        optimist: [H, C] what the explorer collects: the bonus, or reward + bonus.
        pessimist: [H, C] reward - bonus.
    """

    visits: Ints
    counts: Ints
    estimate: Floats
    bonus: Floats
    optimist: Floats
    pessimist: Floats


class Plan(NamedTuple):
    """Values by backward induction and their greedy policy.

    Attributes:
        q: [H, C] action values.
        v: [H + 1, S] their maxima; the last row is 0.
        policy: [H, S] cells in which the maxima lie, the first of equal ones.
        floor: [H, C] below which no value falls; `q` itself where values keep their maximum.
        expected: [C] room for expected next values.
    """

    q: Floats
    v: Floats
    policy: Ints
    floor: Floats
    expected: Floats


class Run(NamedTuple):
    """Where a trial writes.

    Attributes:
        path: [H, 2] cell and next state of each step of the last episode.
        totals: [4] sums over episodes.
        curves: [4, K] totals and gap at the checkpoints.
        values: [H + 1, S] room for the values of a policy; the last row stays 0.
    """

    path: Ints
    totals: Floats
    curves: Floats
    values: Floats


def run_trial(
    tables: Tables,
    rule: Rule,
    behaviour: Floats,
    n_offline: int,
    checkpoints: Ints,
    offline: np.random.Generator,
    online: np.random.Generator,
) -> Floats:
    """Play one trial; returns its curves [4, K].

    Args:
        tables: the environment.
        rule: objective, bonuses and clipping.
        behaviour: [H S, A] cumulative action probabilities of the offline policy.
        n_offline: offline episodes.
        checkpoints: [K] online episodes to log, rising; the last one ends the trial.
        offline: generator of the offline data.
        online: generator of the online episodes; one spawned from it draws random actions, so that
            all methods share the luck of the environment.
    """
    shape = tables.rewards.shape
    model, values = _empty_model(tables, rule), np.zeros(shape)
    explorer = _empty_plan(tables, np.zeros(shape), np.full(shape, -np.inf))
    output = _empty_plan(tables, values, values if rule.running else np.zeros(shape))
    curves = np.full((4, len(checkpoints)), np.nan)
    run = Run(np.empty((shape[0], 2), np.int64), np.zeros(4), curves, np.zeros_like(output.v))
    _learn_offline(tables, rule, model, run, behaviour, n_offline, offline)
    (chance,) = online.spawn(1)
    _play_online(tables, rule, model, run, explorer, output, checkpoints, online, chance)
    return curves


def _empty_model(tables: Tables, rule: Rule) -> Model:
    horizon, cells, states = tables.transitions.shape
    bonus = np.repeat(rule.span[:, None] * rule.base[0], cells, axis=1)
    return Model(
        visits=np.zeros((horizon, cells), np.int64),
        counts=np.zeros((horizon, states, cells), np.int64),
        estimate=np.full((horizon, states, cells), rule.unseen),
        bonus=bonus,
        optimist=rule.reward_weight * tables.rewards + bonus,
        pessimist=tables.rewards - bonus,
    )


def _empty_plan(tables: Tables, q: Floats, floor: Floats) -> Plan:
    horizon, cells, states = tables.transitions.shape
    return Plan(
        q=q,
        v=np.zeros((horizon + 1, states)),
        policy=np.full((horizon, states), -1, np.int64),
        floor=floor,
        expected=np.zeros(cells),
    )


@kernel
def _learn_offline(
    tables: Tables,
    rule: Rule,
    model: Model,
    run: Run,
    behaviour: Floats,
    episodes: int,
    rng: np.random.Generator,
) -> None:
    """Episodes of the behaviour policy, a uniform number for every action."""
    states, actions = len(tables.initial), behaviour.shape[1]
    for _ in range(episodes):
        state = draw(tables.first, 0, rng.random())
        for h in range(len(run.path)):
            cell = state * actions + draw(behaviour, h * states + state, rng.random())
            state = draw(tables.following, h * states * actions + cell, rng.random())
            run.path[h, 0], run.path[h, 1] = cell, state
        _learn(tables, rule, model, run.path)


@kernel
def _play_online(
    tables: Tables,
    rule: Rule,
    model: Model,
    run: Run,
    explorer: Plan,
    output: Plan,
    checkpoints: Ints,
    rng: np.random.Generator,
    chance: np.random.Generator,
) -> None:
    """Plan, play, learn, judge."""
    totals, gap, point = run.totals, 0.0, 0
    best = _policy_value(tables, tables.identity, tables.optimal, run.values)
    for episode in range(1, checkpoints[-1] + 1):
        changed = _backup(model.estimate, model.optimist, rule.ceiling, explorer)
        start = draw(tables.first, 0, rng.random())
        if rule.reward_weight == 0:
            spread = _mean(tables.initial, explorer.v)
        else:
            spread = _policy_bonus(tables, rule, model, explorer.policy, run.values)
        totals[UNCERTAINTY] += spread * spread
        if rule.regret:
            if changed:
                gap = best - _policy_value(tables, rule.mixture, explorer.policy, run.values)
            totals[REGRET] += gap
        _play(tables, rule, explorer.policy, start, rng, chance, run.path)
        _learn(tables, rule, model, run.path)
        if not rule.regret:
            if _backup(model.estimate, model.pessimist, rule.ceiling, output):
                gap = best - _policy_value(tables, tables.identity, output.policy, run.values)
            totals[GAP] += gap
        if episode == checkpoints[point]:
            note(run.curves, point, episode, totals, gap)
            point += 1


@kernel
def _play(
    tables: Tables,
    rule: Rule,
    policy: Ints,
    state: int,
    rng: np.random.Generator,
    chance: np.random.Generator,
    path: Ints,
) -> None:
    """An episode around a greedy policy from `state` on; `path` gets cells and next states."""
    cells, actions = tables.rewards.shape[1], len(rule.choice)
    for h in range(len(path)):
        cell = policy[h, state]
        if rule.random:
            cell = state * actions + draw(rule.choice, cell - state * actions, chance.random())
        state = draw(tables.following, h * cells + cell, rng.random())
        path[h, 0], path[h, 1] = cell, state


@kernel
def _learn(tables: Tables, rule: Rule, model: Model, path: Ints) -> None:
    """Count the episode and renew its rows of the model."""
    for h in range(len(path)):
        cell = path[h, 0]
        model.visits[h, cell] += 1
        model.counts[h, path[h, 1], cell] += 1
        visits, reward = model.visits[h, cell], tables.rewards[h, cell]
        deviation = 0.0
        for state in range(model.counts.shape[1]):
            share = model.counts[h, state, cell] / visits
            model.estimate[h, state, cell] = share
            if rule.slope[visits] > 0:
                deviation += math.sqrt(share * (1 - share))
        bonus = rule.slope[visits] * deviation + rule.base[visits]
        bonus = rule.span[h] * min(1.0, bonus)
        model.bonus[h, cell] = bonus
        model.optimist[h, cell] = rule.reward_weight * reward + bonus
        model.pessimist[h, cell] = reward - bonus


@kernel
def _backup(estimate: Floats, immediate: Floats, ceiling: Floats, plan: Plan) -> bool:
    """Backward induction: Q = clip(immediate + P^ V, floor, ceiling); whether the policy changed."""
    changed = False
    horizon, states, cells = estimate.shape
    q, floor, expected = plan.q, plan.floor, plan.expected
    expected[:] = 0.0
    for h in range(horizon - 1, -1, -1):
        if h < horizon - 1:
            _expect(estimate, h, plan.v, expected)
        for cell in range(cells):
            value = immediate[h, cell] + expected[cell]
            value = value if value < ceiling[h] else ceiling[h]
            q[h, cell] = value if value > floor[h, cell] else floor[h, cell]
        changed |= _maximise(plan, h, cells // states)
    return changed


@kernel
def _expect(estimate: Floats, h: int, v: Floats, expected: Floats) -> None:
    """Expected next value [C] at step h: sum over next states in order, along all cells at once."""
    for cell in range(len(expected)):
        expected[cell] = estimate[h, 0, cell] * v[h + 1, 0]
    for state in range(1, estimate.shape[1]):
        value = v[h + 1, state]
        for cell in range(len(expected)):
            expected[cell] += estimate[h, state, cell] * value


@kernel
def _maximise(plan: Plan, h: int, actions: int) -> bool:
    """Greedy cells and values of step h; whether a cell changed."""
    changed = False
    for state in range(plan.policy.shape[1]):
        best = state * actions
        top = plan.q[h, best]
        for cell in range(best + 1, (state + 1) * actions):
            if plan.q[h, cell] > top:
                best, top = cell, plan.q[h, cell]
        changed |= best != plan.policy[h, state]
        plan.policy[h, state] = best
        plan.v[h, state] = top
    return changed


@kernel
def _mean(weights: Floats, values: Floats) -> float:
    """Of the first row of values [.., S]."""
    total = 0.0
    for index in range(len(weights)):
        total += weights[index] * values[0, index]
    return total


@kernel
def _policy_value(tables: Tables, mixture: Floats, policy: Ints, values: Floats) -> float:
    """V^pi [] of the policy that draws its actions by `mixture` around greedy cells, exact."""
    states, actions = len(tables.initial), len(mixture)
    for h in range(len(policy) - 1, -1, -1):
        for state in range(states):
            first, total = state * actions, 0.0
            for cell in range(first, first + actions):
                weight = mixture[policy[h, state] - first, cell - first]
                if weight > 0:
                    expected = 0.0
                    for following in range(states):
                        share = tables.transitions[h, cell, following]
                        expected += share * values[h + 1, following]
                    total += weight * (tables.rewards[h, cell] + expected)
            values[h, state] = total
    return _mean(tables.initial, values)


@kernel
def _policy_bonus(tables: Tables, rule: Rule, model: Model, policy: Ints, values: Floats) -> float:
    """U^ [] of a deterministic policy: expected sum of its bonuses in the estimated model."""
    states = len(tables.initial)
    for h in range(len(policy) - 1, -1, -1):
        for state in range(states):
            cell, expected = policy[h, state], 0.0
            for following in range(states):
                expected += model.estimate[h, following, cell] * values[h + 1, following]
            values[h, state] = min(model.bonus[h, cell] + expected, rule.ceiling[h])
    return _mean(tables.initial, values)
