"""Slow and obvious: the mixture with its self-referring switches in exact fractions, by definition."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import product

from kl_derail.theory.programs.events import Clock
from kl_derail.theory.programs.machine import LEVELS, Machine
from kl_derail.theory.programs.switch import FIRMNESS, Program, Switch, bits
from kl_derail.theory.programs.utilities import Utility

Word = tuple[int, ...]


def machine_probability(machine: Machine, word: Word) -> Fraction:
    """nu(word), by following the machine."""
    state, found = 0, Fraction(1)
    for symbol in word:
        found *= Fraction(float(LEVELS[machine.emissions[state]][symbol]))
        state = machine.moves[state][symbol]
    return found


def happened_at(event, word: Word) -> int | None:  # type: ignore[no-untyped-def]
    """After how many whole turns the event first happened."""
    for turns in range(1, len(word) // 2 + 1):
        if isinstance(event, Clock):
            if event.turns == turns:
                return turns
            continue
        stream = word[0 : 2 * turns : 2] if event.stream == "actions" else word[1 : 2 * turns : 2]
        if "".join(map(str, stream)).endswith(event.word * event.times):
            return turns
    return None


class RationalClass:
    """xi(word) and nu(word) of every program of a class, as fractions."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self.programs = list(programs)
        weights = [Fraction(1, 2 ** bits(program)) for program in programs]
        self.prior = [weight / sum(weights) for weight in weights]
        self.xi, self.nu = cache(self._xi), cache(self._nu)

    def machines(self, word: Word) -> Fraction:
        """Weight of the machines alone."""
        pairs = zip(self.prior, self.programs, strict=True)
        return sum(
            (w * machine_probability(p, word) for w, p in pairs if isinstance(p, Machine)),
            Fraction(0),
        )

    def _xi(self, word: Word) -> Fraction:
        """Solves xi(word) = sum_i w_i nu_i(word), where copies have nu_i(word) = nu_i(before) xi(word) / xi(before)."""
        if not word:
            return Fraction(1)
        before, fixed, slope = word[:-1], Fraction(0), Fraction(0)
        for index, weight in enumerate(self.prior):
            factor = self._factor(index, word)
            if factor is None:
                slope += weight * self.nu(index, before) / self.xi(before)
            else:
                fixed += weight * self.nu(index, before) * factor
        return fixed / (1 - slope)

    def _nu(self, index: int, word: Word) -> Fraction:
        if not word:
            return Fraction(1)
        factor = self._factor(index, word)
        if factor is None:
            factor = self.xi(word) / self.xi(word[:-1])
        return self.nu(index, word[:-1]) * factor

    def _factor(self, index: int, word: Word) -> Fraction | None:
        """Probability of the last symbol given the others; None for one that says what xi says."""
        program, before = self.programs[index], word[:-1]
        if isinstance(program, Machine):
            return _conditional(program, word)
        at = happened_at(program.event, before)
        if len(before) % 2 == 0 and at is not None:
            firmness = Fraction(FIRMNESS[program.firmness])
            best = self.best(program, before, len(before) // 2 - at)
            return firmness if word[-1] == best else 1 - firmness
        return None if program.body is None else _conditional(program.body, word)

    def best(self, program: Switch, word: Word, since: int) -> int:
        """The optimiser's action, by enumerating all plans that follow an action."""
        left = program.utility.turns - since % program.utility.turns
        values = [self._after_action((*word, action), program.utility, left) for action in (0, 1)]
        return 0 if values[0] >= values[1] else 1

    def _after_action(self, word: Word, utility: Utility, left: int) -> Fraction:
        total = self.machines(word)
        if total == 0:
            return Fraction(-1)
        seen = [self.machines((*word, o)) for o in (0, 1)]
        chances = [each / sum(seen) if sum(seen) else Fraction(1, 2) for each in seen]
        values = []
        for observation in (0, 1):
            reward = word[-1] if utility.stream == "actions" else observation
            ahead = Fraction(0)
            if left > 1:
                after = (*word, observation)
                ahead = max(self._after_action((*after, a), utility, left - 1) for a in (0, 1))
                ahead = max(ahead, Fraction(0))
            values.append(Fraction(int(reward == utility.symbol), utility.turns) + ahead)
        return sum((c * v for c, v in zip(chances, values, strict=True)), Fraction(0))


def _conditional(machine: Machine, word: Word) -> Fraction:
    """Probability of the last symbol in the state that the others led to, possible or not."""
    state = 0
    for symbol in word[:-1]:
        state = machine.moves[state][symbol]
    return Fraction(float(LEVELS[machine.emissions[state]][word[-1]]))


def words(length: int) -> list[Word]:
    """All of that length."""
    return list(product((0, 1), repeat=length))
