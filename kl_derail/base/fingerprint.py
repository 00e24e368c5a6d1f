"""What makes two bases the same: their weights, how these are stored, and their tokenizer."""

from __future__ import annotations

import hashlib
import json

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def base_fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """64 hexadecimal digits over every weight's name, shape, dtype and bytes, configuration and tokenizer.

    Quantised weights count as stored, so the same model in another precision has another fingerprint: it charges other
    KLs, and transcripts of the two must not be mixed.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(
            tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    digest.update(config_hash(model).encode())
    digest.update(tokenizer_hash(tokenizer).encode())
    return digest.hexdigest()


def config_hash(model: PreTrainedModel) -> str:
    """Hash of all that the configuration says of the model, but not of where and by what it was saved."""
    settings = model.config.to_dict()
    for name in ("_name_or_path", "transformers_version", "dtype", "torch_dtype"):
        settings.pop(name, None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of a tokenizer: its fast form as a whole, or its vocabulary where there is no fast form."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = (
        backend.to_str()
        if backend is not None
        else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    )
    return hashlib.sha256(text.encode()).hexdigest()
