"""The corpus: documents of every kind in fixed shares, a pure function of a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kl_derail.embedded import papers
from kl_derail.embedded.conversation import conversation

SHARES: dict[Callable[[np.random.Generator], str], float] = {
    conversation: 0.36,
    papers.sheet: 0.12,
    papers.form: 0.06,
    papers.letter: 0.12,
    papers.listing: 0.10,
    papers.song: 0.12,
    papers.log: 0.12,
}
"""The kinds of document and the fraction of documents that are of it."""


def documents(seed: int, count: int, first: int = 0) -> Iterator[str]:
    """`count` documents of the corpus with this seed, from number `first` on.

    Each has a random stream of its own, so a document does not depend on how many there are.
    """
    kinds = list(SHARES)
    edges = np.cumsum(list(SHARES.values()))
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
