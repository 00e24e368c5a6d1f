"""Which questions a comparison consists of, and what an answer to one says about A and B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kl_derail.judge.judges import Answer, Choice, Question
from kl_derail.judge.pairs import Comparison, Pair
from kl_derail.judge.verdicts import Judgement, Verdict


class Asked(NamedTuple):
    """One question about a pair, and its place in the study; fields as in `Judgement`."""

    comparison: str
    quality: str
    pair: Pair
    swapped: bool
    repeat: int
    ties: bool

    @property
    def question(self) -> Question:
        """What the judge gets to see, which is not who is A and who is B."""
        shown = (self.pair.a, self.pair.b)
        first, second = reversed(shown) if self.swapped else shown
        return Question(self.quality, first, second, self.ties, self.repeat)

    def judgement(self, answer: Answer) -> Judgement:
        """The answer in terms of A and B."""
        return Judgement(
            self.comparison,
            self.quality,
            self.pair.number,
            self.swapped,
            self.repeat,
            self.pair.a.key,
            self.pair.b.key,
            _verdict(answer.choice, swapped=self.swapped),
        )


def plan(
    comparisons: Sequence[Comparison],
    qualities: Sequence[str],
    *,
    both_orders: bool,
    ties: bool,
    repeats: int,
    seed: int,
) -> list[Asked]:
    """All questions, pair by pair, so that what is there after a stop is whole pairs, mostly.

    Args:
        comparisons: what is compared.
        qualities: what is asked of each pair.
        both_orders: show each pair in both orders; otherwise in one at random, the same for all qualities.
        ties: whether "neither" is an answer.
        repeats: how often the very same question is asked.
        seed: of the single orders.
    """
    return [
        Asked(label, quality, pair, swapped, repeat, ties)
        for number, (label, pairs) in enumerate(comparisons)
        for pair, orders in zip(
            pairs, _orders(len(pairs), both_orders, (seed, number)), strict=True
        )
        for quality in qualities
        for swapped in orders
        for repeat in range(repeats)
    ]


def _orders(count: int, both: bool, seed: Sequence[int]) -> Iterator[tuple[bool, ...]]:
    """For each pair, whether B is shown first."""
    for swapped in np.random.default_rng(seed).random(count) < 0.5:
        yield (False, True) if both else (bool(swapped),)


def _verdict(choice: Choice | None, *, swapped: bool) -> Verdict:
    if choice is None:
        return Verdict.UNREADABLE
    if choice is Choice.TIE:
        return Verdict.TIE
    return Verdict.A if (choice is Choice.FIRST) != swapped else Verdict.B
