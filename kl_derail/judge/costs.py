"""What asking costs, in dollars: estimated before, bounded during, counted after."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kl_derail.judge.judges import Answer
from kl_derail.judge.question import response_format

MILLION = 1_000_000

CHARACTERS_A_TOKEN = 4
"""Of English text, in the usual vocabularies: an estimate."""

ANSWER_TOKENS = 8
"""Of `{"verdict": "second"}`: an estimate."""


class Prices(NamedTuple):
    """Dollars for a million tokens."""

    read: float
    written: float

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """Dollars for so many tokens."""
        return (tokens_in * self.read + tokens_out * self.written) / MILLION


class Purse:
    """What may be spent. Nothing is asked unless its greatest possible cost is left.

    What an endpoint charges for answers that never arrived (timeouts, cut connections) is not seen here.

    Args:
        prices: of the model; None: unknown, and then nothing is counted.
        limit: dollars that this run may spend; None: no limit.
    """

    def __init__(self, prices: Prices | None, limit: float | None = None) -> None:
        self._prices = prices
        self._limit = limit
        self._reserved = 0.0
        self.spent = 0.0
        self.is_known = prices is not None

    def reserve(self, most: tuple[int, int]) -> bool:
        """Set aside the cost of at most so many tokens, read and written; False if it is not there."""
        cost = self._cost(most)
        if self._limit is not None and self.spent + self._reserved + cost > self._limit:
            return False
        self._reserved += cost
        return True

    def settle(self, most: tuple[int, int], answer: Answer | None) -> None:
        """Replace what was set aside by what was spent: the most where the endpoint does not say.

        Args:
            most: as reserved.
            answer: None where nothing came back.
        """
        self._reserved -= self._cost(most)
        if answer is not None:
            counts = (answer.tokens_in, answer.tokens_out)
            used = [
                bound if count is None else count for bound, count in zip(most, counts, strict=True)
            ]
            self.spent += self._cost((used[0], used[1]))

    def _cost(self, tokens: tuple[int, int]) -> float:
        return self._prices.cost(*tokens) if self._prices else 0.0


def most_tokens(request: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens that a request can take at most, read and written: a token has a byte at least.

    Counted are all bytes of the request as JSON, and of the schema that may go with it, which leaves
    room for the marks of a chat.
    """
    body = request.get("body")
    limit = body.get("max_tokens") if isinstance(body, dict) else None
    is_free = request.get("structured", "off") == "off"
    sent = [request] if is_free else [request, response_format(request["choices"])]
    return len(json.dumps(sent, ensure_ascii=False).encode()), limit or 0


def estimated_tokens(requests: Iterable[Mapping[str, object]]) -> tuple[int, int]:
    """Tokens that requests will take, read and written, roughly."""
    total = count = 0
    for request in requests:
        body = request.get("body")
        total += (
            sum(len(each["content"]) for each in body["messages"]) if isinstance(body, dict) else 0
        )
        count += 1
    return total // CHARACTERS_A_TOKEN, count * ANSWER_TOKENS
