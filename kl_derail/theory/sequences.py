"""A world without surprises, written down as its sequences of actions: probabilities and values of each.

Where observations are determined a policy is a distribution over sequences; what it does after a
beginning follows by conditioning. What the probabilities lack to 1 is asking for help at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_derail.errors import UserError
from kl_derail.theory.trees import ROUNDING, Floats

HELP = "(help)"


class Sequences(NamedTuple):
    """Every sequence that can happen.

    Attributes:
        words: its actions; asking for help is a sequence of its own, where it happens.
        base: [X] probability under the base.
        values: [X] utility.
    """

    words: list[tuple[str, ...]]
    base: Floats
    values: Floats


class Step(NamedTuple):
    """One action after one beginning.

    Attributes:
        after: the actions before, empty at the start.
        action: the action.
        best: whether the best sequence that can follow is as good as after any other action.
        holding: which sequences begin so.
        reaching: which sequences begin with `after`.
    """

    after: tuple[str, ...]
    action: str
    best: bool
    holding: list[int]
    reaching: list[int]


def read_sequences(
    names: Sequence[str], base: Sequence[float], values: Sequence[float], help_value: float
) -> Sequences:
    """Sequences written as words, `A good`, with their probabilities and values.

    Raises:
        UserError: lists of different lengths, no distribution, or a sequence that begins another.
    """
    if not len(names) == len(base) == len(values):
        found = f"{len(names)}, {len(base)} and {len(values)}"
        raise UserError(
            f"--sequence, --base, --value: found {found} of them, allowed equal numbers"
        )
    words = [tuple(name.split()) for name in names]
    for each in words:
        begun = [other for other in words if other[: len(each)] == each]
        if not each or len(begun) > 1:
            raise UserError(
                f"--sequence: found {' '.join(each)!r}, which is empty or begins another"
            )
    deficit = 1 - sum(base)
    if min(base, default=1) < 0 or deficit < -ROUNDING or not names:
        raise UserError(
            f"--base: found a sum of {sum(base):g}, allowed probabilities with a sum <= 1"
        )
    if deficit > ROUNDING:
        words, base, values = [*words, (HELP,)], [*base, deficit], [*values, help_value]
    return Sequences(words, np.array(base), np.array(values, np.float64))


def steps(sequences: Sequences) -> list[Step]:
    """Every action after every beginning, in the order of the sequences."""
    beginnings = dict.fromkeys(
        (each[:length], each[length]) for each in sequences.words for length in range(len(each))
    )
    return [_step(sequences, *each) for each in beginnings]


def _step(sequences: Sequences, after: tuple[str, ...], action: str) -> Step:
    holding = _beginning(sequences, (*after, action))
    reaching = _beginning(sequences, after)
    best = sequences.values[holding].max() == sequences.values[reaching].max()
    return Step(after, action, bool(best), holding, reaching)


def _beginning(sequences: Sequences, with_words: tuple[str, ...]) -> list[int]:
    count = len(with_words)
    return [place for place, each in enumerate(sequences.words) if each[:count] == with_words]


def given(step: Step, probabilities: Floats) -> float:
    """Probability of the action after its beginning; NaN where that never happens."""
    total = probabilities[step.reaching].sum()
    return float(probabilities[step.holding].sum() / total) if total > 0 else float("nan")
