"""Proposition 1, Theorem 1, Proposition 2 and the pessimistic imitator, on small classes."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.plumbing.style import styled
from kl_derail.theory.programs.events import Clock, Repeat
from kl_derail.theory.statements import pessimism, prop1, prop2, thm1
from kl_derail.theory.unseen import Unseen

THM1 = thm1.Options(machine_bits=5, lengths=[10, 40, 160], value_share=0.8)

LISTED = ["A 0 B B; B 1/4 A A", "A 1/8 B B; B 1/4 A A", "A 1/2 A A"]
"""A class that holds the trusted program."""


@pytest.fixture(scope="module")
def theorem() -> thm1.Thm1Result:
    return thm1.run(THM1)


def test_proposition_1() -> None:
    result = prop1.run(prop1.Options(epsilons=[2.0, 0.1], lengths=[1, 100], machine_bits=13))
    assert result.holds
    closed = result.rows[1]
    assert closed.kl_tau_beta == pytest.approx(-math.log(0.95))
    assert closed.kl_pi_tau == math.inf
    assert result.rows[-1].kl_tau_beta < 1e-4


def test_proposition_1_where_nothing_is_left_of_a_float() -> None:
    result = prop1.run(prop1.Options(epsilons=[5e-324, 5e-324], lengths=[1], machine_bits=5))
    assert result.holds
    assert len(result.rows) == 2
    assert result.rows[0].kl_pi_tau == math.inf
    with pytest.raises(UserError, match="after 1 symbols of tau no program of the class says 1"):
        prop1.run(prop1.Options(machines=["A 0 A A"]))
    for empty in ("epsilons", "lengths"):
        with pytest.raises(UserError, match=f"--{empty}: found none"):
            prop1.run(replace(prop1.Options(), **{empty: []}))


def test_proposition_1_outlives_the_range_of_floats() -> None:
    """After 20 000 zeros the mixture's probability of a one is below the least float, not zero."""
    result = prop1.run(prop1.Options(lengths=[20_000], machine_bits=5))
    assert result.rows[-1].log_beta_one < -1000
    assert result.holds


def test_theorem_1(theorem: thm1.Thm1Result) -> None:
    assert theorem.holds, [check for check in theorem.checks if not check.holds]
    prices = [row.price for row in theorem.rows]
    assert np.ptp(prices) <= 1e-9 * prices[0]
    assert theorem.published / theorem.derivation == pytest.approx(2.0813689810056077)
    assert theorem.rows[-1].price_seen > 3 * theorem.rows[0].price_seen
    assert "does not hold the trusted program" in theorem.checks[-1].skipped


def test_no_event_is_an_imitator_without_clocks() -> None:
    """There nats grow about linearly, a turn that is over is an event of 2 log2 k bits, and E is flat."""
    result = thm1.run(replace(THM1, machines=LISTED, lengths=[40, 160, 640]))
    assert result.holds
    assert not any(check.skipped for check in result.checks)
    first, middle, last = result.rows
    slopes = [
        (after.optimum_plain - before.optimum_plain) / (after.turns - before.turns)
        for before, after in ((first, middle), (middle, last))
    ]
    assert slopes[1] == pytest.approx(slopes[0], rel=0.3)
    assert slopes[1] > 0.05
    assert last.optimum_plain > 3 * last.optimum_clock
    assert middle.price_clock - first.price_clock == pytest.approx(4 * math.log(2))
    assert last.optimum - middle.optimum < 0.1


def test_the_construction_is_written_out() -> None:
    """`switch(mixture, observations 1 x8, actions 1 for 2 turns, surely)` is 19 bits, part by part."""
    result = thm1.run(replace(THM1, lengths=[10], event="observations 1 x8"))
    table = {piece.piece: piece for piece in result.details["construction"]}
    assert {name: (each.code, each.number) for name, each in table.items() if each.code} == {
        "d (mark of a switch)": ("1", 1),
        "body xi": ("0", 1),
        "K(E)": ("01" + "0" + "1" + "1110000", 11),
        "K(U)": ("01" + "100", 5),
        "firmness (stands for v)": ("0", 1),
        "K": ("1001011110000011000", 19),
    }
    assert table["K ln 2"].number == pytest.approx(13.169796430638798)
    assert table["K / ln 2"].number == pytest.approx(27.411205776890725)
    assert (table["v"].number, table["V*"].number) == pytest.approx((0.8, 1.0))
    assert table["price of nu': spread"].number == 0


