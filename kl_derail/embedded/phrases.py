"""Finite distributions over sentences: templates with slots, and the ways to choose among them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from string import Formatter
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")
Slots = tuple[tuple[str, tuple[str, ...]], ...]


class Way(NamedTuple):
    """One way to go on: a template at random, each of its slots filled with a word at random.

    Attributes:
        weight: how likely this way is, relative to the others it is offered with.
        move: what is done by it.
        templates: all equally likely.
        slots: the words that each slot can hold, all equally likely.
    """

    weight: float
    move: str
    templates: tuple[str, ...]
    slots: Slots = ()


def slots(**words: str | Iterable[str]) -> Slots:
    """Slots by name; a single word may be given bare."""
    return tuple(
        (name, (found,) if isinstance(found, str) else tuple(found))
        for name, found in words.items()
    )


@cache
def slot_names(template: str) -> tuple[str, ...]:
    """The different slots of a template, in order of appearance."""
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name))


@lru_cache(maxsize=8192)
def sentences(templates: tuple[str, ...], filled: Slots) -> Mapping[str, float]:
    """Every sentence of the templates and its probability; equal sentences are summed."""
    words, found = dict(filled), dict[str, float]()
    for template in templates:
        names = slot_names(template)
        choices = list(product(*(words[name] for name in names)))
        for choice in choices:
            text = template.format(**dict(zip(names, choice, strict=True)))
            found[text] = found.get(text, 0.0) + 1 / (len(templates) * len(choices))
    return found


def draw(ways: Sequence[Way], rng: np.random.Generator) -> str:
    """A sentence of one of the ways."""
    edges = np.cumsum([way.weight for way in ways])
    number = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
    way = ways[min(number, len(ways) - 1)]
    template, words = pick(rng, way.templates), dict(way.slots)
    return template.format(**{name: pick(rng, words[name]) for name in slot_names(template)})


def log_prob(ways: Sequence[Way], text: str, complete: bool = True) -> float:
    """Log-probability in nats of the sentence, summed over all ways to say it; -inf if none can.

    With `complete=False` of all sentences that begin with the text.
    """
    total = sum(way.weight for way in ways)
    mass = sum(
        way.weight * _mass(sentences(way.templates, way.slots), text, complete) for way in ways
    )
    return math.log(mass / total) if mass else -math.inf


def _mass(found: Mapping[str, float], text: str, complete: bool) -> float:
    if complete:
        return found.get(text, 0.0)
    return sum(mass for sentence, mass in found.items() if sentence.startswith(text))


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of `items`, all equally likely."""
    return items[int(rng.integers(len(items)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)
