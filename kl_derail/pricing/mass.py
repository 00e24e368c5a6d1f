"""The mass of an event: the sum over all its spellings, bracketed while some are still open."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.pricing.events import Moves, State, TextEvent, by_first_byte, moves

NextLogProbs = Callable[[Sequence[tuple[int, ...]]], Tensor]
"""From n token sequences, each a continuation of one context, to [n, V] log-probabilities of the next token."""

BATCH = 64
"""Sequences that one call of the model continues."""


class EventCost(NamedTuple):
    """What an event of text costs: -log of its mass under the base, in nats.

    Attributes:
        low: least that it can be: as if all that is still open belonged to the event.
        high: most that it can be: the spellings found, and no others.
        cheapest: cost of the cheapest spelling found alone; the event costs at most that.
        spellings: found.
        hanging: share of their mass with a last token that hangs over into the next turn.
        nodes: token sequences that the base was asked to continue.
        exhausted: whether nothing is left open; low and high are then equal.
        script: cost of the spelling that was named, as the search saw it; inf if none was, or it is none.
    """

    low: float
    high: float
    cheapest: float
    spellings: int
    hanging: float
    nodes: int
    exhausted: bool
    script: float = math.inf


class _Open(NamedTuple):
    """A beginning of a spelling; the heaviest comes first."""

    cost: float
    order: int
    tokens: tuple[int, ...]
    state: State


class _Search:
    """Best-first search through the tree of spellings.

    A base's probabilities depend on all tokens before, not on their text alone: two beginnings that
    say the same are two nodes, and no table over text positions could be exact.
    """

    def __init__(self, next_log_probs: NextLogProbs, pieces: Sequence[bytes], event: TextEvent):
        self._next, self._pieces, self._event = next_log_probs, pieces, event
        self._groups = by_first_byte(pieces)
        self._moves: dict[State, Moves] = {}
        self._order = itertools.count()
        self.open = [_Open(0.0, next(self._order), (), event.start)]
        self.found: list[float] = []
        self.hanging = 0.0
        self.nodes = 0
        self.script = math.inf

    def follow(self, tokens: Sequence[int]) -> None:
        """Continue the beginnings of one spelling, so that it is among those found."""
        starts = [tuple(tokens[:length]) for length in range(len(tokens))]
        for first in range(0, len(starts), BATCH):
            batch = starts[first : first + BATCH]
            self.nodes += len(batch)
            for start, row in zip(batch, self._next(batch), strict=True):
                at = next((n for n, node in enumerate(self.open) if node.tokens == start), None)
                if at is None:  # it is no spelling
                    return
                node = self.open.pop(at)
                heapq.heapify(self.open)
                self._follow(node, row)
                if start == starts[-1] and tokens[-1] in self._moves_of(node.state).ending:
                    self.script = node.cost - float(row[tokens[-1]])

    def expand(self, count: int) -> None:
        """Continue the `count` heaviest beginnings by one token."""
        chosen = [heapq.heappop(self.open) for _ in range(min(count, len(self.open)))]
        log_probs = self._next([node.tokens for node in chosen])
        self.nodes += len(chosen)
        for node, row in zip(chosen, log_probs, strict=True):
            self._follow(node, row)

    def _follow(self, node: _Open, log_probs: Tensor) -> None:
        after = self._moves_of(node.state)
        ending = (node.cost - log_probs[after.ending]).tolist()
        going = (node.cost - log_probs[after.going]).tolist()
        for cost, hangs in zip(ending, after.hanging, strict=True):
            if cost < math.inf:
                self.found.append(cost)
                self.hanging += hangs * math.exp(-cost)
        for token, state, cost in zip(after.going, after.states, going, strict=True):
            if cost < math.inf:
                made = _Open(cost, next(self._order), (*node.tokens, token), state)
                heapq.heappush(self.open, made)

    def _moves_of(self, state: State) -> Moves:
        if state not in self._moves:
            self._moves[state] = moves(self._event, state, self._pieces, self._groups)
        return self._moves[state]

    def result(self) -> EventCost:
        """The bracket as it stands."""
        mass = math.fsum(math.exp(-cost) for cost in self.found)
        left = math.fsum(math.exp(-node.cost) for node in self.open)
        cheapest = min(self.found, default=math.inf)
        high = min(_cost(min(1.0, mass)), cheapest)  # but for the last digit, it never is more
        return EventCost(
            low=min(_cost(min(1.0, mass + left)), high),
            high=high,
            cheapest=cheapest,
            spellings=len(self.found),
            hanging=self.hanging / mass if mass else 0.0,
            nodes=self.nodes,
            exhausted=not self.open,
            script=self.script,
        )


def event_cost(
    next_log_probs: NextLogProbs,
    pieces: Sequence[bytes],
    event: TextEvent,
    *,
    script: Sequence[int] = (),
    tolerance: float = 1e-3,
    max_nodes: int = 4096,
) -> EventCost:
    """-log of the total base mass of all spellings of an event, exact or bracketed.

    Args:
        next_log_probs: the base after one context.
        pieces: [V] bytes that each token adds (`token_bytes`).
        event: which texts.
        script: tokens of one spelling, which is looked at first: the bracket never lies above its cost.
        tolerance: stop once high - low is at most so many nats; 0 goes on until nothing is open.
        max_nodes: stop after so many token sequences in any case.
    """
    search = _Search(next_log_probs, pieces, event)
    with torch.inference_mode():
        search.follow(script[:max_nodes])
        found = search.result()
        while search.open and search.nodes < max_nodes and not found.high - found.low <= tolerance:
            search.expand(min(BATCH, max_nodes - search.nodes))
            found = search.result()
    return found


def _cost(mass: float) -> float:
    return -math.log(mass) if mass > 0 else math.inf
