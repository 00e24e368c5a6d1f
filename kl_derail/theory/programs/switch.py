"""`switch(body, event, utility, firmness)`: one program until an event, then an optimiser for ever.

This is the nu' of Theorem 1's proof (Cohen, Hutter, Bengio and Russell, 2025). Its body is the
mixture of the whole class, to which it belongs itself, or a machine. After the event its actions
are the optimiser's; observations are still the body's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import Reader
from kl_derail.theory.programs.events import Event, events, parse_event, read_event
from kl_derail.theory.programs.machine import Machine, parse_machine, read_machine
from kl_derail.theory.programs.utilities import Utility, parse_utility, read_utility, utilities

Firmness = Literal["surely", "mostly"]
FIRMNESS: dict[Firmness, float] = {"surely": 1.0, "mostly": 7 / 8}
"""Probability that the optimiser gives to the best action: what sets its value v <= V*."""

_SWITCH = re.compile(r"switch\((mixture|\[[^\]]*\]), ([^,]*), ([^,]*), (surely|mostly)\)")


@dataclass(frozen=True)
class Switch:
    """A body until the event, then the action that is best for the utility under the mixture.

    Attributes:
        body: a machine, or None for the mixture.
        event: when the optimiser takes over, for ever.
        utility: what it optimises, block after block of turns.
        firmness: of the optimiser.
    """

    body: Machine | None
    event: Event
    utility: Utility
    firmness: Firmness

    def parts(self) -> dict[str, str]:
        """The code in its parts: mark of a switch, body (the mixture is one zero), event, utility, firmness."""
        return {
            "mark": "1",
            "body": "0" if self.body is None else "1" + self.body.code()[1:],
            "event": self.event.code(),
            "utility": self.utility.code(),
            "firmness": "0" if self.firmness == "surely" else "1",
        }

    def code(self) -> str:
        """All parts, one after the other."""
        return "".join(self.parts().values())

    def __str__(self) -> str:
        body = "mixture" if self.body is None else f"[{self.body}]"
        return f"switch({body}, {self.event}, {self.utility}, {self.firmness})"


Program = Machine | Switch


def decode(bits: str) -> tuple[Program, str]:
    """The program at the beginning of a string of bits, and what is left of it.

    >>> program, rest = decode("001000111")
    >>> str(program), rest
    ('A 1/4 A A', '0111')

    Raises:
        EOFError: the string ends before the program does. Nothing else can go wrong.
    """
    reader = Reader(bits)
    program = read_machine(reader) if reader.take(1) == "0" else _read_switch(reader)
    return program, bits[reader.place :]


def _read_switch(reader: Reader) -> Switch:
    body = read_machine(reader) if reader.take(1) == "1" else None
    event, utility = read_event(reader), read_utility(reader)
    return Switch(body, event, utility, "surely" if reader.take(1) == "0" else "mostly")


def parse_program(text: str) -> Program:
    """A program from its printed form.

    >>> text = "switch(mixture, turn 3, observations 1 for 2 turns, surely)"
    >>> str(parse_program(text)) == text
    True

    Raises:
        UserError: it cannot be read.
    """
    if not text.startswith("switch"):
        return parse_machine(text)
    found = _SWITCH.fullmatch(text)
    if not found:
        raise UserError(
            f"program: found {text!r}, expected `switch(BODY, EVENT, UTILITY, surely)` or "
            "`..., mostly)`, BODY `mixture` or `[A 1/8 A A; ...]`"
        )
    body = None if found[1] == "mixture" else parse_machine(found[1][1:-1])
    firmness: Firmness = "surely" if found[4] == "surely" else "mostly"
    return Switch(body, parse_event(found[2]), parse_utility(found[3]), firmness)


def bits(program: Program | Event | Utility) -> int:
    """Length of the code: the complexity K of the thing in this language."""
    return len(program.code())


def mixture_switches(max_bits: int) -> list[Switch]:
    """All switches with the mixture as body whose code has at most so many bits, shortest first."""
    found = [
        Switch(None, event, utility, firmness)
        for event in events(max_bits - 6)
        for utility in utilities(max_bits - 3 - bits(event))
        for firmness in FIRMNESS
    ]
    return sorted(found, key=bits)
