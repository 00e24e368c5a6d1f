"""Slow, obvious answers: every policy, every path, one number at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData
from kl_derail.hybrid.environments.tabular import TabularMDP, random_mdp


def tiny_mdp(seed: int, horizon: int = 2, states: int = 2, actions: int = 3) -> TabularMDP:
    """Small enough to enumerate all its policies; no two states start alike."""
    random = random_mdp(np.random.default_rng(seed), horizon, states, actions)
    initial = np.arange(1, states + 1) / sum(range(1, states + 1))
    return TabularMDP(random.transitions, random.rewards, initial)


def deterministic_policies(shape: tuple[int, ...]) -> Iterator[Ints]:
    """All of them, [..., S]."""
    cells = int(np.prod(shape[:-1]))
    for choice in itertools.product(range(shape[-1]), repeat=cells):
        yield np.array(choice, dtype=np.int64).reshape(shape[:-1])


def path_value(transitions: Floats, rewards: Floats, initial: Floats, policy_HSA: Floats) -> float:
    """Sum over all paths of their probability times their reward."""
    horizon, states, actions = rewards.shape
    total = 0.0
    for path in itertools.product(range(states), range(actions), repeat=horizon):
        visited, played = path[::2], path[1::2]
        probability = initial[visited[0]]
        for h in range(horizon):
            probability *= policy_HSA[h, visited[h], played[h]]
            if h + 1 < horizon:
                probability *= transitions[h, visited[h], played[h], visited[h + 1]]
        total += probability * sum(rewards[h, visited[h], played[h]] for h in range(horizon))
    return total


def empirical_model(data: OfflineData) -> tuple[Floats, Ints]:
    """Relative frequencies [H, S, A, S], uniform where there are none, and visits [H, S, A]."""
    horizon, states, actions = data.shape
    counts = np.zeros((horizon, states, actions, states))
    visits = np.zeros((horizon, states, actions), dtype=np.int64)
    for step in data.steps():
        visits[step.stage, step.state, step.action] += 1
        if step.next_state >= 0:
            counts[step.stage, step.state, step.action, step.next_state] += 1
    with np.errstate(invalid="ignore"):
        return np.where(visits[..., None] > 0, counts / visits[..., None], 1 / states), visits


def clipped_value(
    model: Floats, immediate: Floats, initial: Floats, policy_HS: Ints, most: float
) -> float:
    """Value of a deterministic policy, each stage's clipped to [0, most x stages left]."""
    horizon, states = policy_HS.shape

    def value(h: int, state: int) -> float:
        if h == horizon:
            return 0.0
        action = policy_HS[h, state]
        later = sum(model[h, state, action, s] * value(h + 1, s) for s in range(states))
        return float(min(max(immediate[h, state, action] + later, 0.0), most * (horizon - h)))

    return float(sum(initial[state] * value(0, state) for state in range(states)))
