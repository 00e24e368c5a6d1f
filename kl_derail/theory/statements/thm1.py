"""Theorem 1: after something unprecedented, any value can be had for a KL that no amount of data raises.

Cohen, Hutter, Bengio and Russell (2025). The mixture xi holds a program nu' that says what xi says
until an event E, and then optimises. As long as E has not happened, every history is as likely
under nu' as under xi, so that the posterior of nu' is its prior, and xi follows nu' after E at a price
of at most -log w(nu'), that is of K ln 2 at most.

The published K is d + K(U) + K(E) + K(v xi). Here each of them is the length of a part of the code of
nu'. d is the mark that says `switch`. K(v xi) is what it takes to say "reach the value v under xi": xi
is computable, being the mixture that nu' belongs to, so that the term shrinks to naming it as body, one
bit, and an optimiser, whose firmness is another; v itself needs no bits, because nu' reaches V* > v.

Without an unprecedented event the data speak against such programs. An imitator whose switches are all
at events seen long ago shows it. `turn k` would not: when turn k is over that is an unprecedented
event itself, of 2 log2 k bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.plumbing.style import GREY, OKABE_ITO, caption, new_figure, plain_ticks
from kl_derail.theory.foresight import Foresight, adaptive_nats, best_value, foresee, nats_for_value
from kl_derail.theory.imitator import Imitator
from kl_derail.theory.mixture import LN2, Belief
from kl_derail.theory.programs.events import NEVER, Chat, Clock, Event, Repeat, events, parse_event
from kl_derail.theory.programs.machine import (
    Machine,
    log_likelihood,
    parse_machine,
    sample,
    state_after,
)
from kl_derail.theory.programs.switch import Switch, bits, mixture_switches
from kl_derail.theory.programs.table import Bytes, machine_class, tabulate
from kl_derail.theory.programs.utilities import Utility, parse_utility
from kl_derail.theory.statements.base import Check, Result, distinct, skipped
from kl_derail.theory.trees import value
from kl_derail.theory.unseen import first_turns, observation_events, provoke, split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLAT = 1e-9
"""How far the price may vary with the length of the history, as a share of it."""

SOLVER = 1e-6
"""Accuracy of the convex programme, nats."""

MOST_TURNS = 4
"""Turns of a utility: its tree has 4^turns histories."""

ROOM = 1000
"""Turns that an event may take to come about, or as many as the longest history has."""

DECADE = 10
"""Growth with the length of the history is asked for over a factor of at least this."""

PIECES = {
    "mark": "d (mark of a switch)",
    "body": "body xi",
    "event": "K(E)",
    "utility": "K(U)",
    "firmness": "firmness (stands for v)",
}
"""What the published statement calls the parts of the code of nu'."""

TITLE = "Theorem 1: after an unprecedented event, nats for a value do not grow with the data"


@dataclass(frozen=True)
class Options:
    """The class, the history and the event."""

    trusted: str = option("A 0 B B; B 1/4 A A", "trusted program that wrote the history")
    machines: list[str] = option([], "machines of the class; none listed: all within the limits")
    machine_bits: int = option(13, "longest machines of the class (bits)", minimum=5)
    max_states: int = option(3, "most states of a machine", minimum=1, maximum=26)
    switch_bits: int = option(8, "longest switches of the class (bits)", minimum=0, maximum=20)
    utility: str = option("actions 1 for 2 turns", "what the optimiser is after")
    event: str | None = option(None, "the event; none: the simplest one not yet seen")
    event_bits: int = option(16, "where to look for it (bits)", minimum=5, maximum=24)
    value_share: float = option(0.9, "the value v, as a share of V*", above=0, below=1)
    lengths: list[int] = option(
        [10, 30, 100, 300, 1000, 3000, 10_000],
        "lengths k of the history (turns)",
        minimum=1,
        maximum=100_000,
    )
    seed: int = option(0, "seed of the history", minimum=0)


class Row(NamedTuple):
    """One length of the history; all prices in nats.

    Attributes:
        turns: length k of the history before the event.
        price: -log w(nu'|h) of the construction.
        price_trusted: what it would be with the trusted program as body, which must be found first.
        price_seen: of a switch at a pattern seen long ago (optimiser `mostly`).
        price_clock: of a switch when turn k is over.
        construction: KL of the construction's own policy to xi after the event, adaptive.
        optimum: least KL for the value v after the event, adaptive.
        optimum_clock: the same when turn k is over, which is its own E, for the same share of V* there.
        optimum_plain: the same where nothing unprecedented has happened and no clock is in the class.
        value: v.
        best_value: V*.
        construction_value: what the construction's policy is worth.
        value_plain: v where nothing has happened.
    """

    turns: int
    price: float
    price_trusted: float
    price_seen: float
    price_clock: float
    construction: float
    optimum: float
    optimum_clock: float
    optimum_plain: float
    value: float
    best_value: float
    construction_value: float
    value_plain: float


