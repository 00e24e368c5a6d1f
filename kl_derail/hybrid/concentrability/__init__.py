"""How well offline data cover a policy: U, C, older coefficients, bounds, and instances that are hard."""

from kl_derail.hybrid.concentrability.classical import (
    Split,
    Splits,
    best_split,
    directions,
    partial_ratio,
    ratio,
    relative_condition_number,
    splits,
)
from kl_derail.hybrid.concentrability.coefficients import (
    Coverage,
    concentrability,
    coverage,
    default_gap,
    suboptimal_uncertainty,
    uncertainty,
)
from kl_derail.hybrid.concentrability.problems import Problem, discounted_problem, problem
from kl_derail.hybrid.concentrability.sampled import (
    bandit_errors,
    error_ratio,
    sampled_concentrability,
    tabular_errors,
)

__all__ = [
    "Coverage",
    "Problem",
    "Split",
    "Splits",
    "bandit_errors",
    "best_split",
    "concentrability",
    "coverage",
    "default_gap",
    "directions",
    "discounted_problem",
    "error_ratio",
    "partial_ratio",
    "problem",
    "ratio",
    "relative_condition_number",
    "sampled_concentrability",
    "splits",
    "suboptimal_uncertainty",
    "tabular_errors",
    "uncertainty",
]
