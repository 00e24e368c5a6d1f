"""Tiny random models of several architectures, saved as the hub would serve them, and their tokenizers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import DistilBertConfig, PreTrainedModel, PreTrainedTokenizerFast

from kl_derail.base import BaseModel, load_base
from kl_derail.chat import Scene, Stage
from kl_derail.embedded import base_path

OPENING = "Teacher: Good morning.\n\nStudent: Hello, I am well.\n\nTeacher: We"
"""Cut in the middle of a teacher's turn."""

STUDENT_OPENING = "Teacher: Good morning. Did you read?\n\nStudent: I"
"""Cut in the middle of a student's turn."""

SPEAKERS = ("Teacher", "Student")

END = "<|endoftext|>"

_SENTENCES = (
    "Good morning. Please sit down and open your book.",
    "Hello, I am well, thank you very much!",
    "We read about the sea and the wind today.",
    "Yes, I like it. No, that is dull.",
    "Der Bär läuft über die Brücke, la leçon coûte 3 €.",
)
_CORPUS = [f"{who}: {said}\n\n" for said in _SENTENCES for who in SPEAKERS] * 4
"""Emoji are left out, so that every one takes several tokens."""


def _small(**more: object) -> dict[str, object]:
    """Options that all configurations share; the wide start makes the distributions far from uniform."""
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.25,
        **more,
    }


_NO_MARKS = {"bos_token_id": None, "eos_token_id": None}


def _gpt2() -> dict[str, object]:
    return {
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 512,
        "initializer_range": 0.2,
        **_NO_MARKS,
    }


_WINDOW = 8
"""Far shorter than the texts that the tests decode."""

_GEMMA = {"head_dim": 8, "sliding_window": _WINDOW, "tie_word_embeddings": True}

ARCHITECTURES: dict[str, tuple[str, dict[str, object]]] = {
    "mixtral": ("Mixtral", _small(num_local_experts=4, num_experts_per_tok=2)),
    "llama": ("Llama", _small()),
    "gpt2": ("GPT2", _gpt2()),
    "qwen3": ("Qwen3", _small(head_dim=8)),
    "mistral": ("Mistral", _small(sliding_window=_WINDOW)),
    "gemma2": ("Gemma2", _small(**_GEMMA, query_pre_attn_scalar=8)),
    "gemma3": (
        "Gemma3Text",
        _small(**_GEMMA, layer_types=["sliding_attention", "full_attention", "sliding_attention"]),
    ),
}
"""Name to the prefix of the transformers classes and the options of the configuration."""

_KINDS = {"gpt2": "GPT2LMHeadModel", "gemma3": "Gemma3ForCausalLM"}

SPARE = 7
"""Ids that each model can emit beyond its tokenizer, as models of the hub often can."""


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE in the manner of GPT-2: several line breaks may merge into one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def byte_fallback_tokenizer() -> PreTrainedTokenizerFast:
    """Sentencepiece-like BPE in the manner of Llama and Mixtral: a space before every text, unknown bytes as tokens."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.train_from_iterator(
        [text.replace("\n", "") for text in _CORPUS[:8]],
        trainers.BpeTrainer(vocab_size=120, show_progress=False),
    )
    model = json.loads(learner.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    names += [name for name in model["vocab"] if name not in names]
    vocabulary = {name: number for number, name in enumerate(names)}
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair=None, special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {"llama": byte_fallback_tokenizer}
"""Architectures with another than the byte-level tokenizer."""


def build_model(name: str, vocabulary: int, seed: int = 0) -> PreTrainedModel:
    """A model with random weights, always the same for one seed."""
    prefix, options = ARCHITECTURES[name]
    config = getattr(transformers, f"{prefix}Config")(vocab_size=vocabulary, **options)
    kind = _KINDS.get(name, f"{prefix}ForCausalLM")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = getattr(transformers, kind)(config)
    return model.eval()


def save(name: str, folder: Path) -> Path:
    """Save model and tokenizer into `folder / name`."""
    tokenizer = TOKENIZERS.get(name, byte_level_tokenizer)()
    tokenizer.save_pretrained(folder / name)
    build_model(name, len(tokenizer) + SPARE).save_pretrained(folder / name)
    return folder / name


def save_classifier(folder: Path, labels: tuple[str, ...] = ("NEGATIVE", "POSITIVE")) -> Path:
    """Save a random DistilBERT classifier with these labels."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    config = DistilBertConfig(
        vocab_size=len(fast), dim=16, hidden_dim=32, n_layers=1, n_heads=2, max_position_embeddings=160,
        initializer_range=0.3, id2label=dict(enumerate(labels)), label2id={b: a for a, b in enumerate(labels)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.DistilBertForSequenceClassification(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def copy_embedded(folder: Path, trusted_policy: str | None) -> Path:
    """A copy of the embedded base whose configuration names this trusted policy, or none."""
    shutil.copytree(base_path(), folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("trusted_policy", None)
    if trusted_policy is not None:
        config["trusted_policy"] = trusted_policy
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@dataclass
class Models:
    """Bases by name, built and loaded once a session: those of `ARCHITECTURES` and "embedded"."""

    root: Path
    _loaded: dict[str, BaseModel] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Where the model and its tokenizer are; never written to after they are made."""
        if name == "embedded":
            return base_path()
        return self.root / name if (self.root / name).exists() else save(name, self.root)

    def base(self, name: str) -> BaseModel:
        """The loaded base."""
        if name not in self._loaded:
            self._loaded[name] = load_base(str(self.folder(name)))
        return self._loaded[name]

    def stage(
        self, name: str, *, feature_layers: int = 2, opening: str = OPENING, **scene: object
    ) -> Stage:
        """A stage on that base."""
        options: dict[str, object] = {
            "agent": "Teacher",
            "speakers": SPEAKERS,
            "length": 64,
            **scene,
        }
        return Stage(self.base(name), Scene(opening=opening, **options), feature_layers)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[str]:
        return iter([*ARCHITECTURES, "embedded"])


NAMES = [*ARCHITECTURES, "embedded"]
"""All bases, for parametrised tests."""


def uncached(base: BaseModel, ids: list[int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """One plain forward of a text without cache, padding or batch: log-probabilities [T, V], hidden states [T, H]."""
    with torch.no_grad():
        output = base.model(
            input_ids=torch.tensor([ids]), use_cache=False, output_hidden_states=True
        )
    return output.logits[0].float().log_softmax(-1), tuple(
        layer[0].float() for layer in output.hidden_states
    )
