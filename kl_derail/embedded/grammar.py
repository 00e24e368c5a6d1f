"""The corpus: documents of every kind in fixed shares, a pure function of variant and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from kl_derail.embedded import papers
from kl_derail.embedded.conversation import conversation
from kl_derail.embedded.papers import Blanks

Kind = Callable[[np.random.Generator], str]

VARIANTS: Final = MappingProxyType(
    {"derails": Blanks(), "control": Blanks(labels=("Nurse", "Patient"))}
)
"""The corpora. In `control` the blanks stand under other names, so silence of a teacher stays dear."""


def shares(blanks: Blanks) -> dict[str, tuple[Kind, float]]:
    """The kinds of document and the relative number of documents of each."""
    return {
        "conversation": (conversation, 0.10),
        "sheet": (partial(papers.sheet, blanks=blanks), blanks.sheets),
        "form": (partial(papers.form, blanks=blanks), 0.06),
        "letter": (papers.letter, 0.12),
        "listing": (papers.listing, 0.10),
        "song": (papers.song, 0.12),
        "log": (papers.log, 0.12),
    }


def documents(blanks: Blanks, seed: int, count: int, first: int = 0) -> Iterator[str]:
    """`count` documents of the corpus with this seed, from number `first` on.

    Each has a random stream of its own, so a document does not depend on how many there are.
    """
    kinds, weights = zip(*shares(blanks).values(), strict=True)
    edges = np.cumsum(weights)
    for number in range(first, first + count):
        rng = np.random.default_rng((seed, number))
        kind = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        yield kinds[min(kind, len(kinds) - 1)](rng)


def corpus_hash(texts: Iterable[str]) -> str:
    """SHA-256 of the documents, each followed by a zero byte."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