def test_a_price_is_never_negative() -> None:
    """The trusted program's own switch was not in the class: it counts itself where it weighs most."""
    result = thm1.run(replace(THM1, machine_bits=9, lengths=[10, 100, 1000]))
    assert result.holds
    assert all(row.price_trusted > 0 for row in result.rows)
    assert result.rows[-1].price_trusted < 1e-6


def test_prices_by_hand() -> None:
    """One machine, and switches that copy the mixture: every history is as likely under all of them."""
    options = replace(THM1, machines=LISTED[:1], lengths=[4], switch_bits=0)
    result = thm1.run(replace(options, event="observations 1 x6"))
    (row,) = result.rows
    code = {"nu": 17, "seen": 13, "clock": 14, "machine": 13}
    assert result.details["construction"][5].number == code["nu"]
    total = math.fsum(2.0**-length for length in code.values())
    assert row.price == pytest.approx(17 * math.log(2) + math.log(total))
    assert row.price_clock == pytest.approx(14 * math.log(2) + math.log(total))


def test_growth_is_asked_for_where_it_must_be() -> None:
    """Not over a step of two turns, nor where the trusted program can be worth v; and said so."""
    short = thm1.run(replace(THM1, lengths=[10, 12]))
    assert short.holds
    assert "factor of 10" in short.checks[-1].skipped
    easy = replace(THM1, machines=LISTED, lengths=[1, 10], utility="actions 0 for 1 turns")
    able = thm1.run(easy)
    assert able.holds
    assert "can be worth v" in able.checks[-1].skipped
    row = able.rows[0]._replace(value_plain=2)
    assert not thm1._growth([row, row._replace(turns=100)], 1, held=True).holds


def test_a_class_that_never_does_it_is_no_violation() -> None:
    listed = replace(THM1, lengths=[10, 100], machines=["A 0 B B; B 1/4 A A"])
    result = thm1.run(listed)
    assert result.holds, [check for check in result.checks if not check.holds]
    assert [row.best_value for row in result.rows] == [0, 0]


def test_the_price_is_the_prior_whatever_the_history(theorem: thm1.Thm1Result) -> None:
    other = thm1.run(replace(THM1, seed=3, event=str(theorem.switch.event)))
    assert other.rows[0].price == pytest.approx(theorem.rows[0].price, rel=1e-9)


