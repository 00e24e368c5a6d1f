"""Load a base model by hub id or folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from kl_derail.base.fingerprint import base_fingerprint
from kl_derail.errors import UserError

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["none", "nf4"]


@dataclass(frozen=True)
class BaseModel:
    """A frozen language model with its tokenizer.

    Attributes:
        name: what the user asked for.
        model: in evaluation mode, no gradients.
        tokenizer: the tokenizer stored with it.
        fingerprint: see `base_fingerprint`.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str

    @property
    def vocabulary(self) -> int:
        """V, the number of token ids the model can emit."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def context(self) -> int | None:
        """The longest text in tokens the model was built for, where its configuration says."""
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return None if longest is None else int(longest)

    @property
    def trusted_policy(self) -> str:
        """The exact policy that the model imitates, as its configuration names it; empty if none."""
        return str(getattr(self.model.config, "trusted_policy", None) or "")


def load_base(
    name: str,
    *,
    dtype: Dtype = "auto",
    quantization: Quantization = "none",
    device: torch.device | str = "cpu",
) -> BaseModel:
    """Load a base model and freeze it.

    Args:
        name: a hub id, or a folder with a model and its tokenizer.
        dtype: "auto" is float32 on CPU and what the checkpoint holds elsewhere.
        quantization: "nf4" is refused until the loader for fused experts exists.
        device: where the weights go.

    Raises:
        UserError: nothing loadable there, or tokenizer and model do not fit.
    """
    if quantization != "none":
        raise UserError(
            f"quantization: found {quantization}, allowed none: the 4-bit loader for fused experts has not landed, and "
            "without it Mixtral-8x7B keeps its experts in 16 bit and needs 91 GB"
        )
    place = locate(name)
    tokenizer = _load("tokenizer", name, lambda: AutoTokenizer.from_pretrained(place))
    model = _load_model(name, place, dtype, torch.device(device))
    model.eval().requires_grad_(False)
    base = BaseModel(name, model, tokenizer, base_fingerprint(model, tokenizer))
    _check_fit(base)
    return base


def locate(name: str) -> str:
    """The folder or hub id behind a name; a path that does not exist is refused before the hub is asked."""
    path = Path(name).expanduser()
    if name.strip() and path.is_dir():
        return str(path)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise UserError(
            f"base: no model folder at {name!r}; give a folder or a hub id (owner/name)"
        )
    return name


def _load_model(name: str, place: str, dtype: Dtype, device: torch.device) -> PreTrainedModel:
    if dtype == "auto":
        wanted: Any = torch.float32 if device.type == "cpu" else "auto"
    else:
        wanted = getattr(torch, dtype)
    config = _load("configuration", name, lambda: AutoConfig.from_pretrained(place))
    model, found = _load(
        "model",
        name,
        lambda: AutoModelForCausalLM.from_pretrained(
            place, config=config, dtype=wanted, output_loading_info=True
        ),
    )
    if missing := sorted(found["missing_keys"]):
        raise UserError(
            f"base: the checkpoint of {name!r} lacks {len(missing)} of the model's weights, {missing[0]} for one; "
            "they would be random"
        )
    return cast(PreTrainedModel, model.to(device))


def _load(what: str, name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # any loader's complaint about the user's folder becomes one line
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise UserError(f"base: cannot load the {what} of {name!r}: {reason}") from error


def _check_fit(base: BaseModel) -> None:
    highest = max(base.tokenizer.get_vocab().values(), default=-1)
    if highest >= base.vocabulary:
        raise UserError(
            f"base: tokenizer and model of {base.name!r} do not fit: the tokenizer's highest token id is {highest}, "
            f"the model has {base.vocabulary} entries"
        )
