"""Trains the embedded sentiment classifier: a small DistilBERT that scores students' replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from kl_derail.embedded.base import readable
from kl_derail.embedded.labels import Scored, labelled
from kl_derail.plumbing.progress import progress_bar

LABELS = {0: "NEGATIVE", 1: "POSITIVE"}
MAX_TOKENS = 64


@dataclass(frozen=True)
class SentimentConfig:
    """The shape of the classifier and how it is trained."""

    vocabulary: int = field(default=1500, metadata={"help": "entries of the tokenizer, at most"})
    dim: int = field(default=96, metadata={"help": "hidden size"})
    layers: int = field(default=2, metadata={"help": "transformer layers"})
    sentences: int = field(default=40_000, metadata={"help": "labelled sentences"})
    steps: int = field(default=1200, metadata={"help": "optimiser steps"})
    batch: int = field(default=64, metadata={"help": "sentences a step"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak learning rate"})


class TrainedSentiment(NamedTuple):
    """A trained classifier and its tokenizer."""

    model: DistilBertForSequenceClassification
    tokenizer: PreTrainedTokenizerFast

    def score(self, texts: Sequence[str]) -> list[float]:
        """The probability of POSITIVE for each text."""
        return scores(self.model, self.tokenizer, texts)


def new_classifier(config: SentimentConfig, entries: int) -> DistilBertForSequenceClassification:
    """An untrained DistilBERT of the configured shape, drawn from torch's global random stream."""
    return DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=entries,
            max_position_embeddings=2 * MAX_TOKENS,
            dim=config.dim,
            hidden_dim=2 * config.dim,
            n_layers=config.layers,
            n_heads=4,
            dropout=0.05,
            attention_dropout=0.0,
            seq_classif_dropout=0.05,
            pad_token_id=0,
            id2label=LABELS,
            label2id={name: number for number, name in LABELS.items()},
        )
    )


def scores(
    model: DistilBertForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
) -> list[float]:
    """The probability of POSITIVE for each text."""
    model.eval()
    found: list[float] = []
    with torch.no_grad():
        for at in range(0, len(texts), 256):
            inputs = _encode(tokenizer, texts[at : at + 256])
            found += torch.softmax(model(**inputs).logits, -1)[:, 1].tolist()
    return found


def _encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    encoded = tokenizer(
        list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def train_sentiment(
    config: SentimentConfig,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    leave_out: bool = False,
) -> TrainedSentiment:
    """Train on soft labels; the same seed and thread count give the same weights.

    Args:
        config: shape and length of the training.
        tokenizer: of the texts.
        seed: of the texts, the first weights and the batches.
        leave_out: whether held-out feelings and thanks of the students are left out, too.
    """
    data = labelled(seed, config.sentences, leave_out)
    torch.manual_seed(seed)
    model = new_classifier(config, len(tokenizer)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    rise = 0.2 if config.steps == 10 else 0.1  # torch cannot do a rise of exactly one step
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps, pct_start=rise
    )
    rng = np.random.default_rng((seed, 3))
    with progress_bar() as progress:
        for _ in progress.track(range(config.steps), description="classifier"):
            batch = [data[i] for i in rng.integers(len(data), size=config.batch)]
            _loss(model, tokenizer, batch).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
    return TrainedSentiment(model.eval(), tokenizer)


def _loss(
    model: DistilBertForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    batch: Sequence[Scored],
) -> torch.Tensor:
    """Mean cross-entropy with the soft labels, in nats."""
    goal = torch.tensor([[1 - item.score, item.score] for item in batch])
    logits = model(**_encode(tokenizer, [item.text for item in batch])).logits
    return torch.nn.functional.cross_entropy(logits, goal)


def save_sentiment(trained: TrainedSentiment, folder: Path) -> None:
    """Write model and tokenizer so that `from_pretrained(folder)` finds both."""
    trained.model.save_pretrained(folder)
    trained.tokenizer.save_pretrained(folder)
    readable(folder)
