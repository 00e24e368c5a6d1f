"""The same numbers from loops over every sequence, every observer and every history, for tiny trees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

from kl_derail.theory.trees import Policy, Tree

HELP = -1
Observe = Callable[[tuple[int, ...]], int]


def probability(policy: Policy, sequence: tuple[int, ...], observe: Observe) -> float:
    """Of these outcomes, where `observe` answers to the actions so far."""
    actions, count = policy[0].size, 1
    if len(policy) > 1:
        count = len(policy[1]) // actions
    found, history = 1.0, 0
    for depth, action in enumerate(sequence):
        row = policy[depth][history]
        found *= 1 - row.sum() if action == HELP else row[action]
        if action != HELP and depth + 1 < len(policy):
            history = (history * actions + action) * count + observe(sequence[: depth + 1])
    return max(found, 0.0)


def sequences(actions: int, horizon: int) -> Iterator[tuple[int, ...]]:
    """Everything that ends a tree: H actions, or fewer and then help."""
    for length in range(horizon):
        yield from ((*each, HELP) for each in product(range(actions), repeat=length))
    yield from product(range(actions), repeat=horizon)


def open_loop_observers(tree: Tree) -> Iterator[Observe]:
    """Every observation sequence."""
    count = tree.world[0].shape[2]
    for answers in product(range(count), repeat=tree.horizon - 1):
        yield lambda actions, answers=answers: answers[len(actions) - 1]


def adaptive_observers(tree: Tree) -> Iterator[Observe]:
    """Every way to answer the actions so far."""
    actions, count = tree.world[0].shape[1:]
    asked = [
        each for length in range(1, tree.horizon) for each in product(range(actions), repeat=length)
    ]
    for answers in product(range(count), repeat=len(asked)):
        yield dict(zip(asked, answers, strict=True)).__getitem__


def kl(policy: Policy, base: Policy, observe: Observe) -> float:
    """KL of outcomes for one observer."""
    total = 0.0
    for each in sequences(policy[0].size, len(policy)):
        p, q = probability(policy, each, observe), probability(base, each, observe)
        if p > 1e-13:
            total += p * math.log(p / q) if q > 1e-13 else math.inf
    return total


def tvd(policy: Policy, base: Policy, observe: Observe) -> float:
    """Total variation distance of outcomes for one observer."""
    every = sequences(policy[0].size, len(policy))
    pairs = [(probability(policy, s, observe), probability(base, s, observe)) for s in every]
    return sum(abs(p - q) for p, q in pairs) / 2


def value(tree: Tree, policy: Policy, depth: int = 0, history: int = 0) -> float:
    """Expected utility, history by history."""
    if depth == tree.horizon:
        return float(tree.utility[history])
    actions, count = tree.world[0].shape[1:]
    row = policy[depth][history]
    total = float((1 - row.sum()) * tree.help_utility[depth][history])
    for action, seen in product(range(actions), range(count)):
        after = value(tree, policy, depth + 1, (history * actions + action) * count + seen)
        total += float(row[action] * tree.world[depth][history, action, seen]) * after
    return total
