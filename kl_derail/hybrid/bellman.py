"""Backward and forward recursions of a finite-horizon MDP: one pure function per equation.

S states, A actions, H horizon. transitions [H, S, A, S], rewards [H, S, A], policy [H, S, A].
"""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid.arrays import Floats


def optimal_action_values(transitions_HSAS: Floats, rewards_HSA: Floats) -> Floats:
    """Q*_h = r_h + P_h max_a Q*_{h+1}, [H, S, A]."""
    values_HSA = np.array(rewards_HSA)
    for h in reversed(range(len(rewards_HSA) - 1)):
        values_HSA[h] += transitions_HSAS[h] @ values_HSA[h + 1].max(axis=-1)
    return values_HSA


def action_values(transitions_HSAS: Floats, rewards_HSA: Floats, policy_HSA: Floats) -> Floats:
    """Q^pi_h = r_h + P_h sum_a pi_{h+1}(a|.) Q^pi_{h+1}(., a), [H, S, A]."""
    values_HSA = np.array(rewards_HSA)
    for h in reversed(range(len(rewards_HSA) - 1)):
        next_S = (policy_HSA[h + 1] * values_HSA[h + 1]).sum(axis=-1)
        values_HSA[h] += transitions_HSAS[h] @ next_S
    return values_HSA


def softmax(values: Floats, scale: float) -> Floats:
    """Probabilities along the last axis proportional to exp(scale x value)."""
    logits = scale * values
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float64)


def softmax_action_values(
    transitions_HSAS: Floats, rewards_HSA: Floats, scale: float
) -> tuple[Floats, Floats]:
    """The policy pi = softmax(scale x Q^pi) that plays by its own values, and Q^pi; both [H, S, A]."""
    values_HSA, policy_HSA = np.array(rewards_HSA), np.empty_like(rewards_HSA)
    policy_HSA[-1] = softmax(values_HSA[-1], scale)
    for h in reversed(range(len(rewards_HSA) - 1)):
        next_S = (policy_HSA[h + 1] * values_HSA[h + 1]).sum(axis=-1)
        values_HSA[h] += transitions_HSAS[h] @ next_S
        policy_HSA[h] = softmax(values_HSA[h], scale)
    return policy_HSA, values_HSA


def occupancy(transitions_HSAS: Floats, initial_S: Floats, policy_HSA: Floats) -> Floats:
    """d^pi_h(s, a): how probable it is to be at s and play a at stage h, [H, S, A]."""
    visits_HSA = np.empty_like(policy_HSA)
    states_S = initial_S
    for h, policy_SA in enumerate(policy_HSA):
        visits_HSA[h] = states_S[:, None] * policy_SA
        states_S = np.tensordot(visits_HSA[h], transitions_HSAS[h], axes=2)
    return visits_HSA
