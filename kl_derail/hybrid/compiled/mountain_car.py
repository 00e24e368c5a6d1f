"""One trial of Mountain Car, compiled: drive, learn, plan; and the offline behaviours' episodes.

S states, A actions, L = steps + 2 most states of an episode, N0 offline and T online episodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.compiled.discounted import Aim, Model, Rule, record, solve
from kl_derail.hybrid.environments.mountain_car import Course, drive
from kl_derail.plumbing.compiled import kernel


class Episodes(NamedTuple):
    """Recorded episodes.

    Attributes:
        states: [N, L] passed.
        actions: [N, L] taken.
        lengths: [N] states of each episode.
    """

    states: Ints
    actions: Ints
    lengths: Ints


@kernel
def new_tape(episodes: int, course: Course) -> Episodes:
    """Room for episodes, in small integers."""
    shape = (episodes, course.steps + 2)
    return Episodes(
        np.zeros(shape, np.int32), np.zeros(shape, np.int8), np.zeros(episodes, np.int64)
    )


class Outcome(NamedTuple):
    """What a trial's episodes led to.

    Attributes:
        arrived: [T] whether the episode played arrived at the goal, 0 or 1.
        share: [T] of the audits in which the output policy arrives; NaN without audits.
        value: [T] of the plan that was played, at the start of the episode.
    """

    arrived: Floats
    share: Floats
    value: Floats


class Plan(NamedTuple):
    """A policy with the values that it comes from; both change in place.

    Attributes:
        aim: what it is greedy for.
        values: [S].
        policy: [S].
    """

    aim: Aim
    values: Floats
    policy: Ints


@kernel
def new_plan(rewards: Floats, sign: float, floor: float) -> Plan:
    """A plan before its first solution."""
    return Plan(Aim(rewards, sign, floor), np.zeros(len(rewards)), np.zeros(len(rewards), np.int64))


class Audits(NamedTuple):
    """The output policy's latest episodes; what its changes leave alone is not driven again.

    Attributes:
        starts: [E] positions.
        states: [E, L] passed.
        actions: [E, L] taken.
        lengths: [E] states of each episode; 0: not yet driven.
        arrived: [E] at the goal, 0 or 1.
    """

    starts: Floats
    states: Ints
    actions: Ints
    lengths: Ints
    arrived: Floats


@kernel
def new_audits(starts: Floats, course: Course) -> Audits:
    """Audits before their first episode."""
    audits, room = len(starts), course.steps + 2
    return Audits(
        starts,
        np.zeros((audits, room), np.int64),
        np.zeros((audits, room), np.int64),
        np.zeros(audits, np.int64),
        np.zeros(audits),
    )


@kernel
def audit(policy: Ints, course: Course, audits: Audits) -> float:
    """Share of the audits' starts from which the policy arrives."""
    for i in range(len(audits.starts)):
        if not _holds(policy, audits, i):
            start, states, actions = audits.starts[i], audits.states[i], audits.actions[i]
            length, arrived = drive(policy, start, start, course, states, actions)
            audits.lengths[i], audits.arrived[i] = length, arrived
    return float(audits.arrived.mean())


@kernel
def _holds(policy: Ints, audits: Audits, i: int) -> bool:
    """Whether the policy would act as in the episode driven last."""
    for step in range(audits.lengths[i] - 1):
        if policy[audits.states[i, step]] != audits.actions[i, step]:
            return False
    return bool(audits.lengths[i] > 0)


@kernel
def learn(model: Model, rule: Rule, episodes: Episodes, chosen: Ints) -> None:
    """Learn from the chosen episodes."""
    for i in chosen:
        record(model, rule, episodes.states[i], episodes.actions[i], episodes.lengths[i])


@kernel
def play(
    model: Model,
    explore: Plan,
    output: Plan,
    rule: Rule,
    course: Course,
    starts: Floats,
    audits: Audits,
    taped: Episodes,
) -> Outcome:
    """Online episodes: play one plan, judge another after each.

    Args:
        model: what is known from offline data; changed in place.
        explore: what is played.
        output: what is judged, from the starts of the audits; no audits: it is left out.
        rule: of the values.
        course: of the episodes.
        starts: [T + 1] start positions; the next one follows an arrival.
        audits: of the output.
        taped: [N] the first N episodes are written into it.
    """
    episodes, room = len(starts) - 1, course.steps + 2
    outcome = Outcome(np.zeros(episodes), np.full(episodes, np.nan), np.full(episodes, np.nan))
    states, actions = np.zeros(room, np.int64), np.zeros(room, np.int64)
    for t in range(episodes):
        solve(model, explore.aim, rule, explore.values, explore.policy)
        length, arrived = drive(explore.policy, starts[t], starts[t + 1], course, states, actions)
        record(model, rule, states, actions, length)
        outcome.arrived[t], outcome.value[t] = arrived, explore.values[states[0]]
        if t < len(taped.lengths):
            taped.states[t], taped.actions[t], taped.lengths[t] = states, actions, length
        if len(audits.starts) > 0:
            solve(model, output.aim, rule, output.values, output.policy)
            outcome.share[t] = audit(output.policy, course, audits)
    return outcome


@kernel
def repeat(policy: Ints, course: Course, starts: Floats, taped: Episodes) -> None:
    """Episodes of one policy from `starts` [N + 1], written into `taped` [N]."""
    for t in range(len(taped.lengths)):
        states, actions = taped.states[t], taped.actions[t]
        taped.lengths[t] = drive(policy, starts[t], starts[t + 1], course, states, actions)[0]
