"""Random numbers that depend only on who draws them, and tokens from them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def stream(*key: int) -> np.random.Generator:
    """A random stream of its own for each key of integers, for instance (seed, update, chat).

    Restarts and the number of processes change nothing: the numbers depend on the key alone.

    >>> float(stream(1, 2, 3).random()) == float(stream(1, 2, 3).random())
    True
    >>> float(stream(1, 2, 3).random()) == float(stream(1, 2, 4).random())
    False
    """
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([part % 2**64 for part in key]))
    )


def uniforms(seed: int, update: int, chats: range, steps: int) -> NDArray[np.float64]:
    """[steps, B] uniform numbers in [0, 1), one stream a chat."""
    return np.stack([stream(seed, update, chat).random(steps) for chat in chats], axis=1)


def sample_tokens(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token a row by inverting the distribution function, in float64.

    A token of probability 0 is never drawn, and rows need not sum to 1 exactly.

    Args:
        log_probs: [B, V] log-probabilities.
        uniform: [B] float64 numbers in [0, 1).

    Returns:
        [B] int64 tokens.

    >>> sample_tokens(torch.tensor([[0.5, 0.0, 0.5]]).log(), torch.tensor([0.5], dtype=torch.float64))
    tensor([2])
    """
    cumulative = log_probs.exp().cumsum(-1, dtype=torch.float64)
    level = uniform[:, None] * cumulative[:, -1:]
    return (
        torch.searchsorted(cumulative, level, right=True)
        .squeeze(-1)
        .clamp_max(log_probs.shape[-1] - 1)
    )
