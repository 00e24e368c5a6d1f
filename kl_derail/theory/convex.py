"""The best policy under a constraint, as a convex programme over sequence forms.

Unknown: for every history and outcome the product x of the agent's probabilities up to it
(`trees.joint`). In these the expected utility is linear, and so are the conditions that make them
a policy. A divergence is a sum over the sequences that end the tree of |x - b| / 2 (a linear
programme) or of x log(x / b) (exponential cones). All depths stand one after the other in the
arrays here: M histories in all, M (A + 1) unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import cvxpy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from kl_derail.theory.constraints import Divergence, Observer, divergence, endings
from kl_derail.theory.solving import solve_programme
from kl_derail.theory.trees import Floats, Policy, Tree, action_values, chances, conditional, joint

Expression: TypeAlias = Any
"""A cvxpy expression."""

cp: Any = cvxpy  # it does not re-export its atoms in the way that strict typing wants

WANTED, ACCEPTED = 1e-11, 1e-7
"""Duality gap and infeasibility of a conic programme: asked for, and good enough where rounding stops it."""

LINEAR = 1e-10
"""Infeasibility of a linear programme, the least that HiGHS takes."""

SOLVERS: dict[Divergence, dict[str, Any]] = {
    "tvd": {
        "solver": cp.HIGHS,
        **{f"{side}_feasibility_tolerance": LINEAR for side in ("primal", "dual")},
    },
    "kl": {
        "solver": cp.CLARABEL,
        **{f"tol_{name}": WANTED for name in ("gap_abs", "gap_rel", "feas")},
        **{f"reduced_tol_{name}": ACCEPTED for name in ("gap_abs", "gap_rel", "feas")},
    },
}


def solve(tree: Tree, kind: Divergence, observer: Observer, budget: float) -> list[Floats]:
    """The policy of greatest expected utility whose divergence from the base is at most `budget`.

    Args:
        tree: the utility is averaged over its world.
        kind: `kl` in nats or `tvd`.
        observer: `open_loop`: a constraint has A^H O^(H - 1) terms in all, for tiny trees only.
        budget: >= 0.

    Returns:
        H arrays [N_d, A]; what it costs, computed anew, exceeds the budget by no more than rounding.

    Raises:
        SolverError: the solver found no optimum.
    """
    base, seen = np.concatenate(joint(tree.base)), np.concatenate(chances(tree)[:-1])[:, None]
    scale = seen if observer == "average" else np.ones_like(seen)
    possible = (base > 0) | (kind == "tvd")  # elsewhere the KL would be infinite
    counted = possible & (scale * _endings(tree) > 0)
    shape = *tree.world[0].shape[1:], tree.horizon
    programme = _programme(kind, observer, shape, possible.tobytes(), counted.tobytes())
    found = programme.solve(kind, scale * base, scale, seen * _ending_values(tree), budget)
    found = np.where(possible, found.clip(0), 0.0)
    lengths = np.cumsum([len(rows) for rows in tree.base])[:-1]
    policy = conditional(np.split(found, lengths), tree.base)
    spent = divergence(kind, observer, policy, tree)
    return policy if spent <= budget else _blend(policy, tree.base, budget / spent)


def _blend(policy: Policy, base: Policy, share: float) -> list[Floats]:
    """The policy that is `policy` with this probability, and the base otherwise: pays for a solver's rounding.

    Divergences are convex in the sequence form, so that it costs at most that share.
    """
    pairs = zip(joint(policy), joint(base), strict=True)
    return conditional([share * x + (1 - share) * b for x, b in pairs], base)


def _endings(tree: Tree) -> Floats:
    """[M, A + 1] of 0 and 1: the outcomes that end the tree."""
    pairs = zip(endings(tree.base), tree.base, strict=True)
    return np.concatenate([np.tile(ends, (len(rows), 1)) for ends, rows in pairs])


def _ending_values(tree: Tree) -> Floats:
    """[M, A + 1] expected utility of sequences that end there, 0 for outcomes that end nothing."""
    return np.concatenate(action_values(tree, lambda _, each: np.zeros(len(each))))


class _Programme(NamedTuple):
    """A programme for all trees of one shape: translating it takes longer than solving it.

    Attributes:
        problem: of cvxpy.
        x: its variable [M (A + 1)].
        base: parameter, the x of the base, times `scale`.
        scale: parameter, of the divergence at a history.
        weight: parameter, utility of ending there, times the chance of the observations.
        budget: parameter.
    """

    problem: Any
    x: Expression
    base: Expression
    scale: Expression
    weight: Expression
    budget: Expression

    def solve(
        self, kind: Divergence, base: Floats, scale: Floats, weight: Floats, budget: float
    ) -> Floats:
        """[M, A + 1] the optimum for these parameters."""
        self.base.value, self.weight.value = base.ravel(), weight.ravel()
        self.scale.value = np.broadcast_to(scale, base.shape).ravel()
        self.budget.value = budget
        solve_programme(self.problem, warm_start=False, **SOLVERS[kind])
        found: Floats = self.x.value.reshape(base.shape)
        return found


@lru_cache(maxsize=64)
def _programme(
    kind: Divergence,
    observer: Observer,
    shape: tuple[int, int, int],
    possible: bytes,
    counted: bytes,
) -> _Programme:
    """A programme, by what its structure depends on: the shape (A, O, H) and two masks [M, A + 1]."""
    size = len(possible)
    x, weight = cp.Variable(size, nonneg=True), cp.Parameter(size)
    base, scale = cp.Parameter(size, nonneg=True), cp.Parameter(size, nonneg=True)
    budget, places = cp.Parameter(nonneg=True), np.flatnonzero(np.frombuffer(counted, np.bool_))
    here, there = cp.multiply(scale, x)[places], base[places]
    terms = cp.rel_entr(here, there) if kind == "kl" else cp.abs(here - there) / 2
    costs = _by_history(places, size, shape[0] + 1) @ terms
    limits = [
        *_flow(x, shape),
        x[~np.frombuffer(possible, np.bool_)] == 0,
        *OBSERVERS[observer](costs, shape, budget),
    ]
    problem = cp.Problem(cp.Maximize(weight @ x), limits)
    return _Programme(problem, x, base, scale, weight, budget)


def _by_history(places: npt.NDArray[np.intp], size: int, outcomes: int) -> Any:
    """[M, X] sparse: adds up what belongs to the same history."""
    index = places // outcomes, np.arange(len(places))
    return sparse.csr_array((np.ones(len(places)), index), (size // outcomes, len(places)))


def _parents(shape: tuple[int, int, int]) -> npt.NDArray[np.intp]:
    """[M - 1] place of the (history, action) that each history but the first comes from."""
    actions, count, horizon = shape
    starts = np.cumsum([0, *((actions * count) ** depth for depth in range(horizon))])
    steps = [
        start * actions + np.arange((end - start) * actions * count) // count
        for start, end in pairwise(starts[:-1])
    ]
    return np.concatenate([np.empty(0, np.intp), *steps])


def _flow(x: Expression, shape: tuple[int, int, int]) -> list[Any]:
    """Outcomes after a history add up to the probability of coming there, whatever was observed."""
    rows = cp.reshape(x, (x.size // (shape[0] + 1), shape[0] + 1), order="C")
    total, acted = cp.sum(rows, axis=1), cp.vec(rows[:, :-1], order="C")
    return [total[0] == 1, total[1:] == acted[_parents(shape)]]


def _open_loop(costs: Expression, shape: tuple[int, int, int], budget: Expression) -> list[Any]:
    actions, count, horizon = shape
    agree, blocks = np.ones((1, 1)), list[Any]()
    for depth in range(horizon):  # [observation sequences, N_d]: which history agrees with which
        blocks.append(np.kron(agree, np.ones((count ** (horizon - 1 - depth), 1))))
        agree = np.kron(agree, np.kron(np.ones((1, actions)), np.eye(count)))
    return [np.concatenate(blocks, axis=1) @ costs <= budget]


def _adaptive(costs: Expression, shape: tuple[int, int, int], budget: Expression) -> list[Any]:
    inner, parents = costs.size - (shape[0] * shape[1]) ** (shape[2] - 1), _parents(shape)
    if not inner:
        return [costs <= budget]
    after = cp.Variable(inner * shape[0])  # after an action: epigraph of the worst observation
    ahead = cp.sum(cp.reshape(after, (inner, shape[0]), order="C"), axis=1)
    worst = cp.hstack([costs[:inner] + ahead, costs[inner:]])
    return [after[parents] >= worst[1:], worst[0] <= budget]


def _average(costs: Expression, shape: tuple[int, int, int], budget: Expression) -> list[Any]:
    return [cp.sum(costs) <= budget]  # the scale holds the chances


OBSERVERS: dict[
    Observer, Callable[[Expression, tuple[int, int, int], Expression], Sequence[Any]]
] = {"open_loop": _open_loop, "adaptive": _adaptive, "average": _average}
