"""A price list: every behaviour in every line-break style, the base beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import track

from kl_derail.chat import Stage
from kl_derail.errors import UserError
from kl_derail.inspect import literal
from kl_derail.pricing.behaviours import Behaviour
from kl_derail.pricing.comparison import Comparison, compare
from kl_derail.pricing.options import SILENT, Options, PriceOptions
from kl_derail.pricing.price import (
    CheaperStyle,
    Plays,
    Price,
    Priced,
    Scorer,
    cheaper_style,
    price_base,
    price_behaviour,
)
from kl_derail.pricing.runs import read_runs, setting_of
from kl_derail.pricing.spellings import TurnEvent, turn_events
from kl_derail.setup import build_reward, build_stage

EVENT_TURNS = (1, 2)
"""Scripted turns that are priced as text where none are named."""

T = TypeVar("T")
Style = tuple[str, str]
"""A behaviour's name and its line breaks."""


class Found(NamedTuple):
    """All that was measured.

    Attributes:
        priced: by behaviour and line breaks.
        base: the base's own talk.
        events: by behaviour and line breaks, where asked for.
        comparisons: with trained runs.
    """

    priced: dict[Style, Priced]
    base: Priced
    events: dict[Style, list[TurnEvent]]
    comparisons: list[Comparison]

    @property
    def prices(self) -> list[Price]:
        """The price list, without the base."""
        return [price for each in self.priced.values() for price in each.prices]

    @property
    def silence(self) -> list[Price]:
        """The prices of silence, which predictions rest on."""
        return [price for price in self.prices if price.behaviour == SILENT]

    @property
    def cheaper(self) -> list[CheaperStyle]:
        """Silence in the cheaper style of each chat, by length; nothing where there is one style only."""
        lengths = dict.fromkeys(price.length for price in self.silence)
        styles = [[p for p in self.silence if p.length == length] for length in lengths]
        return [cheaper_style(prices) for prices in styles if len(prices) > 1]

    def base_at(self, length: int) -> Price:
        """The base's own talk of this length, in tokens."""
        return next(price for price in self.base.prices if price.length == length)


def measure(options: Options, behaviours: Mapping[str, Behaviour]) -> Found:
    """Play every behaviour in every line-break style, and the base."""
    stage = build_stage(options.base, options.longest_scene, feature_layers=1)
    scorer = build_reward(options.reward, stage.base.model.device)
    price = options.price
    trained = read_runs(price.runs, setting_of(stage), options.lengths)
    priced = _priced(stage, scorer, options, behaviours)
    found = Found(
        priced,
        price_base(stage, options.lengths, scorer, _plays(price)),
        {
            style: _events(stage, each, price)
            for style, each in _progress(priced.items(), "spellings")
        },
        [],
    )
    return found._replace(comparisons=compare(found.silence, trained))


def _priced(
    stage: Stage, score: Scorer, options: Options, behaviours: Mapping[str, Behaviour]
) -> dict[Style, Priced]:
    price = options.price
    return {
        (name, spacing): _started(
            price_behaviour(
                stage,
                behaviours[name],
                name,
                spacing,
                options.lengths,
                score,
                _plays(price),
                at_once=price.at_once,
                turns=price.turns,
            )
        )
        for name, spacing in _progress(product(behaviours, dict.fromkeys(price.spacing)), "chats")
    }


def _started(priced: Priced) -> Priced:
    """What was priced; UserError where a length leaves nothing to price."""
    for price in priced.prices:
        if not price.started:
            raise UserError(
                f"length: found {price.length}: too short for a first turn of {price.behaviour!r},"
                f" which none of {len(price.chats)} chats finishes; allowed more"
            )
    return priced


def _events(stage: Stage, priced: Priced, options: PriceOptions) -> list[TurnEvent]:
    found = turn_events(
        stage,
        priced.episodes[: options.event_chats],
        options.event_turns or EVENT_TURNS,
        tolerance=options.event_width,
        max_nodes=options.event_nodes,
    )
    if missing := set(options.event_turns or ()) - {event.turn for event in found}:
        (price, *_) = priced.prices
        _warn(
            f"event_turns: none of the {options.event_chats} chats of {price.behaviour!r}, {price.spacing},"
            f" finishes turn {', '.join(map(str, sorted(missing)))}"
        )
    return found


def _warn(message: str) -> None:
    print(f"kl-derail price: warning: {literal(message)}", file=sys.stderr)


def _plays(options: PriceOptions) -> Plays:
    return Plays(options.chats, options.batch, options.seed)


def _progress(steps: Iterable[T], what: str) -> Iterable[T]:
    """The steps, with a bar on stderr that goes away, where that is a terminal."""
    every: Sequence[T] = list(steps)
    console = Console(stderr=True)
    return track(every, what, console=console, transient=True, disable=not console.is_terminal)
