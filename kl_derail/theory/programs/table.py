"""Many machines as arrays, one row each, for sums over all of them at once.

N machines, S states of the largest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import choice
from kl_derail.theory.programs.machine import EMISSION_BITS, EMISSIONS, Machine, parse_machine

LARGEST_CLASS = 2_000_000
"""Machines that fit into memory with room for their weights: 50 bytes each."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class MachineTable(NamedTuple):
    """Machines as arrays; states that a machine does not have are zeros.

    Attributes:
        emissions: index into `machine.EMISSIONS`, [N, S].
        moves: the next state after each symbol, [N, S, 2].
        states: of each machine, [N].
        bits: length of each machine's code, [N].
    """

    emissions: Bytes
    moves: Bytes
    states: Bytes
    bits: Ints

    def machine(self, row: int) -> Machine:
        """The machine in that row."""
        count = int(self.states[row])
        moves = [(int(zero), int(one)) for zero, one in self.moves[row, :count]]
        return Machine(tuple(map(int, self.emissions[row, :count])), tuple(moves))

    def rows(self, places: npt.NDArray[np.generic]) -> MachineTable:
        """Some of the machines, by index or by mask."""
        emissions, moves, states, bits = self
        return MachineTable(emissions[places], moves[places], states[places], bits[places])

    def row(self, machine: Machine) -> int | None:
        """The first row that holds the machine, None where none does."""
        if len(machine.emissions) > self.emissions.shape[1]:
            return None
        one = tabulate([machine], self.emissions.shape[1])
        same = (self.states == one.states) & (self.emissions == one.emissions).all(axis=1)
        rows = np.flatnonzero(same & (self.moves == one.moves).all(axis=(1, 2)))
        return int(rows[0]) if rows.size else None


def tabulate(machines: Sequence[Machine], states: int = 1) -> MachineTable:
    """The machines in their order; the table has room for at least so many states."""
    states = max([states, *(len(machine.emissions) for machine in machines)])
    emissions = np.zeros((len(machines), states), np.uint8)
    moves = np.zeros((len(machines), states, 2), np.uint8)
    for row, machine in enumerate(machines):
        emissions[row, : len(machine.emissions)] = machine.emissions
        moves[row, : len(machine.moves)] = machine.moves
    counts = np.array([len(machine.emissions) for machine in machines], np.uint8)
    bits = np.array([len(machine.code()) for machine in machines], np.int64)
    return MachineTable(emissions, moves, counts, bits)


def machine_class(listed: Sequence[str], max_bits: int, max_states: int) -> MachineTable:
    """The machines whose printed forms are listed; all within the limits where none is.

    Raises:
        UserError: as `parse_machine` and `enumerate_machines` say, or one is listed twice.
    """
    if not listed:
        return enumerate_machines(max_bits, max_states)
    machines = [parse_machine(text) for text in listed]
    twice = [str(machine) for machine, count in Counter(machines).items() if count > 1]
    if twice:
        raise UserError(f"--machines: `{twice[0]}` is listed twice")
    return tabulate(machines)


def enumerate_machines(max_bits: int, max_states: int) -> MachineTable:
    """All machines of at most so many states whose code has at most so many bits, shortest first.

    Raises:
        UserError: there are none, or more than LARGEST_CLASS.
    """
    parts = list(_of_each_size(max_bits, max_states))
    if not parts:
        raise UserError(
            f"--machine_bits: found {max_bits}, allowed >= 5: the shortest machine has 5 bits"
        )
    states = parts[-1].emissions.shape[1]
    padded = [_padded(part, states) for part in parts]
    table = MachineTable(*map(np.concatenate, zip(*padded, strict=True)))
    return table.rows(np.argsort(table.bits, kind="stable"))


def _of_each_size(max_bits: int, max_states: int) -> Iterator[MachineTable]:
    for count in range(1, max_states + 1):
        part = _of_size(count, max_bits)
        if not len(part.bits):
            return
        yield part


def _of_size(count: int, max_bits: int) -> MachineTable:
    """Machines of exactly so many states: the state of each place is one row of a list of all states."""
    states, lengths = _all_states(count)
    chosen, bits = np.zeros((1, 0), np.int64), np.array([1 + count])
    for place in range(count):
        least = (count - place - 1) * lengths.min()
        total = bits[:, None] + lengths
        before, here = np.nonzero(total + least <= max_bits)
        if len(before) > LARGEST_CLASS:
            raise UserError(
                f"--machine_bits, --max_states: {max_bits} bits and {count} states make more than "
                f"{LARGEST_CLASS} machines"
            )
        chosen = np.column_stack([chosen[before], here])
        bits = total[before, here]
    emissions, moves = states[chosen, 0], states[chosen, 1:]
    return MachineTable(emissions, moves, np.full(len(bits), count, np.uint8), bits)


def _all_states(count: int) -> tuple[Bytes, Ints]:
    """Emission and moves of every possible state, [n, 3], and the bits of each, [n]."""
    kinds = np.indices((len(EMISSIONS), count, count)).reshape(3, -1).T
    move_bits = np.array([len(choice(state, count)) for state in range(count)])
    return kinds.astype(np.uint8), EMISSION_BITS + move_bits[kinds[:, 1:]].sum(axis=1)


def _padded(table: MachineTable, states: int) -> MachineTable:
    room = states - table.emissions.shape[1]
    return table._replace(
        emissions=np.pad(table.emissions, ((0, 0), (0, room))),
        moves=np.pad(table.moves, ((0, 0), (0, room), (0, 0))),
    )
