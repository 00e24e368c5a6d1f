"""The price list as people see it."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console
from rich.table import Table

from kl_derail.pricing import Comparison, EventCost, TurnEvent, cheaper_style, outcome, predict
from kl_derail.pricing.runs import Trained
from kl_derail.pricing.tables import (
    budget_table,
    comparison_table,
    cost_table,
    event_table,
    gain_table,
    start_table,
)
from tests.inspect.factories import silent
from tests.pricing.factories import chat, price

TALK = price(chat(6.0, 1.0, reward=9.0, replies=3), chat(8.0, unfinished=0.25), chat())


def printed(table: Table, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    return text


def test_costs() -> None:
    shown = printed(cost_table([TALK]))
    assert "7.00 ±12.71" in shown  # t(1 degree of freedom) = 12.706
    assert "7.62 ±7.94" in shown
    assert " 2 " in shown
    assert "cheaper" not in shown


def test_the_cheaper_style_has_a_row() -> None:
    double = price(chat(5.0), chat(9.0), chat(), spacing="double")
    shown = printed(cost_table([TALK, double], [cheaper_style([TALK, double])]), width=90)
    assert "6.50 ±19.06" in shown
    assert "cheaper: in each chat" in shown


def test_budgets() -> None:
    shown = printed(budget_table([TALK]))
    assert "7.00  8.25   8.25" in shown
    assert f"{TALK.budget_to_start(0.5).estimate:.2f}" in shown
    expected = printed(start_table([TALK]))
    assert "Expected cost" in expected
    assert f"{TALK.started_with(0.5).estimate:.2f}" in expected
    assert f"{TALK.started_with(0.5).estimate:.2f}" not in shown


def test_gains_and_what_has_no_price() -> None:
    base = price(
        *(chat(replies=0, reward=reward) for reward in (8.0, 1.0, 0.0)),
        behaviour="base",
        spacing="",
    )
    shown = printed(gain_table([(TALK, base), (base, base)]), width=120)
    assert "100 (" in shown
    assert "3.00 ±10.83" in shown
    assert "0.67 ±1.43" in shown
    assert "0.00 ±0.00" in shown
    assert "nan" not in shown + printed(cost_table([base])) + printed(budget_table([base]))


def test_both_ends_of_a_bracket() -> None:
    exact, rough = (
        EventCost(1.0, 1.0, 1.5, 2, 0.0, 9, True),
        EventCost(0.5, 0.75, 0.75, 1, 0.0, 4, False),
    )
    shown = printed(event_table({("silent", "double"): [TurnEvent(0, 1, 1.5, exact, rough)]}))
    assert "0.500\N{EN DASH}0.750" in shown
    assert " 1.000 " in shown
    assert "-" in printed(event_table({("copy", "double"): [TurnEvent(0, 1, 1.5, exact, None)]}))


@pytest.mark.parametrize("budget", [3.0, 99.0])
def test_predicted_and_learned(budget: float) -> None:
    learned = outcome([silent(6)] * 3)
    agent = Trained("runs/derails-b20", "agent", "base-1", 256, 512, budget, learned)
    row = Comparison(agent, predict([TALK], budget))
    shown = printed(comparison_table([row]), width=90)
    assert "derails-b20" in shown
    assert row.predicted.verdict in shown
    assert "256 (512)" in shown
    assert "256 (" not in printed(
        comparison_table([row._replace(trained=agent._replace(trained_length=None))])
    )
    assert "enforced" in shown


@pytest.mark.parametrize(
    "name", ["repeat:\x1b[31mred", "repeat:[red]x[/red]", "repeat:\u202eabc\n"]
)
def test_names_are_shown_literally(name: str) -> None:
    shown = printed(cost_table([price(chat(1.0), behaviour=name)]))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "repeat:" in shown


def test_long_names_are_cut() -> None:
    shown = printed(cost_table([price(chat(1.0), behaviour="repeat:" + "x" * 99)]))
    assert "xxx~" in shown
    assert all(a.rstrip() or b.rstrip() for a, b in pairwise(shown.splitlines()[1:]))
