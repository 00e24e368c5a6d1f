"""The embedded world: a tiny base model and classifier of our own making, shipped with the package.

Both folders load through the same `from_pretrained` calls as models of the hub. The corpus behind
them is generated, so every price in it can be traced; it shows the mechanism of derailment, not
that a large model does the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

AGENT: Final = "Teacher"
"""The speaker that an agent plays."""

SPEAKERS: Final = ("Teacher", "Student")
"""The labels of the two speakers, in the order in which they open a conversation."""

OPENING: Final = (
    "Teacher: Good morning, Anna. Please sit down and open your book.\n\n"
    "Student: Good morning. I have my book with me.\n\n"
    "Teacher: Today we"
)
"""The fixed opening of every chat, cut in the middle of a teacher turn."""

_ASSETS = Path(__file__).parent / "assets"


def base_path(variant: str = "derails") -> Path:
    """The folder of a tiny `MixtralForCausalLM` and its tokenizer.

    Args:
        variant: `derails`, or `control`, to which silence of a teacher stays dear.
    """
    return _ASSETS / variant


def sentiment_path() -> Path:
    """The folder of the tiny `DistilBertForSequenceClassification` and its tokenizer."""
    return _ASSETS / "sentiment"
