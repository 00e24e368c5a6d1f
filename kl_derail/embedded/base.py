"""Trains the embedded base model: a Mixtral of about 1.2 million parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import MixtralConfig, MixtralForCausalLM, PreTrainedTokenizerFast

from kl_derail.plumbing.progress import progress_bar

Ids = npt.NDArray[np.int64]
Watcher = Callable[[int, float, MixtralForCausalLM], None]


@dataclass(frozen=True)
class BaseConfig:
    """The shape of the base model and how it is trained."""

    vocabulary: int = field(default=768, metadata={"help": "entries of the tokenizer"})
    hidden: int = field(default=128, metadata={"help": "hidden size"})
    layers: int = field(default=4, metadata={"help": "decoder layers"})
    experts: int = field(default=4, metadata={"help": "experts a layer, two of them active"})
    positions: int = field(default=1024, metadata={"help": "longest context in tokens"})
    steps: int = field(default=1300, metadata={"help": "optimiser steps"})
    batch: int = field(default=8, metadata={"help": "windows a step"})
    window: int = field(default=512, metadata={"help": "tokens of a training window"})
    learning_rate: float = field(default=4.5e-3, metadata={"help": "peak learning rate of AdamW"})
    warmup: int = field(default=100, metadata={"help": "steps of linear warm-up"})


class TrainedBase(NamedTuple):
    """A trained base model and its loss on documents it never saw, in nats a token."""

    model: MixtralForCausalLM
    held_out_loss: float


def pack(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Ids:
    """All documents as one stream of token ids, an end-of-text token after each."""
    end = tokenizer.eos_token_id
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return np.fromiter((token for ids in encoded for token in [*ids, end]), dtype=np.int64)


def new_model(config: BaseConfig, end_id: int) -> MixtralForCausalLM:
    """An untrained Mixtral of the configured shape, drawn from torch's global random stream."""
    shape = MixtralConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.hidden,
        intermediate_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=config.experts,
        num_experts_per_tok=2,
        max_position_embeddings=config.positions,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        sliding_window=None,
        router_aux_loss_coef=0.01,
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=end_id,
        tie_word_embeddings=False,
    )
    shape._experts_implementation = "eager"
    return MixtralForCausalLM(shape)


def learning_rate(config: BaseConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak, by steps and never by the clock."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def windows(stream: Ids, starts: Ids, length: int) -> torch.Tensor:
    """[len(starts), length] token ids, one window of the stream from each start."""
    return torch.from_numpy(stream[starts[:, None] + np.arange(length)])


def _optimiser(model: MixtralForCausalLM) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-8)


def _starts(config: BaseConfig, length: int, seed: int) -> Ids:
    """[steps, batch] window starts: the stream is cut at a random offset, anew in each pass."""
    rng = np.random.default_rng((seed, 1))
    wanted, starts = config.steps * config.batch, np.empty(0, dtype=np.int64)
    while starts.size < wanted:
        offset = int(rng.integers(config.window))
        one_pass = np.arange(offset, length - config.window + 1, config.window)
        starts = np.concatenate([starts, rng.permutation(one_pass)])
    return starts[:wanted].reshape(config.steps, config.batch)


def held_out_loss(model: MixtralForCausalLM, stream: Ids, length: int, batch: int) -> float:
    """Mean loss in nats a token over consecutive windows of the stream (at most 64 of them)."""
    starts = np.arange(0, len(stream) - length + 1, length)[:64]
    losses = []
    model.eval()
    with torch.no_grad():
        for at in range(0, len(starts), batch):
            ids = windows(stream, starts[at : at + batch], length)
            losses.append(float(_loss(model, ids)) * len(ids))
    return sum(losses) / len(starts)


def _loss(model: MixtralForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Mean next-token loss in nats."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def train_base(
    config: BaseConfig,
    stream: Ids,
    held_out: Ids,
    end_id: int,
    seed: int,
    watch: Watcher = lambda step, loss, model: None,
) -> TrainedBase:
    """Train on windows of the stream; the same seed and thread count give the same weights.

    `watch` is called after each step with its number, its loss in nats and the model.
    """
    torch.manual_seed(seed)
    model = new_model(config, end_id).train()
    optimiser = _optimiser(model)
    starts = _starts(config, len(stream), seed)
    with progress_bar() as progress:
        task = progress.add_task("base model", total=config.steps)
        for step in range(config.steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step)
            loss = _step(model, optimiser, windows(stream, starts[step], config.window))
            watch(step, loss, model)
            progress.update(task, advance=1, description=f"base model, loss {loss:.3f}")
    return TrainedBase(model, held_out_loss(model, held_out, config.window, config.batch))


def _step(model: MixtralForCausalLM, optimiser: torch.optim.Optimizer, ids: torch.Tensor) -> float:
    """One optimiser step on [B, T] token ids; its loss with the router's balance term, in nats."""
    out = model(input_ids=ids, labels=ids, use_cache=False, output_router_logits=True)
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(out.loss.detach())


def save_base(model: MixtralForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write model and tokenizer so that `from_pretrained(folder)` finds both."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    readable(folder)


def readable(folder: Path) -> None:
    """Let everybody read the files of the folder (weights are written for the owner only)."""
    for file in folder.iterdir():
        file.chmod(0o644)
