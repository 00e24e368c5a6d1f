"""Buffers that outlive a call: fresh memory costs a page fault every 4 KiB, more than the arithmetic done on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import torch
from torch import Tensor

_CHUNK_ELEMENTS = {"cpu": 1 << 16}
_CHUNK_ELSEWHERE = 1 << 24
_kept = threading.local()


def chunks(like: Tensor) -> Iterator[slice]:
    """Row ranges of a [N, V], small enough that the buffers stay in the cache (or in a GPU's memory)."""
    limit = _CHUNK_ELEMENTS.get(like.device.type, _CHUNK_ELSEWHERE)
    step = max(1, limit // max(1, like.shape[1]))
    return (slice(i, i + step) for i in range(0, like.shape[0], step))


def buffers(count: int, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Uninitialised [count, *shape]; on the CPU the thread's next call with this dtype takes them over."""
    if device.type != "cpu":
        return torch.empty(count, *shape, dtype=dtype, device=device)
    key, size = str(dtype), count * shape.numel()
    held: Tensor | None = getattr(_kept, key, None)
    if held is None or held.numel() < size:
        with torch.inference_mode(False):
            held = torch.empty(size, dtype=dtype, device=device)
        setattr(_kept, key, held)
    return held[:size].view(count, *shape)
