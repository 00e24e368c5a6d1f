"""Proposition 2, illustrated: the simplest event that has not yet happened stays simple.

Measured on histories of trusted programs: the length of the shortest event of the language that has
not happened, turn after turn. `turn T` for the next T is always such an event, of about 2 log2 t
bits. Counting does better: t turns hold at most t words of n letters, so that one of the 2^n > t is
missing, and log2 t + 2 log2 log2 t bits or so name it. Patterns that repeat do better still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.plumbing.progress import progress_bar
from kl_derail.plumbing.style import GREY, LINE_STYLES, caption, colours, new_figure, plain_ticks
from kl_derail.theory.programs.events import NEVER, Clock, Event, Repeat, events
from kl_derail.theory.programs.machine import parse_machine, sample
from kl_derail.theory.programs.switch import bits
from kl_derail.theory.statements.base import Check, Result, distinct
from kl_derail.theory.unseen import Unseen, first_turns, simplest_unseen, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Proposition 2, illustrated: the simplest event that has not yet happened stays simple"
PROGRAMS = (
    "A 0 A A",
    "A 0 B B; B 1/4 A A",
    "A 1/8 B B; B 1/2 A A",
    "A 1/2 B C; B 1/8 A A; C 7/8 A A",
    "A 1/2 A A",
)


@dataclass(frozen=True)
class Options:
    """The histories, and where to look for events."""

    programs: list[str] = option(list(PROGRAMS), "trusted programs that write the histories")
    turns: int = option(100_000, "length of the histories (turns)", minimum=1, maximum=1_000_000)
    event_bits: int = option(15, "longest events to look at (bits)", minimum=2, maximum=18)
    seed: int = option(0, "seed of the histories", minimum=0)


class Row(NamedTuple):
    """The simplest event not yet seen at one moment.

    Attributes:
        program: that writes the history.
        turn: turns over so far.
        bits: length of the event.
        event: one of that length.
        clock_bits: length of `turn T`, T = turn + 1: never less.
        word_bits: length of a word that is missing because there are too many of its length.
    """

    program: str
    turn: int
    bits: int
    event: str
    clock_bits: int
    word_bits: int


@dataclass(frozen=True)
class Prop2Result(Result):
    """What there is to draw.

    Attributes:
        steps: of each program's curve.
        turns: length of the histories.
    """

    steps: dict[str, list[Unseen]]
    turns: int


def run(options: Options) -> Prop2Result:
    """The curves of all programs, and their values at turns 1, 10, 100, ...

    Raises:
        UserError: a program that cannot be read or halts, or all events have happened.
    """
    candidates = events(options.event_bits)
    programs = distinct("--programs", options.programs)
    with progress_bar() as bar:
        steps = {
            text: _steps(text, candidates, options)
            for text in bar.track(programs, description="programs")
        }
    decades = range(len(str(options.turns)))
    moments = sorted({*(10**decade for decade in decades), options.turns})
    rows = [_row(text, steps[text], moment) for text in steps for moment in moments]
    return Prop2Result(
        TITLE,
        rows,
        [_check(text, steps[text]) for text in steps],
        steps,
        options.turns,
    )


def _steps(text: str, candidates: Sequence[Event], options: Options) -> list[Unseen]:
    machine = parse_machine(text)
    history = sample(machine, 2 * options.turns, options.seed)
    if len(history) < 2 * options.turns:
        raise UserError(f"--programs: `{text}` halts after {len(history)} symbols")
    turns = first_turns(candidates, split(history))
    if turns.max() < NEVER:
        raise UserError(
            f"--event_bits: all events of {options.event_bits} bits happen under `{text}`"
        )
    return simplest_unseen(candidates, turns)


def _at(steps: Sequence[Unseen], turn: int) -> Unseen:
    return [step for step in steps if step.since <= turn][-1]


def _row(text: str, steps: Sequence[Unseen], turn: int) -> Row:
    step = _at(steps, turn)
    return Row(text, turn, step.bits, str(step.event), bits(Clock(turn + 1)), word_bits(turn))


def word_bits(turns: int) -> int:
    """Bits of any word of the least length n with 2^n > turns, said once.

    >>> [word_bits(turns) for turns in (0, 1, 2, 1000)]
    [5, 5, 8, 20]
    """
    return bits(Repeat("actions", "0" * max(1, turns.bit_length()), 1))


def _check(text: str, steps: Sequence[Unseen]) -> Check:
    """The curve against its bound by counting where it is tightest: at the beginning of a step."""
    excess = max(step.bits - word_bits(step.since) for step in steps)
    return Check(f"`{text}`: bits - bits of a missing word, largest", float(excess), "<=", 0.0)


def draw(result: Prop2Result) -> Figure:
    """Bits of the simplest event not yet seen against t, one line a program."""
    figure = new_figure(3.2)
    axis = figure.subplots()
    grid = np.unique(np.geomspace(1, result.turns, 400).astype(int))
    axis.step(
        grid,
        [bits(Clock(t + 1)) for t in grid],
        where="post",
        color=GREY,
        linestyle=":",
        label="`turn t + 1`: always unseen",
    )
    axis.step(
        grid,
        [word_bits(int(t)) for t in grid],
        where="post",
        color=GREY,
        linestyle="-.",
        label="a word missing by counting",
    )
    looks = zip(colours(len(result.steps)), cycle(LINE_STYLES), strict=False)
    for (text, steps), (colour, dash) in zip(result.steps.items(), looks, strict=False):
        ends = [*(max(step.since, 1) for step in steps), result.turns]
        values = [step.bits for step in steps]
        axis.step(
            ends, [*values, values[-1]], where="post", color=colour, linestyle=dash, label=text
        )
    plain = [10**decade for decade in range(len(str(result.turns)))]
    axis.set(
        xscale="log",
        xlabel="t (turns)",
        ylabel="simplest event not yet seen (bits)",
        ylim=(0, None),
    )
    plain_ticks(axis.xaxis, plain)
    axis.legend(loc="upper left")
    caption(
        figure,
        "Length of the shortest event of the language (a word repeated in a stream, or a turn) that has "
        "not happened after t turns; one history a program, drawn from it.",
    )
    return figure
