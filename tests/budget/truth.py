"""Slow and obvious float64 versions of what `kl_derail.budget` computes, written without it."""

from __future__ import annotations

import torch
from torch import Tensor

SUPPORT = -700.0


def normalised(log_a: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64, over the tokens that the base can emit."""
    log_a, log_b = log_a.double(), log_b.double()
    off = ~(log_b >= SUPPORT)
    return (
        torch.log_softmax(log_a.masked_fill(off, -torch.inf), -1),
        torch.log_softmax(log_b.masked_fill(off, -torch.inf), -1),
    )


def kl(log_a: Tensor, log_b: Tensor, alpha: Tensor) -> Tensor:
    """sum x log(x / beta) [N, 1]: nothing clever, so good to about 1e-15 nats absolute."""
    log_a, log_b = normalised(log_a, log_b)
    x = alpha * log_a.exp() + (1 - alpha) * log_b.exp()
    terms = x * (x.log() - log_b)
    return torch.where(x > 0, terms, 0.0).sum(-1, keepdim=True)


def mixture(log_a: Tensor, log_b: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Differences need the exact root: log x and KL at the alpha of 90 plain bisections."""
    low, high = torch.zeros_like(target), torch.ones_like(target)
    for _ in range(90):
        middle = (low + high) / 2
        fits = kl(log_a, log_b, middle) <= target
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    low = torch.where(kl(log_a, log_b, torch.ones_like(target)) <= target, 1.0, low)
    log_a, log_b = normalised(log_a, log_b)
    x = low * log_a.exp() + (1 - low) * log_b.exp()
    return x.log(), kl(log_a, log_b, low)


def random_rows(
    rows: int,
    vocabulary: int,
    *,
    away: float = 2.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Normalised log a and log beta [rows, vocabulary]; `away` is how many nats the proposal moves a token."""
    random = torch.Generator().manual_seed(seed)
    log_b = torch.log_softmax(3 * torch.randn(rows, vocabulary, generator=random, dtype=dtype), -1)
    moved = log_b + away * torch.randn(rows, vocabulary, generator=random, dtype=dtype)
    return torch.log_softmax(moved, -1), log_b


def column(*values: float, rows: int | None = None) -> Tensor:
    """A float64 [N, 1]; one value is repeated `rows` times."""
    return torch.tensor(values if rows is None else values * rows, dtype=torch.float64).unsqueeze(
        -1
    )
