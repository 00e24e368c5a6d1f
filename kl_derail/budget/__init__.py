"""A hard KL budget: mixture at an exact KL, budget head, ledger, divergences. torch only; no language model."""

from kl_derail.budget.divergence import (
    entropy,
    k1,
    k2,
    k3,
    kl_divergence,
    log_ratio,
    mixture_kl,
    total_variation,
)
from kl_derail.budget.head import BudgetHead, HeadOutput, kl_target
from kl_derail.budget.ledger import Accounting, BudgetLedger
from kl_derail.budget.mixture import (
    MIN_LOG_BASE,
    MIN_TARGET,
    Mixture,
    complete_with_help,
    kl_fixed_mixture,
)

__all__ = [
    "MIN_LOG_BASE",
    "MIN_TARGET",
    "Accounting",
    "BudgetHead",
    "BudgetLedger",
    "HeadOutput",
    "Mixture",
    "complete_with_help",
    "entropy",
    "k1",
    "k2",
    "k3",
    "kl_divergence",
    "kl_fixed_mixture",
    "kl_target",
    "log_ratio",
    "mixture_kl",
    "total_variation",
]
