"""Starting a behaviour sometimes, against enumeration of what the policy does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.pricing import start_budget, start_cost

probability = st.floats(0.001, 0.999)


@given(probability, probability, st.floats(0, 30))
def test_the_closed_form(p: float, q: float, more: float) -> None:
    truth = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)) + p * more
    assert float(start_cost(p, q, more)) == pytest.approx(truth, abs=1e-12)


def test_it_is_the_kl_of_whole_trajectories() -> None:
    """Base: start with 0.2, then one of two continuations; otherwise one of three others."""
    base = np.array([0.2 * 0.3, 0.2 * 0.7, 0.8 * 0.5, 0.8 * 0.25, 0.8 * 0.25])
    policy = np.array([0.6 * 1.0, 0.0, 0.4 * 0.5, 0.4 * 0.25, 0.4 * 0.25])
    said = policy > 0
    truth = float((policy[said] * np.log(policy[said] / base[said])).sum())
    assert float(start_cost(0.6, 0.2, -math.log(0.3))) == pytest.approx(truth)


def test_the_ends() -> None:
    assert float(start_cost(1, 0.01, 2)) == pytest.approx(-math.log(0.01) + 2)
    assert float(start_cost(0, 0.01, 2)) == pytest.approx(-math.log(0.99))
    assert float(start_cost(0.3, 0.3)) == 0
    assert float(start_cost(0.1, 0)) == math.inf
    assert float(start_cost(0, 0)) == 0


@given(st.floats(1e-12, 0.5), st.floats(0, 20))
def test_it_rises_from_the_bases_own_probability_on(q: float, more: float) -> None:
    costs = start_cost(np.linspace(q, 1, 50), q, more)
    assert (np.diff(costs) > -1e-12).all()


@given(probability, probability, st.floats(0, 30))
def test_a_chat_that_starts_pays_for_all_that_follows(p: float, q: float, more: float) -> None:
    truth = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)) + more
    assert float(start_budget(p, q, more)) == pytest.approx(truth, abs=1e-12)
    assert float(start_budget(p, q, more)) >= float(start_cost(p, q, more)) - 1e-12


@given(probability, st.floats(0, 30))
def test_who_surely_starts_pays_the_price(q: float, more: float) -> None:
    assert float(start_budget(1, q, more)) == float(start_cost(1, q, more))


def test_it_broadcasts() -> None:
    found = start_cost([[0.2], [1.0]], [0.1, 0.2, 0.3], 1.0)
    assert found.shape == (2, 3)
    assert found.dtype == np.float64


@pytest.mark.parametrize(("p", "q"), [(1.1, 0.5), (0.5, -0.1), (0.5, 2.0)])
def test_probabilities_only(p: float, q: float) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        start_cost(p, q)
    with pytest.raises(ValueError, match="probabilities"):
        start_budget(p, q)
