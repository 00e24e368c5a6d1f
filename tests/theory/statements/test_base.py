"""Checks and their cells."""

from __future__ import annotations

import math

import pytest

from kl_derail.errors import UserError
from kl_derail.theory.statements.base import (
    CHECK_HEAD,
    Check,
    Result,
    check_cells,
    distinct,
    skipped,
)


@pytest.mark.parametrize(
    ("check", "holds", "slack"),
    [
        (Check("", 1.0, "<=", 1.0), True, 0.0),
        (Check("", 1.1, "<=", 1.0), False, -0.1),
        (Check("", 1.1, "<=", 1.0, 0.2), True, -0.1),
        (Check("", 1.0, "<", 1.0, 0.2), False, 0.0),
        (Check("", 0.9, "<", 1.0), True, 0.1),
        (Check("", 1.1, "=", 1.0), False, -0.1),
        (Check("", 0.9, "=", 1.0, 0.2), True, -0.1),
        (Check("", math.inf, "<=", math.inf), True, 0.0),
        (Check("", 1.0, "<=", math.inf), True, math.inf),
    ],
)
def test_verdicts(check: Check, holds: bool, slack: float) -> None:
    assert check.holds is holds
    assert check.slack == pytest.approx(slack)
    assert check_cells(check)[-1] == ("yes" if holds else "NO")
    assert len(check_cells(check)) == len(CHECK_HEAD)


@pytest.mark.parametrize("relation", ["<=", "<", "="])
def test_nothing_holds_with_nan(relation: str) -> None:
    assert not Check("", math.nan, relation, 1.0, 1.0).holds  # type: ignore[arg-type]


def test_what_does_not_apply_is_said_and_fails_nothing() -> None:
    check = skipped("it grows", "<", "one length")
    assert check.holds
    assert check_cells(check) == ["it grows", "", "<", "", "", "not applicable: one length"]


def test_lists_hold_something_and_each_thing_once() -> None:
    assert distinct("--lengths", [3, 1, 3]) == [3, 1]
    with pytest.raises(UserError, match="--lengths: found none"):
        distinct("--lengths", [])


def test_one_failure_is_enough() -> None:
    good, bad = Check("", 0.0, "<", 1.0), Check("", 1.0, "<", 0.0)
    assert Result("", [], [good]).holds
    assert not Result("", [], [good, bad]).holds