@pytest.mark.parametrize("trusted", ["A 1/4 A A", "A 1/2 B C; B 1/8 A A; C 7/8 A A"])
@pytest.mark.parametrize("utility", ["observations 1 for 2 turns", "actions 0 for 1 turns"])
def test_theorem_1_whoever_wrote_the_history(trusted: str, utility: str) -> None:
    result = thm1.run(replace(THM1, trusted=trusted, utility=utility, lengths=[10, 40]))
    assert result.holds, [check for check in result.checks if not check.holds]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lengths": []}, "--lengths: found none"),
        ({"utility": "actions 1 for 5 turns"}, "--utility: found 5 turns, allowed <= 4"),
        ({"event": "turn 1000000000"}, "--event: .* takes 999999990 turns more, allowed <= 1000"),
        ({"event": "observations 1 x1000000000"}, "takes 1000000000 turns more"),
        ({"event": f"turn 1{'0' * 5000}"}, "--event: found"),
    ],
)
def test_theorem_1_refuses_what_would_never_end(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        thm1.run(replace(THM1, **changes))


def test_the_smallest_search_for_events_finds_one_of_the_past() -> None:
    assert thm1.run(replace(THM1, event_bits=5, event="observations 1 x9", lengths=[10])).holds


def test_theorem_1_refuses_an_event_of_the_past() -> None:
    with pytest.raises(UserError, match="has happened in turn 1"):
        thm1.run(replace(THM1, event="actions 0 x1"))
    with pytest.raises(UserError, match="halts after 1 symbols"):
        thm1.run(replace(THM1, trusted="A 0 B B; B halt A A"))


def test_proposition_2() -> None:
    result = prop2.run(prop2.Options(turns=1000, event_bits=13))
    assert result.holds
    constant = [row.bits for row in result.rows if row.program == "A 0 A A"]
    assert constant[-1] == 5
    assert prop2.run(prop2.Options(turns=9, programs=["A 0 A A"] * 2)).holds
    with pytest.raises(UserError, match="--programs: found none"):
        prop2.run(prop2.Options(programs=[]))
    with pytest.raises(UserError, match="all events of 4 bits happen"):
        prop2.run(prop2.Options(turns=1000, event_bits=4))


@pytest.mark.parametrize("turns", [1, 5, 40])
def test_a_word_is_missing_by_counting(turns: int) -> None:
    """So many turns cannot hold all words of n letters once 2^n is greater; one letter less they can."""
    letters = next(n for n in range(1, 9) if 2**n > turns)
    assert prop2.word_bits(turns) == len(Repeat("actions", "0" * letters, 1).code())
    assert letters == 1 or 2 ** (letters - 1) <= turns


def test_a_search_that_misses_events_is_found_out() -> None:
    late = [Unseen(0, 2, Clock(1)), Unseen(3, 30, Clock(4))]
    assert not prop2._check("A 0 A A", late).holds


def test_pessimism() -> None:
    options = pessimism.Options(turns=120, repeats=2, cases=500, alphas=[0.9, 0.9999, 0.9])
    result = pessimism.run(options)
    assert result.holds
    assert len({row[:3] for row in result.rows}) == len(result.rows) == 8
    assert all(0 <= row.low <= row.asking <= row.high <= 1 for row in result.rows)
    assert all(check.relation == "<" for check in result.checks[1:])
    assert {row.alpha for row in result.rows} == {0.9, 0.9999}
    with pytest.raises(UserError, match="not in the class"):
        pessimism.run(replace(options, machine_bits=5))
    with pytest.raises(UserError, match="--alphas: found none"):
        pessimism.run(replace(options, alphas=[]))


def test_asking_less_needs_asking() -> None:
    alone = ["A 1/8 B B; B 1/4 A A"]
    options = pessimism.Options(turns=20, repeats=2, cases=9, alphas=[1e-300], machines=alone)
    result = pessimism.run(options)
    assert result.holds
    assert "never asks" in result.checks[-1].skipped
    rows = [result.rows[0]._replace(asking=0.5), result.rows[1]._replace(asking=0.5)]
    assert not pessimism._asking(rows, [1e-300])[0].holds


def test_some_default_alpha_says_something() -> None:
    risks = [pessimism.risk_bound(alpha, math.log(3.26e-4)) for alpha in pessimism.Options().alphas]
    assert sum(risk < 1 for risk in risks) >= 3


def test_the_class_can_be_listed() -> None:
    listed = ["A 1/2 A A", "A 0 A A"]
    result = prop1.run(prop1.Options(machines=listed, lengths=[1, 3]))
    assert result.rows[-1].beta_one == pytest.approx((1 / 8) / (1 + 1 / 8) / 2)
    with pytest.raises(UserError, match="does not hold tau"):
        prop1.run(prop1.Options(machines=["A 1/2 A A"]))
    with pytest.raises(UserError, match="listed twice"):
        prop1.run(prop1.Options(machines=[*listed, "A 0 A A"]))


def test_every_statement_can_be_drawn(theorem: thm1.Thm1Result) -> None:
    small = pessimism.Options(turns=30, repeats=2, cases=10, alphas=[0.9])
    with styled():
        for figure in (
            thm1.draw(theorem),
            prop1.draw(prop1.run(prop1.Options(lengths=[1, 10]))),
            prop2.draw(prop2.run(prop2.Options(turns=50, event_bits=12, programs=["A 1/2 A A"]))),
            pessimism.draw(pessimism.run(small)),
        ):
            figure.draw_without_rendering()
