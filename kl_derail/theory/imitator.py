"""A Bayesian imitator whose class holds machines and switches, some of them to the mixture itself.

A switch with the mixture as body says until its event what the mixture says, itself included.
That is no vicious circle: xi = sum_i w_i nu_i, where those copies put the same on both sides,
so xi is the posterior mean of all the others. The optimisers plan under the mixture of the
machines. K switches.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError
from kl_derail.theory.compiled import Floats
from kl_derail.theory.mixture import continuations, first_belief, observe, predict, prior
from kl_derail.theory.planning import best_action
from kl_derail.theory.programs.events import NEVER, Chat
from kl_derail.theory.programs.machine import LOG_LEVELS, Machine
from kl_derail.theory.programs.switch import FIRMNESS, Switch, bits
from kl_derail.theory.programs.table import MachineTable, tabulate


class Imitator:
    """The posterior over a class, symbol by symbol: actions and observations in turn.

    Attributes:
        table: the machines, N.
        switches: the other programs, K.
        machines: belief in the machines.
        log_switches: log of prior x likelihood of the switches, nats, [K].
        chat: whole turns so far.
    """

    def __init__(self, table: MachineTable, switches: Sequence[Switch]) -> None:
        self.table = table
        self.switches = tuple(switches)
        lengths = np.array([*table.bits, *map(bits, switches)], np.int64)
        log_prior = prior(lengths)
        self.machines = first_belief(table, log_prior[: len(table.bits)])
        self.log_switches = log_prior[len(table.bits) :]
        self.chat = Chat(b"", b"")
        self._action: int | None = None
        self._events = list({switch.event: None for switch in switches})
        self._event = np.array([self._events.index(s.event) for s in switches], np.int64)
        self._happened = np.full(len(self._events), NEVER)
        self._firmness = np.array([FIRMNESS[s.firmness] for s in switches])
        self._own_body = np.array([s.body is not None for s in switches], bool)
        self._bodies = tabulate([s.body or Machine((0,), ((0, 0),)) for s in switches])
        self._body_states = np.zeros(len(switches), np.uint8)

    def copy(self) -> Imitator:
        """One that can be led elsewhere. Arrays are never changed in place, so they are shared."""
        return copy.copy(self)

    @property
    def log_evidence(self) -> float:
        """Log of the mixture's probability of the history, nats."""
        everything = np.concatenate([self.machines.log_weights, self.log_switches])
        return float(np.logaddexp.reduce(everything))

    @property
    def log_posterior(self) -> tuple[Floats, Floats]:
        """Log posterior of the machines [N] and of the switches [K], nats."""
        log_evidence = self.log_evidence
        return self.machines.log_weights - log_evidence, self.log_switches - log_evidence

    def predict(self) -> Floats:
        """Log probabilities of the next symbol under the mixture of all programs, nats, [2]."""
        return self._mix()[0]

    def switches_say(self) -> Floats:
        """Log probabilities of the next symbol under every switch, nats, [K, 2]."""
        return self._mix()[1]

    def observe(self, symbols: Sequence[int] | npt.NDArray[np.uint8]) -> None:
        """Go on with these symbols.

        Raises:
            UserError: every program of the class says that this cannot be.
        """
        for symbol in symbols:
            self._step(int(symbol))

    def plan(self, turns: int) -> Floats:
        """What the machines foresee of so many turns: a heap of log weights [2^(2 turns + 1)]."""
        return continuations(self.table, self.machines, 2 * turns)

    def _step(self, symbol: int) -> None:
        mixed, said = self._mix()
        if mixed[symbol] == -np.inf:
            raise UserError(
                f"turn {len(self.chat.actions) + 1}: no program of the class allows the "
                f"{'observation' if self._action is not None else 'action'} {symbol}"
            )
        self.log_switches = self.log_switches + said[:, symbol]
        rows = np.arange(len(self.switches))
        self._body_states = self._bodies.moves[rows, self._body_states, symbol]
        self.machines, _ = observe(self.table, self.machines, np.array([symbol], np.uint8))
        self._note(symbol)

    def _mix(self) -> tuple[Floats, Floats]:
        """What the mixture says, [2], and what every switch says, [K, 2]; log probabilities."""
        machines, log_share = predict(self.table, self.machines)
        said, copies = self._by_themselves()
        weights = np.append(self.log_switches[~copies], log_share)
        voices = np.vstack([said[~copies], machines])
        total = np.logaddexp.reduce(weights)
        mixed = np.logaddexp.reduce(weights[:, None] + voices, axis=0)
        mixed -= total if total > -np.inf else 0
        said[copies] = mixed
        return mixed, said

    def _by_themselves(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Log probabilities [K, 2], and who copies the mixture (its rows are still to be filled)."""
        rows = np.arange(len(self.switches))
        said = LOG_LEVELS[self._bodies.emissions[rows, self._body_states]]
        if self._action is not None:
            return said, ~self._own_body
        acting = self._happened[self._event] <= len(self.chat.actions)
        acting &= self.log_switches > -np.inf
        best = self._best_actions(np.flatnonzero(acting))
        with np.errstate(divide="ignore"):
            said[acting, best] = np.log(self._firmness[acting])
            said[acting, 1 - best] = np.log(1 - self._firmness[acting])
        return said, ~self._own_body & ~acting

    def _best_actions(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """What the optimisers of these switches hold to be best; equal plans are made once."""
        foreseen = cache(self.plan)
        plan = cache(lambda utility, left: best_action(foreseen(left), utility))
        found = []
        for row in rows:
            utility = self.switches[row].utility
            since = len(self.chat.actions) - int(self._happened[self._event[row]])
            found.append(plan(utility, utility.turns - since % utility.turns))
        return np.array(found, np.int64)

    def _note(self, symbol: int) -> None:
        """Write the symbol down; at the end of a turn, see which events have happened."""
        if self._action is None:
            self._action = symbol
            return
        actions, observations = self.chat
        self.chat = Chat(actions + bytes([self._action]), observations + bytes([symbol]))
        self._action = None
        turns = len(self.chat.actions)
        new = [
            place
            for place, event in enumerate(self._events)
            if self._happened[place] == NEVER and event.has_just_happened(self.chat)
        ]
        self._happened = self._happened.copy()
        self._happened[new] = turns
