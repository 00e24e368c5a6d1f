from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.budget import BudgetLedger
from kl_derail.errors import UserError


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_expected_accounting_by_hand() -> None:
    ledger = BudgetLedger(doubles(10, 20, 30))
    ledger.charge(torch.tensor([0, 2]), doubles(1, 2), doubles(-5, 7))
    ledger.charge(torch.tensor([2]), doubles(0.5), doubles(1))
    assert ledger.left.tolist() == [9, 20, 27.5]
    assert ledger.spent.tolist() == [1, 0, 2.5]
    assert ledger.expected.tolist() == [1, 0, 2.5]
    assert ledger.realised.tolist() == [-5, 0, 8]


def test_realised_accounting_gives_back_and_stops_at_zero() -> None:
    ledger = BudgetLedger((10.0, 2), "realised")
    ledger.charge(torch.tensor([0, 1]), doubles(1, 2), doubles(-5, 12))
    assert ledger.left.tolist() == [15, 0]
    ledger.charge(torch.tensor([1]), doubles(3), doubles(-1))
    assert ledger.left.tolist() == [15, 1]
    assert ledger.expected.tolist() == [1, 5]
    assert ledger.realised.tolist() == [-5, 11]


def test_a_chat_charged_twice_in_a_step_pays_twice() -> None:
    ledger = BudgetLedger((10.0, 2))
    ledger.charge(torch.tensor([1, 1]), doubles(1, 2), doubles(0, 0))
    assert ledger.left.tolist() == [10, 7]


def test_no_rows_is_no_charge() -> None:
    ledger = BudgetLedger((10.0, 2))
    ledger.charge(torch.tensor([], dtype=torch.int64), doubles(), doubles())
    assert ledger.left.tolist() == [10, 10]


@pytest.mark.parametrize(
    ("kl", "log_ratio"),
    [(10.1, 0.0), (-1e-9, 0.0), (math.nan, 0.0), (math.inf, 0.0), (1.0, math.nan), (1.0, math.inf)],
)
def test_a_broken_invariant_raises_and_charges_nothing(kl: float, log_ratio: float) -> None:
    ledger = BudgetLedger((10.0, 3))
    with pytest.raises(RuntimeError, match=r"chat 2 \(expected accounting\)"):
        ledger.charge(torch.tensor([1, 2]), doubles(1, kl), doubles(0, log_ratio))
    assert ledger.left.tolist() == [10, 10, 10]
    assert ledger.expected.tolist() == [0, 0, 0]


def test_rounding_is_forgiven_and_never_leaves_a_debt() -> None:
    ledger = BudgetLedger((0.3, 1))
    ledger.charge(torch.tensor([0]), doubles(0.3 + 1e-13), doubles(0))
    assert ledger.left.tolist() == [0]


def test_budgets_are_copied_and_kept() -> None:
    budgets = doubles(1, 2)
    ledger = BudgetLedger(budgets)
    ledger.charge(torch.tensor([0]), doubles(1), doubles(1))
    budgets += 5
    assert ledger.budgets.tolist() == [1, 2]
    assert ledger.left.dtype == torch.float64
    assert BudgetLedger(torch.tensor([1.0])).left.dtype == torch.float64


def test_wrong_arguments() -> None:
    with pytest.raises(UserError, match="at least 0 nats, found -1"):
        BudgetLedger(doubles(1, -1))
    with pytest.raises(UserError, match="at least 0"):
        BudgetLedger((math.nan, 2))
    with pytest.raises(UserError, match="did you mean realised"):
        BudgetLedger((1.0, 2), "realized")  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1), max_size=50))
def test_left_is_the_budget_minus_the_very_values_charged(costs: list[float]) -> None:
    ledger, left = BudgetLedger((100.0, 1)), 100.0
    for cost in costs:
        ledger.charge(torch.tensor([0]), doubles(cost), doubles(0))
        left -= cost
        assert ledger.left.item() == left
