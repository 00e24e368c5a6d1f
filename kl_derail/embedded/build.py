"""Builds the embedded world: corpus, tokenizers, base model, classifier and their model cards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from kl_derail.embedded import OPENING, base, card, labels, prices, sentiment, tokenizer
from kl_derail.embedded.grammar import corpus_hash, documents
from kl_derail.errors import UserError

_TOKENIZER_DOCUMENTS = 2000
_HELD_OUT_DOCUMENTS = 100


@dataclass(frozen=True)
class EmbeddedBuildConfig:
    """What to build and how long to train; the defaults are those of the shipped checkpoints."""

    out: Path = field(metadata={"help": "new or empty folder for base/ and sentiment/"})
    seed: int = field(default=0, metadata={"help": "seed of the corpus and of both trainings"})
    documents: int = field(default=4_400, metadata={"help": "documents of the corpus"})
    steps: int = field(default=1200, metadata={"help": "optimiser steps of the base model"})
    batch: int = field(default=8, metadata={"help": "windows a step of the base model"})
    window: int = field(default=512, metadata={"help": "tokens of a window of the base model"})
    sentences: int = field(default=40_000, metadata={"help": "sentences of the classifier"})
    sentiment_steps: int = field(default=1200, metadata={"help": "steps of the classifier"})
    chats: int = field(
        default=256, metadata={"help": "chats to measure the base with; 0: do not measure"}
    )
    threads: int = field(
        default=1, metadata={"help": "CPU threads; the last bits of the weights depend on it"}
    )


class Built(NamedTuple):
    """The folders that a build wrote and the SHA-256 of the corpus behind them."""

    base: Path
    sentiment: Path
    corpus_sha256: str


def build(config: EmbeddedBuildConfig) -> Built:
    """Build all into `config.out`; the same config gives the same weights on a machine."""
    _check(config)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        judge = _build_sentiment(config)
        digest = _build_base(config, judge)
    finally:
        torch.set_num_threads(threads)
    return Built(config.out / "base", config.out / "sentiment", digest)


def _check(config: EmbeddedBuildConfig) -> None:
    """Refuse a target that holds something, and counts that cannot work."""
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise UserError(f"out: {config.out} exists and is not an empty folder; give a new one")
    counts = ("documents", "steps", "batch", "window", "sentences", "sentiment_steps", "threads")
    for name in counts:
        if getattr(config, name) < 1:
            raise UserError(f"{name}: found {getattr(config, name)}, expected at least 1")


def _build_sentiment(config: EmbeddedBuildConfig) -> sentiment.TrainedSentiment:
    """Train and write the classifier."""
    shape = sentiment.SentimentConfig(sentences=config.sentences, steps=config.sentiment_steps)
    texts = [item.text for item in labels.labelled(config.seed, min(5000, config.sentences))]
    words = tokenizer.train_lower_case(texts, shape.vocabulary, sentiment.MAX_TOKENS)
    trained = sentiment.train_sentiment(shape, words, config.seed)
    folder = config.out / "sentiment"
    sentiment.save_sentiment(trained, folder)
    facts = card.SentimentFacts(
        config.seed,
        shape.sentences,
        shape.steps,
        trained.model.num_parameters(),
        trained.held_out_error,
    )
    (folder / "README.md").write_text(card.sentiment_card(facts), encoding="utf-8")
    return trained


def _build_base(config: EmbeddedBuildConfig, judge: sentiment.TrainedSentiment) -> str:
    """Train and write the base model; return the hash of the corpus."""
    shape = base.BaseConfig(steps=config.steps, batch=config.batch, window=config.window)
    texts = list(documents(config.seed, config.documents))
    words = tokenizer.train_bpe(texts[:_TOKENIZER_DOCUMENTS], shape.vocabulary, shape.positions)
    unseen = list(documents(config.seed, _HELD_OUT_DOCUMENTS, first=config.documents))
    stream, held_out = base.pack(words, texts), base.pack(words, unseen)
    if len(stream) < 2 * config.window:
        raise UserError(f"documents: {config.documents} are too few for window: {config.window}")
    trained = base.train_base(shape, stream, held_out, int(words.eos_token_id), config.seed)
    folder = config.out / "base"
    base.save_base(trained.model, words, folder)
    facts = card.BaseFacts(
        seed=config.seed,
        documents=config.documents,
        tokens=len(stream),
        steps=config.steps,
        batch=config.batch,
        window=config.window,
        parameters=trained.model.num_parameters(),
        held_out_loss=trained.held_out_loss,
        corpus_sha256=corpus_hash(texts),
        measured=_measure(folder, judge, config.chats) if config.chats else None,
    )
    (folder / "README.md").write_text(card.base_card(facts), encoding="utf-8")
    return facts.corpus_sha256


def _measure(folder: Path, judge: sentiment.TrainedSentiment, chats: int) -> card.Measured:
    """Prices and habits of the checkpoint in the folder, as a user loads it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder)
    silent = {
        (length, gap): prices.silence_price(model, words, OPENING, length, gap, min(chats, 32))
        for length in (256, 512)
        for gap in ("\n\n", "\n")
    }
    habits = prices.base_habits(
        model,
        words,
        OPENING,
        lambda texts: sentiment.scores(judge.model, judge.tokenizer, texts),
        chats=chats,
    )
    return card.Measured(silent, habits)
