"""How far a policy strays from its base in a tree: KL and total variation, against which observations?

Both divergences compare what the agent does along whole histories, given the observations. What
becomes of the observations tells three constraints apart:

    open loop   maximum over observation sequences fixed beforehand, as published
    adaptive    maximum over observers who see the actions so far (nested dynamic programming); at
                least as large as the others, and kept by a ledger that charges each step's KL
    average     expectation over the observations of a world; above the open-loop maximum where
                the world answers to actions

Asking for help is an outcome like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np

from kl_derail.theory.trees import Floats, Policy, Tree, chances, joint, observations, outcomes

Divergence: TypeAlias = Literal["kl", "tvd"]
Observer: TypeAlias = Literal["open_loop", "adaptive", "average"]


def kl(found: Floats, base: Floats) -> float:
    """KL(found || base) of two distributions [X], nats; infinite where `found` does what the base never does."""
    held = found > 0
    with np.errstate(divide="ignore"):
        return float(found[held] @ np.log(found[held] / base[held]))


def kl_open_loop(policy: Policy, base: Policy) -> float:
    """Largest KL(policy || base) of the agent's outcomes over observation sequences, nats."""
    return open_loop(kl_costs(policy, base), policy)


def kl_adaptive(policy: Policy, base: Policy) -> float:
    """Largest KL(policy || base), nats, where the next observation may depend on the actions so far."""
    return adaptive(kl_costs(policy, base), policy)


def tvd_open_loop(policy: Policy, base: Policy) -> float:
    """Largest total variation distance of the agent's outcomes over observation sequences."""
    return open_loop(tvd_costs(policy, base), policy)


def tvd_adaptive(policy: Policy, base: Policy) -> float:
    """Largest total variation distance where the next observation may depend on the actions so far."""
    return adaptive(tvd_costs(policy, base), policy)


def average(costs: Sequence[Floats], tree: Tree) -> float:
    """Expected cost over the observations of the tree's world."""
    pairs = zip(costs, chances(tree)[:-1], strict=True)
    return float(sum(cost[chance > 0] @ chance[chance > 0] for cost, chance in pairs))


def open_loop(costs: Sequence[Floats], policy: Policy) -> float:
    """Maximum over observation sequences of the cost summed over histories that agree with it."""
    actions, count = policy[0].size, observations(policy)
    total = np.zeros(())
    for depth, cost in enumerate(costs):
        by_step = cost.reshape((actions, count) * depth)
        total = total[..., None] if depth else total
        total = total + by_step.sum(axis=tuple(range(0, 2 * depth, 2)))
    return float(total.max())


def adaptive(costs: Sequence[Floats], policy: Policy) -> float:
    """The same sum where each observation is the worst for the actions so far."""
    actions, count = policy[0].size, observations(policy)
    worst = costs[-1]
    for cost in reversed(costs[:-1]):
        worst = cost + worst.reshape(-1, actions, count).max(axis=2).sum(axis=1)
    return float(worst[0])


def kl_costs(policy: Policy, base: Policy) -> list[Floats]:
    """H arrays [N_d]: KL of the step, nats, times the agent's probability of coming there.

    By the chain rule they add up to the KL of whole sequences. Infinite where the policy does what
    the base never does.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            np.where(x > 0, x * np.log(outcomes(p) / outcomes(b)), 0.0).sum(axis=1)
            for x, p, b in zip(joint(policy), policy, base, strict=True)
        ]


def tvd_costs(policy: Policy, base: Policy) -> list[Floats]:
    """H arrays [N_d]: half the distance of the probabilities of sequences that end there."""
    pairs = zip(joint(policy), joint(base), endings(policy), strict=True)
    return [(ends * np.abs(x - b)).sum(axis=1) / 2 for x, b, ends in pairs]


def endings(policy: Policy) -> list[Floats]:
    """H arrays [A + 1] of 0 and 1: the outcomes that end the tree: help, and every one at the last depth."""
    actions, horizon = policy[0].size, len(policy)
    asked = np.arange(actions + 1) == actions
    return [np.where(asked | (depth == horizon - 1), 1.0, 0.0) for depth in range(horizon)]


COSTS: dict[Divergence, Callable[[Policy, Policy], list[Floats]]] = {
    "kl": kl_costs,
    "tvd": tvd_costs,
}


def divergence(kind: Divergence, observer: Observer, policy: Policy, tree: Tree) -> float:
    """Any of the six numbers: `kl` in nats or `tvd`, of a policy against the tree's base."""
    costs = COSTS[kind](policy, tree.base)
    if observer == "average":
        return average(costs, tree)
    return (open_loop if observer == "open_loop" else adaptive)(costs, policy)
