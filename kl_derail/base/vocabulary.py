"""From tokens to text, piece by piece, so that the pieces joined are exactly the decoded text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TokenPieces:
    """The text that each token adds to a running text.

    Most tokens always add the same characters, whatever stands before them; these come from a table. Tokens that hold
    only part of a character (byte-level and byte-fallback vocabularies) are decoded together with their neighbours,
    and the character is given to the token that completes it.

    Args:
        tokenizer: a Hugging Face tokenizer.
        size: the number of token ids the model can emit, V; ids the tokenizer lacks add no text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int) -> None:
        self.tokenizer = tokenizer
        self.size = size

    @cached_property
    def _anchor(self) -> list[int]:
        return list(self.tokenizer.encode("a", add_special_tokens=False))

    @cached_property
    def _anchor_length(self) -> int:
        return len(self._decode(self._anchor))

    def _after_anchor(self, ids: Sequence[int]) -> str:
        """Text of tokens that stand after other text: some vocabularies drop the first space of a text."""
        return self._decode([*self._anchor, *ids])[self._anchor_length :]

    def _decode(self, ids: Sequence[int]) -> str:
        text = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text)

    @cached_property
    def table(self) -> list[str]:
        """[V] the text that each token adds on its own after other text; REPLACEMENT where it is half a character."""
        return [self._after_anchor([token]) for token in range(self.size)]

    def text(self, ids: Sequence[int]) -> str:
        """The text of a token sequence."""
        return "".join(self.split(ids))

    def split(self, ids: Sequence[int]) -> list[str]:
        """[T] the text that each token adds; half characters are completed by a later token or shown as U+FFFD."""
        pieces = [self.table[token] for token in ids]
        start = 0
        while start < len(pieces):
            if REPLACEMENT not in pieces[start]:
                start += 1
                continue
            stop = start
            while stop < len(pieces) and REPLACEMENT in pieces[stop]:
                stop += 1
            pieces[start:stop] = self._split_run(ids[start:stop])
            start = stop
        return pieces

    def _split_run(self, ids: Sequence[int]) -> list[str]:
        """Pieces of a run of half characters: each gets what is complete with it and was not before."""
        pieces: list[str] = []
        half: list[int] = []
        text, shown = "", 0
        for token in ids:
            half.append(token)
            text = self._after_anchor(half)
            complete = text.rstrip(REPLACEMENT)
            pieces.append(complete[shown:])
            shown = max(shown, len(complete))
            if complete == text:
                half, text, shown = [], "", 0
        pieces[-1] += text[shown:]
        return pieces
