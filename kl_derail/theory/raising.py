"""What a policy does more often than its base although it is not the best: four readings of one question.

Theorem 2 says that the optimum under a total variation constraint raises only what is
value-optimal. That depends on what raising means, and on the observations the maximum is over:

    first        pi(a) > beta(a) for the first action: never with an a that is not optimal
    action       joint probability of a history of positive chance and an action: then the action is
                 optimal there
    sequence     joint probability again, at histories of positive chance: then every action on the way
                 is optimal. Under the adaptive maximum and where observations are determined; under
                 the open-loop maximum and the average a sequence that begins badly can rise too
    conditional  pi(a|h) > beta(a|h): the naive reading, false, since renormalising raises too

Why: take away a little mass where it was raised, below one action, and give it to the best one. No
constraint then costs more, and the value rises. Below a history whose action is raised there is, after
every observation, something raised to take from. That settles `first` and `action` for any
observer. For `sequence` the mass must come from below an action that itself was not raised. After one
action the sum of x - b over the endings is the same for every observer, X - B, so that it costs the raised
mass + (B - X) / 2: the adaptive maximum sees only the observations after which most was raised, and from
those mass can be taken; the open-loop maximum also holds those after which nothing was, and there less
mass costs more. What observations of chance 0 are followed by is worth nothing, and may be anything.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.theory.trees import (
    Floats,
    Policy,
    Tree,
    best_values,
    chances,
    joint,
    observations,
    outcomes,
)

GAP = 1e-6
"""A value lower than the best by more than this is not optimal."""

REACHED = 1e-6
"""A history is reached if the agent's probability of its actions is greater than this."""


class Raised(NamedTuple):
    """Largest increase of a probability over the base's where a value is not optimal; at least 0.

    Attributes:
        first: of a first action that is not optimal.
        action: joint, of a history of positive chance and an action that is not optimal there.
        sequence: joint, of such a history and an action, some action on the way not optimal.
        conditional: given such a history that is reached, of an action that is not optimal there.
    """

    first: float
    action: float
    sequence: float
    conditional: float


def raised(tree: Tree, policy: Policy) -> Raised:
    """What `policy` raises over the tree's base although it is not optimal in the tree's world."""
    found, lost = list[list[float]](), np.zeros(1)
    joints, seen = zip(joint(policy), joint(tree.base), strict=True), chances(tree)[:-1]
    parts = zip(policy, tree.base, joints, gaps(tree), seen, strict=True)
    for rows, base, (x, b), gap, chance in parts:
        can_be = chance[:, None] > 0
        reached = can_be & (x.sum(axis=1, keepdims=True) > REACHED)
        so_far = lost[:, None] + gap
        found.append(
            [
                _largest(x - b, can_be & (gap > GAP)),
                _largest(x - b, can_be & (so_far > GAP)),
                _largest(outcomes(rows) - outcomes(base), reached & (gap > GAP)),
            ]
        )
        lost = np.repeat(so_far[:, :-1].ravel(), observations(policy))
    return Raised(found[0][0], *np.max(found, axis=0).tolist())


def gaps(tree: Tree) -> list[Floats]:
    """H arrays [N_d, A + 1]: by how much the value of each outcome, then followed by the best, falls short."""
    return [values.max(axis=1, keepdims=True) - values for values in best_values(tree)]


def _largest(increase: Floats, where: npt.NDArray[np.bool_]) -> float:
    return float(increase[where].max(initial=0))
