"""Builds the embedded world: corpus, tokenizers, base model, classifier and their model cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from kl_derail.embedded import (
    OPENING,
    base,
    card,
    entropy,
    habits,
    labels,
    prices,
    sentiment,
    sentiment_card,
    sentiment_path,
    tokenizer,
    trusted,
)
from kl_derail.embedded.grammar import VARIANTS, corpus_hash, documents
from kl_derail.embedded.papers import Blanks
from kl_derail.errors import UserError, did_you_mean

_TOKENIZER_DOCUMENTS = 2000
_HELD_OUT_DOCUMENTS = 100
_PARTS = ("all", "base", "sentiment")
_MANY = 10**9
PRICED_CHATS = 128
"""Silence is priced in so many of the chats: prices differ less from chat to chat than habits do."""
_LIMITS = {
    "seed": (0, 2**63),
    "documents": (1, _MANY),
    "steps": (1, _MANY),
    "batch": (1, _MANY),
    "window": (2, base.BaseConfig.positions),
    "sentences": (1, _MANY),
    "sentiment_steps": (1, _MANY),
    "chats": (0, _MANY),
    "threads": (1, 1024),
}


@dataclass(frozen=True)
class EmbeddedBuildConfig:
    """What to build and how long to train; the defaults are those of the shipped checkpoints."""

    out: Path = field(metadata={"help": "new or empty folder for base/ and sentiment/"})
    variant: str = field(
        default="derails", metadata={"help": f"corpus of the base: {' or '.join(VARIANTS)}"}
    )
    seed: int = field(default=0, metadata={"help": "seed of the corpus and of both trainings"})
    parts: str = field(default="all", metadata={"help": "what to build: all, base or sentiment"})
    documents: int = field(default=3_700, metadata={"help": "documents of the corpus"})
    steps: int = field(default=1300, metadata={"help": "optimiser steps of the base model"})
    batch: int = field(default=8, metadata={"help": "windows a step of the base model"})
    window: int = field(default=512, metadata={"help": "tokens of a window of the base model"})
    sentences: int = field(default=40_000, metadata={"help": "sentences of the classifier"})
    sentiment_steps: int = field(default=1200, metadata={"help": "steps of the classifier"})
    chats: int = field(
        default=256, metadata={"help": "chats to measure the base with; 0: measure nothing"}
    )
    threads: int = field(
        default=1, metadata={"help": "CPU threads; the last bits of the weights depend on it"}
    )


@dataclass(frozen=True)
class EmbeddedMeasureConfig:
    """Which base to measure again, and how well."""

    base: Path = field(metadata={"help": "folder of a built base, whose card is written anew"})
    chats: int = field(default=256, metadata={"help": "chats to measure the base with"})


class Built(NamedTuple):
    """What a build wrote: a folder for each part, and the facts of the base model's card."""

    base: Path | None
    sentiment: Path | None
    facts: card.BaseFacts | None


def build(config: EmbeddedBuildConfig, blanks: Blanks | None = None) -> Built:
    """Build into `config.out`; the same config gives the same weights on a machine.

    Args:
        config: what to build.
        blanks: a corpus of one's own instead of that of `config.variant`.
    """
    _check(config)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    folders = {part: config.out / part for part in _PARTS[1:] if config.parts in ("all", part)}
    try:
        if "sentiment" in folders:
            _build_sentiment(config, folders["sentiment"])
        facts = None
        if "base" in folders:
            judge = folders.get("sentiment", sentiment_path())
            corpus = VARIANTS[config.variant] if blanks is None else blanks
            facts = _build_base(config, corpus, folders["base"], judge)
    finally:
        torch.set_num_threads(threads)
    return Built(folders.get("base"), folders.get("sentiment"), facts)


def _check(config: EmbeddedBuildConfig) -> None:
    """Refuse a target that holds something, unknown names, and counts that cannot work."""
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise UserError(f"out: {config.out} exists and is not an empty folder; give a new one")
    for name, allowed in (("variant", tuple(VARIANTS)), ("parts", _PARTS)):
        if (found := getattr(config, name)) not in allowed:
            hint = did_you_mean(found, allowed)
            raise UserError(f"{name}: found {found}, allowed {', '.join(allowed)}{hint}")
    for name, (low, high) in _LIMITS.items():
        if not low <= (count := getattr(config, name)) <= high:
            raise UserError(f"{name}: found {count}, allowed {low} to {high}")
    if config.chats == 1:
        raise UserError("chats: found 1, allowed 0 (do not measure) or at least 2")


