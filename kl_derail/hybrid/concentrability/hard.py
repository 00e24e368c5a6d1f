"""Instances on which every method needs as many samples as the lower bound says.

The unknown sits in the transitions, since rewards are known: a first action leads to a paying state with
probability 1/2 (known in both instances) or 1/2 +- gap. No learner can tell the signs apart with fewer
samples of the second action than `kl_derail.hybrid.concentrability.bounds.two_point` counts.
"""

from __future__ import annotations

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.environments.tabular import TabularMDP

START, PAYS, EMPTY = range(3)
KNOWN, UNKNOWN = range(2)


def two_point_mdp(gap: float) -> TabularMDP:
    """H = 2, S = 3, A = 2: choose KNOWN (pays 1 with probability 1/2) or UNKNOWN (1/2 + gap).

    Args:
        gap: in [-1/2, 1/2]; its sign says which action is optimal, its size the gap of the other.
    """
    if not -0.5 <= gap <= 0.5:
        raise UserError(f"gap: found {gap}, allowed -0.5 to 0.5")
    transitions = np.zeros((2, 3, 2, 3))
    transitions[:, PAYS, :, PAYS] = transitions[:, EMPTY, :, EMPTY] = 1
    transitions[:, START, KNOWN, [PAYS, EMPTY]] = 0.5
    transitions[:, START, UNKNOWN, [PAYS, EMPTY]] = 0.5 + gap, 0.5 - gap
    rewards = np.zeros((2, 3, 2))
    rewards[1, PAYS] = 1
    return TabularMDP(transitions, rewards, initial=np.array([1.0, 0.0, 0.0]))


def two_point_behaviour(share: float) -> Floats:
    """[2, 3, 2] offline policy that plays UNKNOWN in such a share of episodes, in (0, 1).

    C(pi | rho) of the policy that plays UNKNOWN grows like 1 / share as the share falls.
    """
    policy = np.full((2, 3, 2), 0.5)
    policy[0, START] = 1 - share, share
    return policy
