"""A key-value cache that writes each new token in place.

transformers' `DynamicLayer` concatenates, so a step copies the whole past: with 64 chats that costs more than the
matrix products of a small model. This layer reserves room for the whole episode once and hands out views.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig
from transformers.cache_utils import DynamicCache, DynamicLayer


class ReservedLayer(DynamicLayer):
    """Keys and values [B, heads, t, D] as views of buffers that hold `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.capacity = capacity
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append [B, heads, n, D] keys and values; returns all of them so far as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        stop = start + key_states.shape[-2]
        key_buffer, value_buffer = self._room(key_states, value_states, start, stop)
        key_buffer[..., start:stop, :] = key_states
        value_buffer[..., start:stop, :] = value_states
        self.keys, self.values = key_buffer[..., :stop, :], value_buffer[..., :stop, :]
        return self.keys, self.values

    def _room(
        self, key_states: Tensor, value_states: Tensor, start: int, stop: int
    ) -> tuple[Tensor, Tensor]:
        """The buffers; new ones, with the past copied, where these lack the room or do not hold the past.

        Whoever selects or reorders rows puts other tensors in place of our views.
        """
        keys: Any = self.keys
        kept = self._buffers
        if kept is None or keys.data_ptr() != kept[0].data_ptr() or stop > kept[0].shape[-2]:
            self.capacity = max(self.capacity, stop)
            kept = self._reserve(key_states), self._reserve(value_states)
            if start:
                kept[0][..., :start, :] = keys
                kept[1][..., :start, :] = self.values  # type: ignore[assignment]
            self._buffers = kept
        return kept

    def _reserve(self, like: Tensor) -> Tensor:
        batch, heads, _, width = like.shape
        return like.new_empty(batch, heads, self.capacity, width)


def reserved_cache(config: PretrainedConfig, capacity: int) -> DynamicCache:
    """The model's own cache layout, with every plain full-attention layer replaced by a `ReservedLayer`."""
    cache = DynamicCache(config=config)
    cache.layers = [
        ReservedLayer(capacity) if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def spread(cache: DynamicCache, rows: Tensor) -> None:
    """Copy the cache's batch rows, in place: row i of the new batch is row `rows[i]` of the old one."""
    if len(rows) > 1 or torch.any(rows != 0):
        cache.batch_select_indices(rows)
