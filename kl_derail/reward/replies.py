"""Scores of replies: blanks by rule, each different text once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kl_derail.errors import UserError

Scorer = Callable[[list[str]], Sequence[float]]
"""Any function from texts to scores in [0, 1]."""


class ReplyScorer:
    """Scores of replies in [0, 1].

    A classifier's last bits depend on what else is in its batch, so a score that has been given is kept, and the cache
    belongs in the checkpoint: then a resumed run sees the very same numbers.

    Args:
        score: from texts to scores.
        blank_reward: the score of a blank reply; None asks `score`, which answers arbitrarily on nothing.
        capacity: texts to remember; a full cache is emptied.

    >>> scorer = ReplyScorer(lambda texts: [len(text) / 10 for text in texts])
    >>> scorer(["good", "  ", "good"])
    [0.4, 0.5, 0.4]
    """

    def __init__(
        self, score: Scorer, *, blank_reward: float | None = 0.5, capacity: int = 100_000
    ) -> None:
        self._score = score
        self._blank_reward = blank_reward
        self._capacity = capacity
        self._cache: dict[str, float] = {}

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """The score of each text.

        Raises:
            UserError: the scoring function gave no score in [0, 1] for some text.
        """
        if len(self._cache) > self._capacity:
            self._cache.clear()
        asked = [
            text
            for text in dict.fromkeys(texts)
            if self._rule(text) is None and text not in self._cache
        ]
        if asked:
            self._cache.update(_checked(asked, self._score(asked)))
        return [
            self._cache[text] if (given := self._rule(text)) is None else given for text in texts
        ]

    def _rule(self, text: str) -> float | None:
        return None if text.strip() else self._blank_reward

    @property
    def cache(self) -> Mapping[str, float]:
        """All scores given so far; part of a checkpoint."""
        return self._cache

    def restore(self, cache: Mapping[str, float]) -> None:
        """Put back a cache taken from a checkpoint."""
        self._cache = dict(cache)


def _checked(texts: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    try:
        given = [float(score) for score in scores]
    except (TypeError, ValueError) as error:
        raise UserError(f"reward: found {scores!r}, expected a number for each text") from error
    if len(given) != len(texts):
        raise UserError(f"reward: found {len(given)} scores for {len(texts)} texts")
    for text, score in zip(texts, given, strict=True):
        if not 0 <= score <= 1:
            raise UserError(f"reward: the score of {text!r} is {score}, allowed 0 to 1")
    return dict(zip(texts, given, strict=True))