class Piece(NamedTuple):
    """One number of the construction.

    Attributes:
        piece: its name.
        what: of what it is the number, in words.
        code: in the language of programs.
        number: bits of the code, nats or a utility.
        unit: which of them.
    """

    piece: str
    what: str
    code: str
    number: float
    unit: str


@dataclass(frozen=True)
class Thm1Result(Result):
    """What there is to draw.

    Attributes:
        switch: the construction.
        derivation: K ln 2, nats.
        published: K / ln 2, nats.
    """

    switch: Switch
    derivation: float
    published: float


class _Cast(NamedTuple):
    """The programs that the statement is about."""

    construction: Switch
    trusted: Switch
    seen: Switch
    clocks: dict[int, Switch]


class _Scene(NamedTuple):
    """The same length of the history, seen by several.

    Attributes:
        before: the imitator, the event yet to come.
        after: the event has happened.
        plain: without clocks, and nothing has happened.
        log_trusted: log likelihood of history and event under the trusted program, nats.
    """

    before: Imitator
    after: Imitator
    plain: Imitator
    log_trusted: float


def run(options: Options) -> Thm1Result:
    """Prices and least KL at every length.

    Raises:
        UserError: a program, event or utility that cannot be read or does not fit the others.
        SolverError: no policy for the value was found.
    """
    trusted, utility = parse_machine(options.trusted), _utility(options.utility)
    lengths = sorted(distinct("--lengths", options.lengths))
    history = sample(trusted, 2 * lengths[-1], options.seed)
    if len(history) < 2 * lengths[-1]:
        raise UserError(f"--trusted: `{trusted}` halts after {len(history)} symbols")
    cast = _cast(options, trusted, utility, history, lengths)
    imitator, plain = _imitators(options, cast)
    rows = []
    for turns in lengths:
        so_far = history[: 2 * turns]
        for each in (imitator, plain):
            each.observe(so_far[2 * len(each.chat.actions) :])
        happens = provoke(trusted, so_far, cast.construction.event, options.seed)
        after = imitator.copy()
        after.observe(happens)
        likelihood = log_likelihood(trusted, np.concatenate([so_far, happens]))
        rows.append(_row(_Scene(imitator, after, plain, likelihood), cast, options.value_share))
    held = imitator.table.row(trusted) is not None
    growth = _growth(rows, _trusted_best(trusted, utility, history), held=held)
    return _result(rows, cast.construction, _prior_price(imitator, cast.construction), growth)


def _utility(text: str) -> Utility:
    utility = parse_utility(text)
    if utility.turns > MOST_TURNS:
        raise UserError(f"--utility: found {utility.turns} turns, allowed <= {MOST_TURNS}")
    return utility


def _cast(
    options: Options, trusted: Machine, utility: Utility, history: Bytes, lengths: Sequence[int]
) -> _Cast:
    candidates = events(options.event_bits)
    new = _new_event(options, candidates, split(history), lengths)
    patterns = [event for event in candidates if isinstance(event, Repeat)]
    early = first_turns(patterns, split(history[: 2 * lengths[0]])) < NEVER
    return _Cast(
        Switch(None, new, utility, "surely"),
        Switch(trusted, new, utility, "surely"),
        Switch(None, patterns[int(early.argmax())], utility, "mostly"),
        {turns: Switch(None, Clock(turns), utility, "surely") for turns in lengths},
    )


def _new_event(
    options: Options, candidates: Sequence[Event], chat: Chat, lengths: Sequence[int]
) -> Event:
    """The event asked for, or the simplest that the world has not yet brought about."""
    if options.event is None:
        worldly = observation_events(candidates)
        unseen = np.flatnonzero(first_turns(worldly, chat) == NEVER)
        if not unseen.size:
            raise UserError(f"--event_bits: all events of {options.event_bits} bits have happened")
        return worldly[int(unseen[0])]
    event = parse_event(options.event)
    needed = event.turns - lengths[0] if isinstance(event, Clock) else event.length
    if needed > max(ROOM, lengths[-1]):
        raise UserError(
            f"--event: `{event}` takes {needed} turns more, allowed <= {max(ROOM, lengths[-1])}: "
            f"the longest of --lengths, or {ROOM}"
        )
    if event.turns_until(chat) < NEVER:
        raise UserError(
            f"--event: `{event}` has happened in turn {event.turns_until(chat)} of the history"
        )
    return event


