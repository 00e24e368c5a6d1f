"""Theorem 2: under a total variation constraint the optimum raises only what is value-optimal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.theory.constraints import Divergence, kl
from kl_derail.theory.optimum import moved, tilted
from kl_derail.theory.sequences import Sequences, given, read_sequences, steps
from kl_derail.theory.statements.base import Check, Result
from kl_derail.theory.sweep import CASES, KINDS, Case, Observations, Outcome, sweep
from kl_derail.theory.trees import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDING = 1e-9
"""What linear programmes may raise by rounding."""

ACCURACY = 1e-6
"""Of a conic solver: of its values; of probabilities it is the square root."""

MOST_HISTORIES = 5000
"""Whole histories of a random tree that a programme should not exceed."""

HOLDS: Mapping[Observations, tuple[str, ...]] = {
    "determined": ("first", "action", "sequence"),
    "open_loop": ("first", "action"),
    "adaptive": ("first", "action", "sequence"),
    "average": ("first", "action"),
}
"""The readings that hold under TVD, at histories of positive chance; see `kl_derail.theory.raising`."""


@dataclass(frozen=True)
class Options:
    """Theorem 2, for sequences of actions that one can read, and on random trees."""

    sequence: list[str] = option(
        ["A good", "A med", "A bad", "B"], "sequences of actions, the words of each in quotes"
    )
    base: list[float] = option(
        [0.27, 0.27, 0.36, 0.1],
        "probability of each; what they lack to 1 is asking for help at the start",
        minimum=0,
        maximum=1,
    )
    value: list[float] = option([0.5, 0.4, 0.0, 1.0], "value of each")
    help_value: float = option(0.0, "value of asking for help")
    budget: float = option(0.1, "total variation distance allowed", minimum=0, maximum=1)
    nats: float | None = option(
        None, "KL allowed for the contrast (nats); none: what the TVD optimum costs", minimum=0
    )
    trees: int = option(200, "random trees", minimum=1)
    actions: int = option(3, "actions of a random tree", minimum=2, maximum=6)
    observations: int = option(2, "observations after each of them", minimum=2, maximum=6)
    horizon: int = option(2, "actions one after the other", minimum=2, maximum=4)
    seed: int = option(0, "seed of the random trees", minimum=0)

    def __post_init__(self) -> None:
        """Refuse trees that are too large to solve.

        Raises:
            UserError: with the size.
        """
        histories = (self.actions * self.observations) ** self.horizon
        if histories > MOST_HISTORIES:
            raise UserError(
                f"--actions, --observations, --horizon: found (A O)^H = {histories}, allowed <= {MOST_HISTORIES}"
            )


class Row(NamedTuple):
    """One sequence: its value, whether none is better, its probability under each policy."""

    sequence: str
    value: float
    best: bool
    base: float
    tvd: float
    kl: float


class Conditional(NamedTuple):
    """One action after one beginning: whether none is better there, its conditional probabilities."""

    after: str
    action: str
    best: bool
    base: float
    tvd: float
    kl: float


class SweepRow(NamedTuple):
    """One constraint on the random trees: in how many the optimum raises what is not optimal, and by how much.

    Attributes:
        divergence: tvd or kl.
        observations: determined, or the observer.
        trees: how many.
        first: trees in which a first action that is not optimal is raised, by more than the accuracy.
        action: trees, for the joint probability up to an action that is not optimal there.
        sequence: trees, for that of any sequence that is not optimal throughout.
        conditional: trees, for the conditional probability of an action.
        largest_first: largest such increase of a first action in all trees.
        gain: mean value above the base's.
    """

    divergence: str
    observations: str
    trees: int
    first: int
    action: int
    sequence: int
    conditional: int
    largest_first: float
    gain: float


@dataclass(frozen=True)
class Thm2Result(Result):
    """What theorem 2 came to.

    Attributes:
        conditionals: of the sequences that one can read.
        sweep: a row a constraint.
        points: by divergence, [N] gap of a first action and [N] increase of its probability, for what
            the base may do at first in the trees with determined observations.
        budget: total variation distance of the sequences' optimum.
        nats: KL of the other one.
    """

    conditionals: Sequence[Conditional]
    sweep: Sequence[SweepRow]
    points: Mapping[Divergence, tuple[Floats, Floats]]
    budget: float
    nats: float


def run(options: Options) -> Thm2Result:
    """Both optima of the sequences, and what optima of random trees raise.

    Raises:
        UserError: the sequences are none, or no budget in nats follows from that in TVD.
    """
    sequences = read_sequences(options.sequence, options.base, options.value, options.help_value)
    tvd = moved(sequences.base, sequences.values, options.budget)
    nats = kl(tvd, sequences.base) if options.nats is None else options.nats
    if nats == np.inf:
        raise UserError("--nats: give a number; the TVD optimum does what the base never does")
    tilt = tilted(sequences.base, sequences.values, nats)
    shape = options.actions, options.observations, options.horizon
    found = sweep(shape, options.trees, options.seed)
    rows = _rows(sequences, tvd, tilt)
    conditionals = _conditionals(sequences, tvd, tilt)
    table = [_sweep_row(case, found[case]) for case in CASES]
    points = {kind: _points(found[Case(kind, "determined")]) for kind in KINDS}
    return Thm2Result(
        "Under a TVD constraint the optimum raises only what is value-optimal; under KL it does not",
        rows,
        [*_sequence_checks(rows, conditionals), *_sweep_checks(found)],
        conditionals,
        table,
        points,
        options.budget,
        nats,
        details={"conditionals": conditionals, "random-trees": table},
    )


def _rows(sequences: Sequences, tvd: Floats, tilt: Floats) -> list[Row]:
    best = (sequences.values == sequences.values.max()).tolist()
    columns = [each.tolist() for each in (sequences.base, tvd, tilt)]
    names = map(" ".join, sequences.words)
    return [
        Row(*cells) for cells in zip(names, sequences.values.tolist(), best, *columns, strict=True)
    ]


def _conditionals(sequences: Sequences, tvd: Floats, tilt: Floats) -> list[Conditional]:
    return [
        Conditional(
            " ".join(step.after),
            step.action,
            step.best,
            *(given(step, each) for each in (sequences.base, tvd, tilt)),
        )
        for step in steps(sequences)
    ]


def _sweep_row(case: Case, found: Sequence[Outcome]) -> SweepRow:
    raised = np.array([each.raised for each in found])
    tolerance = ROUNDING if case.divergence == "tvd" else np.sqrt(ACCURACY)
    gain = float(np.mean([each.gain for each in found]))
    first, action, sequence, conditional = (raised > tolerance).sum(axis=0).tolist()
    largest = float(raised[:, 0].max())
    return SweepRow(*case, len(found), first, action, sequence, conditional, largest, gain)


def _points(found: Sequence[Outcome]) -> tuple[Floats, Floats]:
    return (
        np.concatenate([each.first_gaps for each in found]),
        np.concatenate([each.first_rises for each in found]),
    )


def _sequence_checks(rows: Sequence[Row], conditionals: Sequence[Conditional]) -> Iterator[Check]:
    joint = max((row.tvd - row.base for row in rows if not row.best), default=0.0)
    start = [each for each in conditionals if not each.after and not each.best]
    first = max((each.tvd - each.base for each in start), default=0.0)
    yield Check("TVD, sequences: largest rise of one not optimal", joint, "<=", 0, ROUNDING)
    yield Check(
        "TVD, sequences: largest rise of a first action not optimal", first, "<=", 0, ROUNDING
    )


def _sweep_checks(found: Mapping[Case, Sequence[Outcome]]) -> Iterator[Check]:
    for observations, readings in HOLDS.items():
        for reading in readings:
            raised = [getattr(each.raised, reading) for each in found[Case("tvd", observations)]]
            claim = f"TVD, {observations}: largest rise, read as `{reading}`"
            yield Check(claim, max(raised), "<=", 0, ROUNDING)
    every = [outcome for outcomes in found.values() for outcome in outcomes]
    excess = max(each.excess for each in every)
    yield Check("open-loop minus adaptive divergence, largest", excess, "<=", 0, ROUNDING)
    error = float(np.nanmax([each.error for each in every]))
    yield Check(
        "value: programme against closed form or dynamic programming", error, "<=", 0, ACCURACY
    )


def draw(result: Thm2Result) -> Figure:
    """Sequences, conditionals, first actions of random trees, and how often each reading fails."""
    from kl_derail.theory.plots import thm2_figure

    return thm2_figure(result)
