"""What an imitator foresees of the next turns, as a finite interaction tree, and what a switch does in it.

The optimisers' notion of what is possible (`kl_derail.theory.planning`) is the tree's too: an action
counts if the chat can go on after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import cvxpy
import numpy as np
import numpy.typing as npt

from kl_derail.theory.compiled import Floats
from kl_derail.theory.constraints import adaptive
from kl_derail.theory.imitator import Imitator
from kl_derail.theory.planning import best_possible, given
from kl_derail.theory.programs.utilities import Utility
from kl_derail.theory.solving import SolverError, solve_programme
from kl_derail.theory.trees import (
    Policy,
    Tree,
    action_values,
    chances,
    conditional,
    joint,
    observations,
    value,
)

EVEN = np.log([0.5, 0.5])
NOTHING = np.full(2, -np.inf)
VALUE_ACCURACY = 1e-6
"""By how much the solver may miss a value."""

cp: Any = cvxpy  # it does not re-export its atoms in the way that strict typing wants


class Foresight(NamedTuple):
    """A tree of the turns to come, and a policy in it.

    Attributes:
        tree: base and world are the mixture's, observations given that one comes. What the base
            never does is not possible.
        log_base: its base in nats, one array [4^j, 2] a turn: finite where a probability is too
            small for a float.
        possible: one array [4^j, 2] a turn, actions after which the chat can go on; none at a dead end.
        policy: one array [4^j, 2] a turn, of the switch asked for.
    """

    tree: Tree
    log_base: list[Floats]
    possible: list[npt.NDArray[np.bool_]]
    policy: list[Floats]


def foresee(imitator: Imitator, utility: Utility, row: int | None = None) -> Foresight:
    """The tree of one block of the utility from here on, at the beginning of a turn.

    Args:
        imitator: is left as it is.
        utility: its turns are the horizon.
        row: of the switch whose policy is wanted; the mixture's own where there is none.
    """
    here: list[Imitator | None] = [imitator]
    logs, world, doing = list[Floats](), list[Floats](), list[Floats]()
    possible = list[npt.NDArray[np.bool_]]()
    for _ in range(utility.turns):
        acted = [_after(each, action) for each in here for action in (0, 1)]
        observed = np.array([each.predict() if each else NOTHING for each in acted])
        possible.append((observed.max(axis=1) > -np.inf).reshape(-1, 2))
        logs.append(_going_on([each.predict() if each else EVEN for each in here], possible[-1]))
        said = [_policy(each, row) if each else EVEN for each in here]
        doing.append(np.exp(_going_on(said, possible[-1])))
        world.append(given(observed).reshape(-1, 2, 2))
        here = [_after(each, observation) for each in acted for observation in (0, 1)]
    earned = np.zeros(1)
    for _ in range(utility.turns):
        earned = np.add.outer(earned, utility.rewards()).ravel()
    base, nothing = [np.exp(each) for each in logs], [np.zeros(len(each)) for each in logs]
    return Foresight(Tree(base, world, earned, nothing), logs, possible, doing)


def _policy(imitator: Imitator, row: int | None) -> Floats:
    return imitator.predict() if row is None else np.asarray(imitator.switches_say()[row])


def _going_on(said: Sequence[Floats], possible: npt.NDArray[np.bool_]) -> Floats:
    """Log probabilities [N, 2] of possible actions; even at dead ends."""
    rows = np.where(possible, np.array(said), -np.inf)
    return np.where(possible.any(axis=1, keepdims=True), rows, EVEN)


def best_value(seen: Foresight) -> float:
    """V*: the greatest expected utility of a policy that does only what is possible."""
    values = action_values(
        seen.tree, lambda depth, each: best_possible(each[:, :-1], seen.possible[depth])
    )
    return float(best_possible(values[0][:, :-1], seen.possible[0])[0])


def adaptive_nats(policy: Policy, log_base: Sequence[Floats]) -> float:
    """`constraints.kl_adaptive` of a policy that never halts, against a base in nats, [N_d, A] each."""
    costs = []
    for x, rows, logs in zip(joint(policy), policy, log_base, strict=True):
        taken = x[:, :-1] > 0
        ratio = np.log(np.where(taken, rows, 1)) - np.where(taken, logs, 0)
        costs.append((np.where(taken, x[:, :-1], 0) * ratio).sum(axis=1))
    return adaptive(costs, policy)


def nats_for_value(tree: Tree, log_base: Sequence[Floats], wanted: float) -> float:
    """Least adaptive KL (nats) of a policy that never halts and is worth at least so much in the tree.

    The inverse of `optimum.optimum`, as one convex programme over sequence forms. Its costs are
    x log x - x log b: with x log(x / b) it cannot be solved where the base b is tiny. The KL given
    back is that of the policy found, by the definition.

    Args:
        tree: its base serves only where a policy never comes.
        log_base: the base in nats, [N_d, A] each; -inf for what is not possible.
        wanted: expected utility.

    Raises:
        SolverError: the solver found no policy that is worth so much, within 1e-6.
    """
    actions, count = tree.world[0].shape[1:]
    sums = _log_joint(log_base, observations(tree.base))
    plays = [cp.Variable(logs.shape, nonneg=True) for logs in sums]
    limits = [
        cp.sum(plays[0]) == 1,
        *(x[logs == -np.inf] == 0 for x, logs in zip(plays, sums, strict=True)),
    ]
    logs = np.where(sums[-1] > -np.inf, sums[-1], 0)
    worst = cp.sum(-cp.entr(plays[-1]) - cp.multiply(plays[-1], logs), axis=1)
    for before, after in reversed(list(pairwise(plays))):
        acted = cp.vec(before, order="C")
        bound = cp.Variable(acted.size)  # epigraph of the worst observation
        for answer in range(count):
            limits += [cp.sum(after[answer::count], axis=1) == acted, bound >= worst[answer::count]]
        worst = cp.sum(cp.reshape(bound, (acted.size // actions, actions), order="C"), axis=1)
    ends = (tree.world[-1] * tree.utility.reshape(tree.world[-1].shape)).sum(axis=2)
    weights = chances(tree)[-2][:, None] * ends
    limits.append(cp.sum(cp.multiply(plays[-1], weights)) >= wanted)
    solve_programme(cp.Problem(cp.Minimize(worst[0]), limits), solver=cp.CLARABEL)
    found = [
        np.where(total > -np.inf, np.maximum(play.value, 0), 0.0)
        for play, total in zip(plays, sums, strict=True)
    ]
    policy = conditional([np.pad(play, ((0, 0), (0, 1))) for play in found], tree.base)
    if value(tree, policy) < wanted - VALUE_ACCURACY:
        raise SolverError(f"the solver found a value of {value(tree, policy):g}, not {wanted:g}")
    return adaptive_nats(policy, log_base)


def _log_joint(log_base: Sequence[Floats], count: int) -> list[Floats]:
    """[N_d, A] each: log of the product of the base's probabilities along a history and of an action."""
    reached, found = np.zeros(1), list[Floats]()
    for rows in log_base:
        found.append(reached[:, None] + rows)
        reached = np.repeat(found[-1].ravel(), count)
    return found


def _after(imitator: Imitator | None, symbol: int) -> Imitator | None:
    """A copy that has seen the symbol; None where the mixture holds it to be impossible."""
    if imitator is None or imitator.predict()[symbol] == -np.inf:
        return None
    after = imitator.copy()
    after.observe([symbol])
    return after
