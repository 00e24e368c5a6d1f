"""Sentiment of texts by a DistilBERT (or any other two-class) classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from kl_derail.errors import UserError


class SentimentModel:
    """Probability that a text is positive.

    The study maps a signed sentiment s in [-1, 1] to (s + 1) / 2; with s = P(positive) - P(negative) that is exactly
    P(positive).

    Args:
        name: hub id or folder of a sequence classifier with a POSITIVE label.
        device: where it runs.
        batch_size: texts scored at once; longer lists are sorted by length and split.
        max_tokens: longer texts are truncated.

    Raises:
        UserError: nothing loadable there, or no label called POSITIVE.
    """

    def __init__(
        self,
        name: str,
        *,
        device: torch.device | str = "cpu",
        batch_size: int = 64,
        max_tokens: int = 128,
    ) -> None:
        if not Path(name).is_dir() and (Path(name).exists() or name.startswith((".", "/", "~"))):
            raise UserError(f"reward: no classifier folder at {name!r}; give a folder or a hub id")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForSequenceClassification.from_pretrained(name, dtype=torch.float32)
        except Exception as error:  # any loader's complaint becomes one line
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"reward: cannot load the classifier {name!r}: {reason}") from error
        self._model = model.eval().requires_grad_(False).to(device)
        self._batch_size, self._max_tokens = batch_size, max_tokens
        self._positive = _positive_label(name, model.config.id2label)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> list[float]:
        """P(positive) of each text."""
        order = sorted(range(len(texts)), key=lambda number: (len(texts[number]), texts[number]))
        scores = [0.0] * len(texts)
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            for number, score in zip(
                chosen, self._batch([texts[number] for number in chosen]), strict=True
            ):
                scores[number] = score
        return scores

    def _batch(self, texts: list[str]) -> list[float]:
        inputs = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        ).to(self._model.device)
        probabilities = self._model(**inputs).logits.float().softmax(-1)
        return [float(score) for score in probabilities[:, self._positive].cpu()]


def _positive_label(name: str, labels: dict[int, str]) -> int:
    for index, label in labels.items():
        if label.upper() == "POSITIVE":
            return int(index)
    raise UserError(
        f"reward: {name!r} has the labels {sorted(labels.values())}; one must be POSITIVE"
    )