def _imitators(options: Options, cast: _Cast) -> tuple[Imitator, Imitator]:
    """One with all programs, and one in which nothing unprecedented can set anything off."""
    table = machine_class(options.machines, options.machine_bits, options.max_states)
    named = [cast.construction, cast.seen, *cast.clocks.values()]
    every = list(dict.fromkeys([*mixture_switches(options.switch_bits), *named]))
    return Imitator(table, every), Imitator(table, [cast.seen])


def _row(scene: _Scene, cast: _Cast, share: float) -> Row:
    """All numbers at one length."""
    before, after, plain, log_trusted = scene
    turns, utility = len(before.chat.actions), cast.construction.utility
    happened = foresee(after, utility, after.switches.index(cast.construction))
    best, price = best_value(happened), _price(after, cast.construction)
    longer = bits(cast.trusted) - bits(cast.construction)
    unhindered = foresee(plain, utility)
    return Row(
        turns,
        price,
        # the program must count itself: where it was not in the class, it joins it
        float(np.logaddexp(0, price + longer * LN2 + after.log_evidence - log_trusted)),
        _price(before, cast.seen),
        _price(before, cast.clocks[turns]),
        adaptive_nats(happened.policy, happened.log_base),
        _nats(happened, share),
        _nats(foresee(before, utility), share),
        _nats(unhindered, share),
        share * best,
        best,
        value(happened.tree, happened.policy),
        share * best_value(unhindered),
    )


def _nats(seen: Foresight, share: float) -> float:
    return nats_for_value(seen.tree, seen.log_base, share * best_value(seen))


def _price(imitator: Imitator, switch: Switch) -> float:
    """-log of the posterior of the switch, nats."""
    return -float(imitator.log_posterior[1][imitator.switches.index(switch)])


def _prior_price(imitator: Imitator, switch: Switch) -> float:
    """-log of the prior of the switch, nats: K ln 2, and the log of the class's Kraft sum (< 0)."""
    lengths = [*imitator.table.bits.tolist(), *map(bits, imitator.switches)]
    return bits(switch) * LN2 + math.log(math.fsum(2.0**-length for length in lengths))


def _trusted_best(trusted: Machine, utility: Utility, history: Bytes) -> float:
    """The best that can be had after the history by doing only what the trusted program does."""
    alone = Imitator(tabulate([trusted]), [])
    alone.machines = Belief(np.zeros(1), np.array([state_after(trusted, history)], np.uint8))
    return best_value(foresee(alone, utility))


def _growth(rows: Sequence[Row], trusted_best: float, *, held: bool) -> Check:
    """Where nothing unprecedented has happened nats grow, if v takes what the trusted program never does.

    The class must hold that program, or the best of the others may do it however long the history is.
    """
    claim = "no event: least KL for v grows with k"
    first, last = rows[0], rows[-1]
    if last.turns < DECADE * first.turns:
        return skipped(claim, "<", f"the lengths span less than a factor of {DECADE}")
    if not held:
        return skipped(claim, "<", "the class does not hold the trusted program")
    if last.value_plain <= trusted_best:
        return skipped(claim, "<", "what the trusted program does can be worth v")
    return Check(claim, first.optimum_plain, "<", last.optimum_plain)


def _result(rows: Sequence[Row], switch: Switch, prior_price: float, growth: Check) -> Thm1Result:
    checks = [*_checks(rows, switch, prior_price), growth]
    details = {"construction": [*_pieces(switch), *_found(rows)]}
    derivation, published = bits(switch) * LN2, bits(switch) / LN2
    return Thm1Result(TITLE, rows, checks, switch, derivation, published, details=details)


def _pieces(switch: Switch) -> list[Piece]:
    """The parts of the code, their sum K, and the two bounds that follow from it."""
    what = ["switch", "mixture", str(switch.event), str(switch.utility), switch.firmness]
    parts = [
        Piece(PIECES[part], text, code, len(code), "bits")
        for (part, code), text in zip(switch.parts().items(), what, strict=True)
    ]
    length = bits(switch)
    return [
        *parts,
        Piece("K", str(switch), switch.code(), length, "bits"),
        Piece("K ln 2", "bound by derivation", "", length * LN2, "nats"),
        Piece("K / ln 2", "bound as published", "", length / LN2, "nats"),
    ]


