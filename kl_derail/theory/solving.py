"""A convex programme is solved, or says in one way that it was not."""

from __future__ import annotations

import warnings
from typing import Any


class SolverError(ArithmeticError):
    """A solver found no optimum."""


def solve_programme(problem: Any, **settings: Any) -> None:
    """Solve a `cvxpy.Problem`; an inaccurate solution counts, as the callers check what they need.

    Raises:
        SolverError: the solver failed, or says that there is no optimum.
    """
    import cvxpy

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(**settings)
    except cvxpy.error.SolverError as error:
        raise SolverError(f"the solver failed: {str(error).splitlines()[0]}") from error
    if problem.status not in (cvxpy.OPTIMAL, cvxpy.OPTIMAL_INACCURATE):
        raise SolverError(f"the solver says: {problem.status}")
