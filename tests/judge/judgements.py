"""Judgements made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from kl_derail.judge.verdicts import Judgement, Verdict

LETTERS = {"a": Verdict.A, "b": Verdict.B, "t": Verdict.TIE, "?": Verdict.UNREADABLE}


def judgement(pair: int = 0, verdict: str = "a", **more: Any) -> Judgement:
    """One answer, "a", "b", "t" (tie) or "?"; transcripts are named after the pair."""
    fields: dict[str, Any] = {
        "comparison": "A vs B",
        "quality": "better",
        "swapped": False,
        "repeat": 0,
        "a": f"a{pair}",
        "b": f"b{pair}",
        **more,
    }
    return Judgement(pair=pair, verdict=LETTERS[verdict], **fields)


def answers(pairs: Sequence[str], **more: Any) -> list[Judgement]:
    """Answers pair by pair, a letter an order: "ab" is A with A first, B with B first."""
    return [
        judgement(pair, letter, swapped=swapped, **more)
        for pair, letters in enumerate(pairs)
        for swapped, letter in zip((False, True), letters, strict=False)
    ]


def shown(found: RenderableType, width: int = 120) -> str:
    """What a terminal shows of it."""
    console = Console(file=StringIO(), width=width)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


ALWAYS_FIRST = "ab"
"""What a judge says of a pair that always prefers what is shown first."""
