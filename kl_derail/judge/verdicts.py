"""The words in which judges answer, and one judgement as statistics see it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What a judge said of a pair, whatever the order in which it was shown."""

    A = "a"
    B = "b"
    TIE = "tie"
    UNREADABLE = "unreadable"
    """An answer that is no verdict (refusals, too): counted, never guessed."""


class Judgement(NamedTuple):
    """One answer about one pair.

    Attributes:
        comparison: which two sources are compared, e.g. "20 nats vs base".
        quality: what was asked, e.g. "better".
        pair: number of the pair within the comparison.
        swapped: whether B was shown first.
        repeat: which of several askings of the very same question.
        a: key of A's transcript: the cluster it belongs to.
        b: key of B's transcript.
        verdict: the answer, in terms of A and B.
    """

    comparison: str
    quality: str
    pair: int
    swapped: bool
    repeat: int
    a: str
    b: str
    verdict: Verdict
