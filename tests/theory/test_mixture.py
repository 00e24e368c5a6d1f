"""Posterior, predictive and continuations against exact fractions; and where floats would underflow."""

import math
from fractions import Fraction

import numpy as np
import pytest

from kl_derail.theory.mixture import (
    continuations,
    first_belief,
    move_on,
    normalised,
    observe,
    predict,
    prior,
)
from kl_derail.theory.programs.machine import parse_machine, sample, state_after
from kl_derail.theory.programs.table import enumerate_machines, tabulate
from tests.theory.rational import RationalClass, words

CLASS = enumerate_machines(13, 2)


@pytest.fixture(scope="module")
def exact() -> RationalClass:
    return RationalClass([CLASS.machine(row) for row in range(0, len(CLASS.bits), 7)])


@pytest.fixture(scope="module")
def small() -> tuple:  # type: ignore[type-arg]
    table = CLASS.rows(np.arange(0, len(CLASS.bits), 7))
    return table, first_belief(table, prior(table.bits))


@pytest.mark.parametrize("length", [1, 4, 6])
def test_agrees_with_enumeration(exact: RationalClass, small, length: int) -> None:  # type: ignore[no-untyped-def]
    table, start = small
    for word in words(length)[::3]:
        after, log_predictive = observe(table, start, np.array(word, np.uint8))
        xi = [exact.machines(word[:t]) for t in range(length + 1)]
        steps = [float(xi[t + 1] / xi[t]) for t in range(length)]
        said = np.exp(log_predictive[np.arange(length), word])
        np.testing.assert_allclose(said, steps, rtol=0, atol=1e-10)
        posterior = [float(w * exact.nu(i, word) / xi[-1]) for i, w in enumerate(exact.prior)]
        np.testing.assert_allclose(
            np.exp(normalised(after.log_weights)), posterior, rtol=0, atol=1e-10
        )
        log_next, log_total = predict(table, after)
        assert log_total == pytest.approx(math.log(xi[-1]), abs=1e-10)
        later = [float(exact.machines((*word, symbol)) / xi[-1]) for symbol in (0, 1)]
        np.testing.assert_allclose(np.exp(log_next), later, rtol=0, atol=1e-10)


def test_continuations_agree_with_enumeration(exact: RationalClass, small) -> None:  # type: ignore[no-untyped-def]
    table, start = small
    after, _ = observe(table, start, np.array([0, 1], np.uint8))
    heap = np.exp(continuations(table, after, 4))
    for length in range(5):
        expected = [float(exact.machines((0, 1, *word))) for word in words(length)]
        np.testing.assert_allclose(heap[2**length : 2 ** (length + 1)], expected, rtol=1e-10)


def test_one_symbol_at_a_time_is_the_same() -> None:
    symbols = sample(parse_machine("A 1/8 B B; B 1/2 A A"), 300, 1)
    belief = first_belief(CLASS, prior(CLASS.bits))
    whole, log_predictive = observe(CLASS, belief, symbols)
    for t, symbol in enumerate(symbols):
        np.testing.assert_allclose(predict(CLASS, belief)[0], log_predictive[t], atol=1e-10)
        belief, _ = observe(CLASS, belief, np.array([symbol], np.uint8))
    np.testing.assert_allclose(belief.log_weights, whole.log_weights, atol=1e-10)


def test_a_hopeless_program_comes_back_when_the_others_are_refuted() -> None:
    """After 5000 zeros the die has a weight of 2^-5000; a one refutes its only rival."""
    table = tabulate([parse_machine("A 0 A A"), parse_machine("A 1/2 A A")])
    after, log_predictive = observe(
        table, first_belief(table, prior(table.bits)), np.array([0] * 5000 + [1, 1], np.uint8)
    )
    assert log_predictive[5000, 1] == pytest.approx(-5001 * math.log(2))
    assert np.exp(log_predictive[5001]) == pytest.approx([0.5, 0.5])
    assert np.exp(normalised(after.log_weights)).tolist() == [0, 1]


def test_mass_is_missing_where_machines_halt() -> None:
    table = tabulate([parse_machine("A halt A A"), parse_machine("A 1/4 A A")])
    belief = first_belief(table, prior(table.bits))
    assert np.exp(predict(table, belief)[0]) == pytest.approx([0.375, 0.125])
    gone, log_predictive = observe(
        tabulate([parse_machine("A 0 A A")]),
        first_belief(tabulate([parse_machine("A 0 A A")]), np.zeros(1)),
        np.array([1, 0], np.uint8),
    )
    assert np.isneginf(gone.log_weights).all()
    assert np.isneginf(log_predictive[1]).all()


def test_what_is_no_evidence_moves_states_alone() -> None:
    table = tabulate([parse_machine("A 0 B A; B 1 B B")])
    belief = move_on(table, first_belief(table, np.zeros(1)), 0)
    assert (belief.states.tolist(), belief.log_weights.tolist()) == ([1], [0])


def test_samples_follow_the_machine() -> None:
    machine = parse_machine("A 1/8 B B; B 3/4 A A")
    symbols = sample(machine, 20_000, 3)
    assert symbols[0::2].mean() == pytest.approx(1 / 8, abs=0.01)
    assert symbols[1::2].mean() == pytest.approx(3 / 4, abs=0.015)
    assert state_after(machine, symbols[:3]) == 1
    assert sample(parse_machine("A 0 B B; B halt A A"), 5, 0).tolist() == [0]
    assert sample(machine, 4, 0, forced=np.array([1, 0, 1, 0])).tolist() == [1, 0, 1, 0]


def test_the_prior_is_two_to_the_minus_length() -> None:
    weights = np.exp(prior(np.array([5, 5, 6])))
    assert weights == pytest.approx([0.4, 0.4, 0.2])
    assert sum(Fraction(1, 2**n) for n in (5, 5, 6)) == Fraction(5, 64)
