"""Predictions from prices beside what trained agents learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kl_derail.pricing.predict import Prediction, predict, prices_at
from kl_derail.pricing.price import Price
from kl_derail.pricing.runs import Trained


class Comparison(NamedTuple):
    """One trained agent at one length beside its prediction.

    Attributes:
        trained: the agent and what it learned.
        predicted: from prices alone.
    """

    trained: Trained
    predicted: Prediction

    @property
    def agrees(self) -> bool:
        """Whether both verdicts are the same."""
        return self.predicted.verdict == self.trained.learned.verdict


def compare(prices: Sequence[Price], trained: Iterable[Trained]) -> list[Comparison]:
    """Each trained agent beside what the prices predict of it, by length and budget.

    Args:
        prices: of the silent behaviour, at any lengths and line-break styles, of any bases.
        trained: agents of the setting of the prices (`read_runs`).

    Raises:
        ValueError: an agent on a base or at a length without a price.
    """
    rows = [
        Comparison(
            each, predict(prices_at(prices, each.base_fingerprint, each.length), each.budget)
        )
        for each in trained
    ]
    return sorted(rows, key=lambda row: (row.trained.length, row.trained.budget, row.trained.run))
