"""Finite-state machines that predict one symbol after another: semimeasures over {0, 1}*.

Symbols alternate: action, observation, action, ... A state gives the probabilities of the next
symbol, or halts: then nothing more comes, and all mass is missing. After a symbol, predicted
or not, the machine moves on. Without silent moves it needs no limit of steps.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import Reader, choice, read_choice, read_unary, unary

EMISSIONS = ("halt", "0", "1", "1/2", "1/4", "3/4", "1/8", "7/8")
"""What a state can do, in the order of its three bits: stop, or give symbol 1 that probability."""

EMISSION_BITS = 3
FREE = -1
"""No symbol is forced here."""

STATE_NAMES = string.ascii_uppercase

_EIGHTHS = ((0, 0), (8, 0), (0, 8), (4, 4), (6, 2), (2, 6), (7, 1), (1, 7))
LEVELS: npt.NDArray[np.float64] = np.array(_EIGHTHS) / 8
"""Probabilities of the symbols 0 and 1 under each emission, [8, 2]: dyadic, so exact."""

with np.errstate(divide="ignore"):
    LOG_LEVELS: npt.NDArray[np.float64] = np.log(LEVELS)
    """`LEVELS` in nats."""

_STATE = re.compile(r"([A-Z])\s+(halt|[0-9/]+)\s+([A-Z])\s+([A-Z])")


@dataclass(frozen=True)
class Machine:
    """A machine that starts in its first state.

    Attributes:
        emissions: index into `EMISSIONS`, one a state.
        moves: the next state after a 0 and after a 1, one pair a state.

    >>> steady = Machine((6,), ((0, 0),))
    >>> str(steady), steady.code()
    ('A 1/8 A A', '00110')
    """

    emissions: tuple[int, ...]
    moves: tuple[tuple[int, int], ...]

    def code(self) -> str:
        """A zero, the number of states in unary, then each state."""
        count = len(self.emissions)
        states = (
            f"{emission:0{EMISSION_BITS}b}{choice(after_0, count)}{choice(after_1, count)}"
            for emission, (after_0, after_1) in zip(self.emissions, self.moves, strict=True)
        )
        return "0" + unary(count - 1) + "".join(states)

    def __str__(self) -> str:
        """Each state as `name P(1) next-after-0 next-after-1`."""
        names = STATE_NAMES
        return "; ".join(
            f"{names[state]} {EMISSIONS[emission]} {names[after_0]} {names[after_1]}"
            for state, (emission, (after_0, after_1)) in enumerate(
                zip(self.emissions, self.moves, strict=True)
            )
        )


def read_machine(reader: Reader) -> Machine:
    """The machine whose code, without its leading zero, comes next."""
    count = read_unary(reader) + 1
    emissions, moves = [], []
    for _ in range(count):
        emissions.append(int(reader.take(EMISSION_BITS), 2))
        moves.append((read_choice(reader, count), read_choice(reader, count)))
    return Machine(tuple(emissions), tuple(moves))


def parse_machine(text: str) -> Machine:
    """A machine from its printed form, e.g. `A 1/8 B B; B 1/2 A A`.

    Raises:
        UserError: a state that cannot be read, or a move to one that is not there.
    """
    emissions, moves = [], []
    states = [part.strip() for part in text.split(";")]
    names = STATE_NAMES[: len(states)]
    for name, state in zip(names, states, strict=False):
        found = _STATE.fullmatch(state)
        if not found or found[1] != name or found[2] not in EMISSIONS:
            raise UserError(
                f"program {text!r}: found the state {state!r}, expected `{name} P X Y`: P one of "
                f"{', '.join(EMISSIONS)}, X and Y the next state after a 0 and after a 1"
            )
        if found[3] not in names or found[4] not in names:
            raise UserError(
                f"program {text!r}: state {name} moves to {found[3]} and {found[4]}, "
                f"allowed {', '.join(names)}"
            )
        emissions.append(EMISSIONS.index(found[2]))
        moves.append((names.index(found[3]), names.index(found[4])))
    if len(states) > len(STATE_NAMES):
        raise UserError(f"program: {len(states)} states, allowed at most {len(STATE_NAMES)}")
    return Machine(tuple(emissions), tuple(moves))


def sample(
    machine: Machine,
    symbols: int,
    seed: int,
    *,
    state: int = 0,
    forced: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.uint8]:
    """What the machine says: so many symbols, uint8, fewer where it halts.

    Args:
        machine: who speaks.
        symbols: how many are wanted.
        seed: of the draws, one a symbol.
        state: where it starts.
        forced: [symbols] what is said whatever the machine would say; FREE where it chooses.
    """
    said: list[int] = []
    uniforms = np.random.default_rng(seed).random(symbols).tolist()
    words = [FREE] * symbols if forced is None else forced.tolist()
    for uniform, word in zip(uniforms, words, strict=True):
        zero, one = LEVELS[machine.emissions[state]]
        if word == FREE and zero + one == 0:
            break
        said.append(int(uniform >= zero) if word == FREE else word)
        state = machine.moves[state][said[-1]]
    return np.array(said, np.uint8)


def state_after(machine: Machine, symbols: npt.NDArray[np.uint8]) -> int:
    """Where the machine is after these symbols."""
    state = 0
    for symbol in symbols.tolist():
        state = machine.moves[state][symbol]
    return state


def log_likelihood(machine: Machine, symbols: npt.NDArray[np.uint8]) -> float:
    """Log probability of the symbols under the machine, nats."""
    state, total = 0, 0.0
    for symbol in symbols.tolist():
        total += float(LOG_LEVELS[machine.emissions[state], symbol])
        state = machine.moves[state][symbol]
    return total
