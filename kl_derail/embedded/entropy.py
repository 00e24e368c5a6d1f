"""How close a base model comes to the grammar: its loss against the exact entropy of the talk.

The entropy of a whole corpus is not computed; conversations are most of its tokens, and theirs is
exact: the probability of every turn is known, and the line breaks and the length of a conversation
add a few nats. A model that sees a window and not the whole conversation cannot reach it, so what
is computed is a lower bound on the expected loss.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kl_derail.embedded.conversation import (
    DOUBLE_SPACED,
    EXCHANGES,
    conversation,
    log_probs,
    turns,
)


class LossAndEntropy(NamedTuple):
    """On held-out conversations, in nats a token: the model's loss and the grammar's entropy."""

    loss: float
    entropy: float
    tokens: int


def nats(text: str) -> float:
    """Exact negative log-probability of a conversation as text."""
    share = DOUBLE_SPACED if "\n\n" in text else 1 - DOUBLE_SPACED
    length = math.log(EXCHANGES[1] - EXCHANGES[0])
    return length - math.log(share) - sum(log_probs(turns(text)))


def loss_and_entropy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    conversations: int = 8,
    window: int = 512,
) -> LossAndEntropy:
    """Loss and entropy of new conversations.

    Every token after the first half window has at least half a window before it.
    """
    texts = [conversation(np.random.default_rng((seed, 7, n))) for n in range(conversations)]
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    tokens = sum(map(len, ids))
    loss = sum(_loss(model, torch.tensor(row), window) for row in ids)
    return LossAndEntropy(loss / tokens, sum(map(nats, texts)) / tokens, tokens)


def _loss(model: PreTrainedModel, ids: torch.Tensor, window: int) -> float:
    """Summed loss in nats of [T] token ids, in windows that overlap by half.

    The first token and the end of text that follows the last are left out.
    """
    half, total = window // 2, 0.0
    for start in range(0, max(1, len(ids) - half), half):
        part = ids[start : start + window]
        new = len(part) - 1 if start == 0 else len(part) - half
        with torch.no_grad():
            logits = model(input_ids=part[None, :-1]).logits[0, -new:].float()
        total += float(torch.nn.functional.cross_entropy(logits, part[-new:], reduction="sum"))
    return total