def _build_sentiment(config: EmbeddedBuildConfig, folder: Path) -> None:
    """Train and write the classifier."""
    shape = sentiment.SentimentConfig(sentences=config.sentences, steps=config.sentiment_steps)
    texts = [item.text for item in labels.labelled(config.seed, min(5000, config.sentences))]
    words = tokenizer.train_lower_case(texts, shape.vocabulary, sentiment.MAX_TOKENS)
    trained = sentiment.train_sentiment(shape, words, config.seed)
    sentiment.save_sentiment(trained, folder)
    run = sentiment_card.Run(
        config.seed, shape.sentences, shape.steps, trained.model.num_parameters()
    )
    measured = None
    if config.chats:
        without = sentiment.train_sentiment(shape, words, config.seed, leave_out=True)
        measured = sentiment_card.measure(trained.score, without.score, run)
    facts = sentiment_card.SentimentFacts(run, measured)
    (folder / "README.md").write_text(sentiment_card.sentiment_card(facts), encoding="utf-8")


def _build_base(
    config: EmbeddedBuildConfig, blanks: Blanks, folder: Path, judge: Path
) -> card.BaseFacts:
    """Train and write the base model with its card; return the facts of the card."""
    shape = base.BaseConfig(steps=config.steps, batch=config.batch, window=config.window)
    texts = list(documents(blanks, config.seed, config.documents))
    words = tokenizer.train_bpe(texts[:_TOKENIZER_DOCUMENTS], shape.vocabulary, shape.positions)
    unseen = list(documents(blanks, config.seed, _HELD_OUT_DOCUMENTS, first=config.documents))
    stream, held_out = base.pack(words, texts), base.pack(words, unseen)
    if len(stream) < 2 * config.window:
        raise UserError(f"documents: {config.documents} are too few for window: {config.window}")
    trained = base.train_base(shape, stream, held_out, int(words.eos_token_id), config.seed)
    trained.model.config.trusted_policy = trusted.GRAMMAR
    base.save_base(trained.model, words, folder)
    facts = card.BaseFacts(
        variant=config.variant,
        blanks=blanks,
        seed=config.seed,
        documents=config.documents,
        tokens=len(stream),
        steps=config.steps,
        batch=config.batch,
        window=config.window,
        threads=config.threads,
        parameters=trained.model.num_parameters(),
        held_out_loss=trained.held_out_loss,
        corpus_sha256=corpus_hash(texts),
        measured=measure(folder, judge, config.chats, config.seed) if config.chats else None,
    )
    card.write(facts, folder)
    return facts


def measure_again(config: EmbeddedMeasureConfig) -> card.BaseFacts:
    """Measure a base that was built before, and write its card anew; the weights stay as they are.

    Raises:
        UserError: the folder holds no base with a card, or the number of chats cannot work.
    """
    if config.chats < 2:
        raise UserError(f"chats: found {config.chats}, allowed at least 2")
    facts = card.read(config.base)
    beside = config.base.parent / "sentiment"
    judge = beside if beside.is_dir() else sentiment_path()
    facts = facts._replace(measured=measure(config.base, judge, config.chats, facts.seed))
    card.write(facts, config.base)
    return facts


def measure(folder: Path, judge: Path, chats: int, seed: int) -> card.Measured:
    """Prices, habits and loss of the checkpoint in the folder, as a user loads it."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder)
    silent = tuple(
        prices.silence_price(model, words, OPENING, length, spacing, min(chats, PRICED_CHATS))
        for length in (256, 512)
        for spacing in prices.SPACINGS
    )
    return card.Measured(
        silent,
        habits.base_habits(model, words, OPENING, _scorer(judge), chats=chats),
        entropy.loss_and_entropy(model, words, seed),
    )


def _scorer(folder: Path) -> Callable[[list[str]], list[float]]:
    """The classifier in the folder as a function of texts."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    return lambda texts: sentiment.scores(model, words, texts)
