"""Buffers that outlive a call: fresh memory costs a page fault every 4 KiB, more than the arithmetic done on it."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

_CHUNK_ELEMENTS = {"cpu": 1 << 16}
_CHUNK_ELSEWHERE = 1 << 24
_kept = threading.local()


def chunk_rows(rows: int, width: int, device: torch.device) -> int:
    """How many rows [.., width] to work on at a time, so that the buffers stay in the cache (or in memory)."""
    return min(rows, max(1, _CHUNK_ELEMENTS.get(device.type, _CHUNK_ELSEWHERE) // max(1, width)))


def buffers(count: int, rows: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Uninitialised [count, rows, width], one set a thread on the CPU: the next call with this dtype takes it over."""
    if device.type != "cpu":
        return torch.empty(count, rows, width, dtype=dtype, device=device)
    key, size = str(dtype), count * rows * width
    held: Tensor | None = getattr(_kept, key, None)
    if held is None or held.numel() < size:
        with torch.inference_mode(False):
            held = torch.empty(size, dtype=dtype, device=device)
        setattr(_kept, key, held)
    return held[:size].view(count, rows, width)
