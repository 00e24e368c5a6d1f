"""The frozen language model: loading, fingerprint, vocabulary and lockstep decoding."""

from kl_derail.base.decoder import BaseStep, LockstepDecoder
from kl_derail.base.loading import BaseModel, load_base
from kl_derail.base.vocabulary import TokenPieces

__all__ = ["BaseModel", "BaseStep", "LockstepDecoder", "TokenPieces", "load_base"]
