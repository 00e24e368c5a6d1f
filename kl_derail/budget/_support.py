"""On which tokens a proposal and a base are compared."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_LOG_BASE = -700.0
"""Base log-probabilities below this count as impossible (exp of it is about the least float64 to divide by)."""


def clean(log_proposal: Tensor, log_base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise both over the support of the base, whatever they hold.

    Returns (log a, log beta, broken): [n, V] float64 twice, and [n, 1] bool for rows whose proposal has a NaN,
    a +inf or no mass on the support; their log a is log beta. Off the support both are -inf.
    """
    off = ~(log_base >= MIN_LOG_BASE)
    log_a = log_proposal.double().masked_fill(off, -torch.inf)
    log_b = torch.log_softmax(log_base.double().masked_fill(off, -torch.inf), -1)
    unfit = ~(log_proposal < torch.inf).all(-1, keepdim=True)
    broken = unfit | ~(log_a.amax(-1, keepdim=True) > -torch.inf)
    log_a = torch.log_softmax(log_a, -1)
    rows = broken.squeeze(-1)
    if bool(rows.any()):
        log_a[rows] = log_b[rows]
    return log_a, log_b, broken
