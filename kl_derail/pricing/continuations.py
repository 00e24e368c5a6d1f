"""What the base says after many short continuations of one text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from kl_derail.base.cache import spread


class Continuations:
    """Next-token log-probabilities after continuations of a context, which is read only once.

    Args:
        model: a causal language model in evaluation mode.
        context: at least one token.
    """

    @torch.inference_mode()
    def __init__(self, model: PreTrainedModel, context: Sequence[int]) -> None:
        self._model, self._length = model, len(context)
        self._cache = DynamicCache(config=model.config)
        ids = torch.tensor([list(context)], device=model.device)
        logits = model(input_ids=ids, past_key_values=self._cache, use_cache=True).logits
        self._next = _log_softmax(logits[0, -1:])

    @torch.inference_mode()
    def __call__(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """[n, V] float64 log-probabilities of the next token after the context and each of n suffixes."""
        if not any(suffixes):
            return self._next.expand(len(suffixes), -1)
        logits = self._read(suffixes)
        last = torch.tensor([len(suffix) - 1 for suffix in suffixes], device=logits.device)
        found = _log_softmax(logits[torch.arange(len(suffixes), device=logits.device), last])
        empty = [number for number, suffix in enumerate(suffixes) if not suffix]
        found[empty] = self._next
        return found

    def _read(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """[n, T, V] logits along the suffixes, padded on the right: what comes later changes nothing before it."""
        width = max(map(len, suffixes))
        device = self._model.device
        ids = torch.tensor([[*suffix, *[0] * (width - len(suffix))] for suffix in suffixes])
        positions = torch.arange(self._length, self._length + width, device=device)
        cache: Any = copy.deepcopy(self._cache)
        spread(cache, torch.zeros(len(suffixes), dtype=torch.int64, device=device))
        logits: Tensor = self._model(
            input_ids=ids.to(device),
            position_ids=positions.expand(len(suffixes), -1),
            past_key_values=cache,
            use_cache=True,
        ).logits
        return logits


def _log_softmax(logits: Tensor) -> Tensor:
    """As everywhere in float32, kept in float64 so that sums lose nothing."""
    return torch.log_softmax(logits.float(), dim=-1).double()
