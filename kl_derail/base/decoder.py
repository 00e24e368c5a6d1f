"""One token a step for the whole batch: a single forward pass serves the agent, the other speakers and the features."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from kl_derail.base.cache import reserved_cache, spread
from kl_derail.errors import UserError


class BaseStep(NamedTuple):
    """What the base says of the next token of each chat.

    Attributes:
        log_probs: [B, V] float32 log-probabilities at temperature 1.
        features: [B, F] float32: the last n hidden layers at the last position, oldest layer first; the newest one
            is after the final norm.
    """

    log_probs: Tensor
    features: Tensor


class LockstepDecoder:
    """Decode B chats that all grow by one token a step.

    Openings may differ in length: they are padded on the left, and positions count from each opening's first token.
    Equal openings are run through the model once and their cache is copied.

    Args:
        model: a causal language model in evaluation mode.
        feature_layers: how many of the last hidden layers make the features.
        capacity: tokens to reserve room for (opening included); more are possible but cost a copy.
    """

    def __init__(
        self, model: PreTrainedModel, *, feature_layers: int = 3, capacity: int = 0
    ) -> None:
        layers = int(model.config.get_text_config().num_hidden_layers) + 1
        if not 1 <= feature_layers <= layers:
            raise UserError(
                f"feature_layers: found {feature_layers}, allowed 1 to {layers} for this base model"
            )
        self.model = model
        self.feature_layers = feature_layers
        self.capacity = capacity
        self._cache: Any = None
        self._positions: Tensor | None = None
        self._mask: Tensor | None = None

    @cached_property
    def _last_only(self) -> dict[str, int]:
        known = inspect.signature(self.model.forward).parameters
        return {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    @torch.inference_mode()
    def start(self, openings: Sequence[Sequence[int]]) -> BaseStep:
        """Read the openings (B non-empty token lists); returns the first step."""
        unique = sorted({tuple(opening) for opening in openings})
        if not unique or not unique[0]:
            raise ValueError("every chat needs an opening of at least one token")
        rows = torch.tensor([unique.index(tuple(o)) for o in openings], device=self.model.device)
        width = max(map(len, unique))
        ids = torch.tensor(
            [[0] * (width - len(o)) + list(o) for o in unique], device=self.model.device
        )
        mask = torch.tensor(
            [[0] * (width - len(o)) + [1] * len(o) for o in unique], device=self.model.device
        )
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        padded = bool((mask == 0).any())
        self._cache = reserved_cache(self.model.config, max(self.capacity, width))
        self._mask = mask if padded else None
        step = self._forward(ids, positions)
        spread(self._cache, rows)
        self._mask = mask[rows] if padded else None
        self._positions = positions[rows, -1:]
        return BaseStep(step.log_probs[rows], step.features[rows])

    @torch.inference_mode()
    def advance(self, tokens: Tensor) -> BaseStep:
        """Append one token [B] int64 to each chat; returns the next step."""
        if self._positions is None:
            raise RuntimeError("call start() before advance()")
        self._positions = self._positions + 1
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        return self._forward(tokens[:, None], self._positions)

    def _forward(self, ids: Tensor, positions: Tensor) -> BaseStep:
        output = self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            output_hidden_states=True,
            **self._last_only,
        )
        hidden = output.hidden_states[-self.feature_layers :]
        features = torch.cat([layer[:, -1] for layer in hidden], dim=-1).float()
        return BaseStep(torch.log_softmax(output.logits[:, -1].float(), dim=-1), features)