def _found(rows: Sequence[Row]) -> Iterator[Piece]:
    """Values, and how far price and optimum vary over the lengths."""
    where = f"after {rows[-1].turns} turns and E"
    yield Piece("v", where, "", rows[-1].value, "utility")
    yield Piece("V*", where, "", rows[-1].best_value, "utility")
    names = {"price": "price of nu'", "optimum": "least KL for v, after E"}
    for field, name in names.items():
        found = [getattr(row, field) for row in rows]
        over = f"over {len(rows)} lengths"
        yield Piece(f"{name}: least", over, "", min(found), "nats")
        yield Piece(f"{name}: largest", over, "", max(found), "nats")
        yield Piece(f"{name}: spread", "largest - least", "", max(found) - min(found), "nats")


def _checks(rows: Sequence[Row], switch: Switch, prior_price: float) -> list[Check]:
    prices, derivation = [row.price for row in rows], bits(switch) * LN2
    rest = bits(switch) - bits(switch.event)
    return [
        Check(
            f"price of nu' over {len(rows)} lengths: largest = least",
            max(prices),
            "=",
            min(prices),
            FLAT * min(prices),
        ),
        Check(
            "price of nu' - (K ln 2 + ln of the class's Kraft sum), largest distance",
            max(abs(price - prior_price) for price in prices),
            "=",
            0.0,
            FLAT * derivation,
        ),
        Check(
            "KL of the construction - its price, largest",
            max(row.construction - row.price for row in rows),
            "<=",
            0.0,
            1e-9,
        ),
        Check(
            "value of the construction = V*, largest distance",
            max(abs(row.construction_value - row.best_value) for row in rows),
            "=",
            0.0,
            1e-9,
        ),
        Check(
            "least KL for v - KL of the construction, largest",
            max(row.optimum - row.construction for row in rows),
            "<=",
            0.0,
            SOLVER,
        ),
        Check(
            "least KL for v, largest < K ln 2 (derivation)",
            max(row.optimum for row in rows),
            "<",
            derivation,
        ),
        Check(
            "switch at turn k: least KL for v - its own K ln 2, largest",
            max(row.optimum_clock - (rest + bits(Clock(row.turns))) * LN2 for row in rows),
            "<=",
            0.0,
            SOLVER,
        ),
    ]


PRICES = (
    ("price", "nu': mixture until E", "-", "o"),
    ("price_trusted", "trusted program until E", "--", "s"),
    ("price_seen", "switch at a pattern seen long ago", "-", "^"),
    ("price_clock", "switch at turn k: 2 log2 k bits", "-", "D"),
)
COSTS = (
    ("optimum", "least KL for v, after E", "-", "o"),
    ("construction", "construction, after E", "--", "s"),
    ("optimum_plain", "least KL for v, no event", "-", "^"),
    ("optimum_clock", "least KL for v, turn k as its own E", "-", "D"),
)


def draw(result: Thm1Result) -> Figure:
    """Prices of the programs, and nats for the value, against the length of the history."""
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, result, PRICES, "-log posterior of the program (nats)")
    _panel(right, result, COSTS, "KL to the mixture (nats)")
    right.tick_params(labelleft=True)
    optima = [row.optimum for row in result.rows]
    parts = result.switch.parts().items()
    lengths = ", ".join(f"{PIECES[part]} {len(code)}" for part, code in parts)
    caption(
        figure,
        f"E: {result.switch.event}. U: {result.switch.utility}. Bits: {lengths}. Value v = "
        f"{result.rows[-1].value:.3g} of V* = {result.rows[-1].best_value:.3g}. The least KL for v "
        f"after E lies in [{min(optima):.3f}, {max(optima):.3f}] nats. No event: an imitator without "
        "clocks, whose switch is at a pattern seen long ago.",
    )
    return figure


def _panel(
    axis: Axes, result: Thm1Result, lines: Sequence[tuple[str, str, str, str]], label: str
) -> None:
    turns = [row.turns for row in result.rows]
    for (name, text, dash, mark), colour in zip(lines, OKABE_ITO, strict=False):
        values = [getattr(row, name) for row in result.rows]
        axis.plot(turns, values, mark, linestyle=dash, color=colour, label=text, markersize=3.5)
    axis.axhline(result.derivation, color=GREY, linestyle=":", label="K ln 2 (derivation)")
    axis.axhline(result.published, color=GREY, linestyle="-.", label="K / ln 2 (published)")
    axis.set_yscale("symlog", linthresh=1)  # nothing to pay is a cost too
    axis.set(xscale="log", xlabel="k (turns of the history)", ylabel=label)
    axis.set_ylim(bottom=0)
    plain_ticks(axis.xaxis, turns)
    plain_ticks(axis.yaxis, [0, *(10**power for power in range(7))])
    axis.legend(loc="lower right")
