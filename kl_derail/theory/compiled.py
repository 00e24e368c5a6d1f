"""Loops over all machines and symbols, compiled.

N machines, S states, T symbols. Weights are logarithms (nats) of prior x likelihood, as a program
that looks lost may be the last one left when the others are refuted for good.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kl_derail.plumbing.compiled import kernel
from kl_derail.theory.programs.machine import LOG_LEVELS
from kl_derail.theory.programs.table import Bytes

Floats = npt.NDArray[np.float64]

_LOG_LEVELS = LOG_LEVELS
_NEGLIGIBLE = -50.0
"""What lies so far below a sum's largest term is lost in rounding, a million times over."""


@kernel
def add_exp(tops: Floats, sums: Floats, place: int, log_term: float) -> None:
    """Add exp(log_term) to a sum that is kept as sums[place] x exp(tops[place])."""
    distance = log_term - tops[place]
    if distance > 0:
        sums[place] = sums[place] * np.exp(-distance) + 1
        tops[place] = log_term
    elif distance > _NEGLIGIBLE:
        sums[place] += np.exp(distance)


@kernel
def log_sums(tops: Floats, sums: Floats) -> Floats:
    """Logarithms of the sums that `add_exp` has kept."""
    return tops + np.log(sums)


@kernel
def symbol_sums(log_emissions: Floats, tops: Floats, sums: Floats, found: Floats) -> None:
    """From the weight of each emission, [8] logs, to logs of both symbols' weights and of all, found [3]."""
    tops[:3], sums[:3] = -np.inf, 0.0
    for emission in range(log_emissions.size):
        for symbol in range(2):
            add_exp(tops, sums, symbol, log_emissions[emission] + _LOG_LEVELS[emission, symbol])
        add_exp(tops, sums, 2, log_emissions[emission])
    found[:] = log_sums(tops[:3], sums[:3])


@kernel
def filter_symbols(
    emissions: Bytes, moves: Bytes, symbols: Bytes, log_weights: Floats, states: Bytes
) -> Floats:
    """Let every machine see the symbols, one after another.

    Args:
        emissions: of the machines, [N, S].
        moves: of the machines, [N, S, 2].
        symbols: what was said, [T].
        log_weights: [N], changed in place.
        states: present states, [N], changed in place; those of refuted machines are left behind.

    Returns:
        What the mixture said before each symbol, [T, 2]: log probabilities of 0 and 1, whose sum falls
        short of one by the mass that halts; -inf once no machine is left.
    """
    alive = np.flatnonzero(log_weights > -np.inf)
    count = alive.size
    predictive = np.full((symbols.size, 2), -np.inf)
    tops, sums, found = np.empty(8), np.empty(8), np.empty(3)
    for t in range(symbols.size):
        symbol, kept = symbols[t], 0
        tops[:], sums[:] = -np.inf, 0.0
        for place in range(count):
            i = alive[place]
            emission = emissions[i, states[i]]
            add_exp(tops, sums, emission, log_weights[i])
            log_weights[i] += _LOG_LEVELS[emission, symbol]
            if log_weights[i] > -np.inf:
                states[i] = moves[i, states[i], symbol]
                alive[kept] = i
                kept += 1
        if count:
            symbol_sums(log_sums(tops, sums), tops, sums, found)
            predictive[t] = found[:2] - found[2]
        count = kept
    return predictive


@kernel
def mixture_predictive(emissions: Bytes, log_weights: Floats, states: Bytes) -> Floats:
    """Log of the weight that says 0, that says 1, and of all, nats, [3]."""
    tops, sums, found = np.full(8, -np.inf), np.zeros(8), np.empty(3)
    for i in range(log_weights.size):
        if log_weights[i] > -np.inf:
            add_exp(tops, sums, emissions[i, states[i]], log_weights[i])
    symbol_sums(log_sums(tops, sums), tops, sums, found)
    return found


@kernel
def continuation_masses(
    emissions: Bytes, moves: Bytes, log_weights: Floats, states: Bytes, symbols: int
) -> Floats:
    """Log of the weight of every continuation of up to so many symbols, nats.

    Returns:
        A binary heap, [2^(symbols + 1)]: the root is at 1, what follows node n is at 2n and 2n + 1;
        place 0 is -inf.
    """
    tops, sums = np.full(2 << symbols, -np.inf), np.zeros(2 << symbols)
    log_mass, state = np.empty(2 << symbols), np.zeros(2 << symbols, np.uint8)
    for i in range(log_weights.size):
        log_mass[1], state[1] = log_weights[i], states[i]
        if log_mass[1] == -np.inf:
            continue
        add_exp(tops, sums, 1, log_mass[1])
        for node in range(1, 1 << symbols):
            emission = emissions[i, state[node]]
            for symbol in range(2):
                child = 2 * node + symbol
                log_mass[child] = log_mass[node] + _LOG_LEVELS[emission, symbol]
                state[child] = moves[i, state[node], symbol]
                if log_mass[child] > -np.inf:
                    add_exp(tops, sums, child, log_mass[child])
    return log_sums(tops, sums)
