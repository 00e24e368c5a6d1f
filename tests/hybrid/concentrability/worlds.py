"""Small environments, and every deterministic policy of them."""

from __future__ import annotations

import itertools

import numpy as np

from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit, random_bandit
from kl_derail.hybrid.environments.tabular import TabularMDP, random_mdp


def mdp(seed: int = 0) -> TabularMDP:
    return random_mdp(np.random.default_rng(seed), horizon=2, states=2, actions=3)


def linear(seed: int = 0) -> LinearBandit:
    return random_bandit(np.random.default_rng(seed), contexts=3, arms=4, dimension=2)


def arms(seed: int = 0) -> ArmsBandit:
    rng = np.random.default_rng(seed)
    return ArmsBandit(rng.random((4, 2)), rng.random((3, 2)), np.array([0.1, 0.2, 0.3, 0.4]), 1.0)


def deterministic(shape: tuple[int, ...]) -> list[np.ndarray]:
    """All policies of actions [..., S] for pairs [..., S, A]."""
    *places, actions = shape
    every = itertools.product(range(actions), repeat=int(np.prod(places)))
    return [np.array(each).reshape(places) for each in every]


def policy(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A random stochastic policy [..., S, A] with full support."""
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1])
