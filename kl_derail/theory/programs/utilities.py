"""Utilities: how often a symbol is seen in the next few turns."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import Reader, gamma, gamma_numbers, read_gamma
from kl_derail.theory.programs.events import STREAMS, Stream

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Utility:
    """The share of turns, in [0, 1], whose action (or observation) is a symbol.

    It is earned block after block of so many turns.

    >>> str(Utility("observations", 1, 2)), Utility("observations", 1, 2).code()
    ('observations 1 for 2 turns', '11100')
    """

    stream: Stream
    symbol: int
    turns: int

    def code(self) -> str:
        """The stream, the symbol, the number of turns."""
        return f"{STREAMS.index(self.stream)}{self.symbol}{gamma(self.turns)}"

    def __str__(self) -> str:
        return f"{self.stream} {self.symbol} for {self.turns} turns"

    def rewards(self) -> Floats:
        """What one turn adds, [2 actions, 2 observations]."""
        turn = np.indices((2, 2))[STREAMS.index(self.stream)]
        return np.asarray((turn == self.symbol) / self.turns)


def read_utility(reader: Reader) -> Utility:
    """The utility whose code comes next."""
    stream = STREAMS[int(reader.take(1))]
    symbol = int(reader.take(1))
    return Utility(stream, symbol, read_gamma(reader))


def parse_utility(text: str) -> Utility:
    """A utility from its printed form.

    >>> parse_utility("actions 0 for 3 turns")
    Utility(stream='actions', symbol=0, turns=3)

    Raises:
        UserError: it cannot be read.
    """
    found = re.fullmatch(r"(actions|observations) ([01]) for ([1-9]\d{0,17}) turns", text)
    if not found:
        raise UserError(
            f"--utility: found {text!r}, expected `actions S for N turns` or "
            "`observations S for N turns`, S 0 or 1"
        )
    stream: Stream = "actions" if found[1] == "actions" else "observations"
    return Utility(stream, int(found[2]), int(found[3]))


def utilities(max_bits: int) -> list[Utility]:
    """All utilities whose code has at most so many bits, shortest first."""
    return [
        Utility(stream, symbol, turns)
        for turns in gamma_numbers(max_bits - 2)
        for stream in STREAMS
        for symbol in (0, 1)
    ]
