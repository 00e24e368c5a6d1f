"""What every statement gives back: rows of numbers, and its inequalities with their two sides.

A statement is a module of this package with three names:

    Options                     frozen dataclass, fields made with `kl_derail.config.option`
    run(options) -> Result      all numbers; a `Result`, or a subclass that holds what `draw` needs
    draw(result) -> Figure      called within `kl_derail.plumbing.style.styled`
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from kl_derail.errors import UserError


class Check(NamedTuple):
    """One inequality, with both sides.

    Attributes:
        claim: what is said, in words and symbols.
        lhs: left side.
        relation: `<=`, `<` or `=`.
        rhs: right side.
        tolerance: by how much `<=` and `=` may be missed: rounding, or a solver's accuracy.
        skipped: why it does not apply here, where it does not; its sides say nothing then.
    """

    claim: str
    lhs: float
    relation: Literal["<=", "<", "="]
    rhs: float
    tolerance: float = 0.0
    skipped: str = ""

    @property
    def slack(self) -> float:
        """By how much the inequality holds; negative where it does not. For `=`: minus the distance.

        >>> Check("x <= y", 1.0, "<=", 3.0).slack
        2.0
        """
        if self.lhs == self.rhs:  # infinite sides too
            return 0.0
        difference = self.rhs - self.lhs
        return -abs(difference) if self.relation == "=" else difference

    @property
    def holds(self) -> bool:
        """Whether it holds, or does not apply; never with NaN where it does.

        >>> Check("x < y", 1.0, "<", 1.0).holds, Check("x = y", 1.0, "=", 1.1, 0.2).holds
        (False, True)
        """
        if self.skipped:
            return True
        return self.slack > 0 if self.relation == "<" else self.slack >= -self.tolerance


@dataclass(frozen=True)
class Result:
    """What a statement came to.

    Attributes:
        title: the statement in one sentence.
        rows: named tuples of one type, at least one: the table (`table.csv`, `table.md`, terminal).
        checks: its inequalities, at least one.
        details: further tables by name, of the same kind (`NAME.csv`).
    """

    title: str
    rows: Sequence[Any]
    checks: Sequence[Check]
    details: Mapping[str, Sequence[Any]] = field(default_factory=dict, kw_only=True)

    @property
    def holds(self) -> bool:
        """Whether every inequality holds."""
        return all(check.holds for check in self.checks)


def skipped(claim: str, relation: Literal["<=", "<", "="], why: str) -> Check:
    """A check that does not apply: it is shown with the reason, not left out."""
    return Check(claim, math.nan, relation, math.nan, skipped=why)


T = TypeVar("T")


def distinct(flag: str, values: Sequence[T]) -> list[T]:
    """The values of a list option, each once.

    >>> distinct("--alphas", [0.5, 0.9, 0.5])
    [0.5, 0.9]

    Raises:
        UserError: there are none.
    """
    if not values:
        raise UserError(f"{flag}: found none, allowed one or more")
    return list(dict.fromkeys(values))


CHECK_HEAD = ("claim", "left", "", "right", "slack", "holds")


def check_cells(check: Check) -> list[str]:
    """A check as cells under `CHECK_HEAD`."""
    if check.skipped:
        return [check.claim, "", check.relation, "", "", f"not applicable: {check.skipped}"]
    sides = [cell(check.lhs), check.relation, cell(check.rhs), cell(check.slack)]
    return [check.claim, *sides, "yes" if check.holds else "NO"]


def cell(value: object) -> str:
    """A value of a table for people: six digits, nothing for NaN.

    >>> cell(1 / 3), cell(True), cell(12), cell("A"), cell(float("nan"))
    ('0.333333', 'yes', '12', 'A', '')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
