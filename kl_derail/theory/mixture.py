"""The Bayesian mixture of a class of machines: exact posterior and predictive in log space.

xi(x) = sum_i w_i nu_i(x), prior w_i proportional to 2^-length; the posterior is
w_i nu_i(x) / xi(x).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_derail.theory.compiled import (
    Floats,
    continuation_masses,
    filter_symbols,
    mixture_predictive,
)
from kl_derail.theory.programs.table import Bytes, Ints, MachineTable

LN2 = math.log(2)
"""Nats in a bit."""


class Belief(NamedTuple):
    """What a mixture thinks of its machines after a history.

    Attributes:
        log_weights: log of prior x likelihood, nats, [N]; -inf for a refuted machine.
        states: present state of each machine, [N]; without meaning for a refuted one.
    """

    log_weights: Floats
    states: Bytes


def prior(bits: Ints) -> Floats:
    """Prior 2^-length, made to sum to one over the class, in nats, [N]."""
    return normalised(-LN2 * bits.astype(np.float64))


def normalised(log_weights: Floats) -> Floats:
    """Log weights less the log of their sum, along the last axis."""
    top = log_weights.max(axis=-1, keepdims=True)
    log_sum = top + np.log(np.exp(log_weights - top).sum(axis=-1, keepdims=True))
    return np.asarray(log_weights - log_sum)


def first_belief(table: MachineTable, log_prior: Floats) -> Belief:
    """Before the first symbol: every machine in its first state."""
    return Belief(log_prior.copy(), np.zeros(len(log_prior), np.uint8))


def observe(table: MachineTable, belief: Belief, symbols: Bytes) -> tuple[Belief, Floats]:
    """The belief after some symbols, and what was predicted before each of them, [T, 2].

    The predictions are log probabilities, nats. They sum to one less the mass of the machines that
    halt, and are -inf once all machines are refuted.
    """
    after = Belief(belief.log_weights.copy(), belief.states.copy())
    predictive: Floats = filter_symbols(table.emissions, table.moves, symbols, *after)
    return after, predictive


def predict(table: MachineTable, belief: Belief) -> tuple[Floats, float]:
    """Log probabilities of the next symbol, [2], and log of the sum of all weights (nats)."""
    found: Floats = mixture_predictive(table.emissions, *belief)
    total = float(found[2])
    return (found[:2] - total if total > -np.inf else found[:2]), total


def move_on(table: MachineTable, belief: Belief, symbol: int) -> Belief:
    """After a symbol that is no evidence: the machines' states move, the weights stay."""
    rows = np.arange(len(belief.states))
    return belief._replace(states=table.moves[rows, belief.states, symbol])


def continuations(table: MachineTable, belief: Belief, symbols: int) -> Floats:
    """Log weight of every continuation of up to so many symbols, nats, as a heap [2^(symbols + 1)].

    Node 1 is the present, 2n and 2n + 1 are what follows node n with symbol 0 and 1. Logs keep what
    is all but impossible, so that one can ask what would come after it.
    """
    found: Floats = continuation_masses(table.emissions, table.moves, *belief, symbols)
    return found
