"""Finite interaction trees: the agent acts, the world answers, H times; arrays by depth.

A history of depth d is d pairs (action, observation). There are N_d = (A O)^d of them, numbered so
that the one after history h, action a and observation o is (h A + a) O + o. Letters: H horizon,
A actions, O observations, N_d histories of depth d.

A policy is a sequence of H arrays [N_d, A]. It may be defective: what a row lacks to 1 is the
probability of asking for help, one more outcome (column A of `outcomes`), after which the
demonstrator takes over and the tree ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Policy: TypeAlias = Sequence[Floats]

ROUNDING = 1e-12
"""A deficit up to this is rounding, not asking."""


@dataclass(frozen=True)
class Tree:
    """A world, what it is worth, and the base policy in it.

    Attributes:
        base: H arrays [N_d, A], the base policy; defective where it asks for help.
        world: H arrays [N_d, A, O], probability of each observation.
        utility: [N_H] of whole histories.
        help_utility: H arrays [N_d], of asking for help there.
    """

    base: Policy
    world: Sequence[Floats]
    utility: Floats
    help_utility: Sequence[Floats]

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit, and what is no probability.

        Raises:
            ValueError: naming the depth.
        """
        actions, observations = self.world[0].shape[1:]
        parts = zip(self.base, self.world, self.help_utility, strict=True)
        for depth, (base, world, asked) in enumerate(parts):
            count = (actions * observations) ** depth
            shapes = (count, actions), (count, actions, observations), (count,)
            if (base.shape, world.shape, asked.shape) != shapes:
                raise ValueError(f"depth {depth}: needs the shapes {shapes}")
            if base.min() < 0 or base.sum(axis=1).max() > 1 + ROUNDING:
                raise ValueError(f"depth {depth}: the base is no policy")
            if world.min() < 0 or not np.allclose(world.sum(axis=2), 1):
                raise ValueError(f"depth {depth}: the world's probabilities do not sum to 1")
        if self.utility.shape != ((actions * observations) ** len(self.base),):
            raise ValueError(f"the utility has the shape {self.utility.shape}")

    @property
    def horizon(self) -> int:
        """H, how often the agent acts."""
        return len(self.base)


def outcomes(rows: Floats) -> Floats:
    """[N, A + 1] the rows [N, A] of a policy and, last, the probability of asking for help."""
    deficit = 1 - rows.sum(axis=1, keepdims=True)
    return np.concatenate([rows, np.where(deficit > ROUNDING, deficit, 0.0)], axis=1)


def observations(policy: Policy) -> int:
    """O, read off the shapes; 1 where the horizon is 1, and observations decide nothing."""
    return len(policy[1]) // policy[0].size if len(policy) > 1 else 1


def joint(policy: Policy) -> list[Floats]:
    """H arrays [N_d, A + 1]: product of the agent's probabilities along a history, and of its next outcome.

    The sequence form of a policy: for observations given beforehand, the probability that the
    agent's outcomes are these.
    """
    count, reached, found = observations(policy), np.ones(1), []
    for rows in policy:
        found.append(reached[:, None] * outcomes(rows))
        reached = np.repeat(found[-1][:, :-1].ravel(), count)
    return found


def conditional(joints: Sequence[Floats], fallback: Policy) -> list[Floats]:
    """The policy with these products (inverse of `joint`); `fallback` where it never comes."""
    found = []
    for each, instead in zip(joints, fallback, strict=True):
        total = each.sum(axis=1, keepdims=True)
        rows = each[:, :-1] / np.where(total > ROUNDING, total, 1.0)
        found.append(np.where(total > ROUNDING, rows, instead))
    return found


def chances(tree: Tree) -> list[Floats]:
    """H + 1 arrays [N_d]: probability of a history's observations, given its actions."""
    found = [np.ones(1)]
    for world in tree.world:
        found.append((found[-1][:, None, None] * world).ravel())
    return found


def action_values(tree: Tree, summary: Callable[[int, Floats], Floats]) -> list[Floats]:
    """H arrays [N_d, A + 1]: expected value of each outcome, help last.

    Args:
        tree: its world is the expectation's.
        summary: (depth, [N_d, A + 1] values of outcomes) -> [N_d] value of the history.
    """
    ahead, found = tree.utility, list[Floats]()
    for depth in reversed(range(tree.horizon)):
        world = tree.world[depth]
        acted = (world * ahead.reshape(world.shape)).sum(axis=2)
        found.insert(0, np.concatenate([acted, tree.help_utility[depth][:, None]], axis=1))
        ahead = summary(depth, found[0])
    return found


def best_values(tree: Tree) -> list[Floats]:
    """`action_values` where the best outcome follows: Q* of the unconstrained optimum."""
    return action_values(tree, lambda _, values: values.max(axis=1))


def value(tree: Tree, policy: Policy) -> float:
    """Expected utility of a policy in the tree's world."""
    followed = [outcomes(rows) for rows in policy]
    values = action_values(tree, lambda depth, each: (followed[depth] * each).sum(axis=1))
    return float((followed[0] * values[0]).sum())


def random_policy(rng: np.random.Generator, shape: Sequence[int], *, asks: bool) -> list[Floats]:
    """A policy drawn uniformly from all of the shape (A, O, H); defective if it `asks`."""
    actions, observations, horizon = shape
    return [
        rng.dirichlet(np.ones(actions + asks), (actions * observations) ** depth)[:, :actions]
        for depth in range(horizon)
    ]


def random_tree(rng: np.random.Generator, shape: Sequence[int], *, asks: bool) -> Tree:
    """A tree of the shape (A, O, H): probabilities uniform on their simplex, utilities on [0, 1].

    Where the base never asks for help, asking is worth nothing.
    """
    actions, observations, horizon = shape
    counts = [(actions * observations) ** depth for depth in range(horizon + 1)]
    return Tree(
        random_policy(rng, shape, asks=asks),
        [rng.dirichlet(np.ones(observations), (count, actions)) for count in counts[:-1]],
        rng.random(counts[-1]),
        [asks * rng.random(count) for count in counts[:-1]],
    )
