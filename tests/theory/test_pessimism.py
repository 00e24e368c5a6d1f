"""The set of top models, the minimum over it, and what they promise."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.theory.constraints import kl
from kl_derail.theory.mixture import first_belief, observe, prior
from kl_derail.theory.pessimism import apprentice, pessimistic, pointwise_minimum, top_set
from kl_derail.theory.programs.machine import LEVELS, parse_machine
from kl_derail.theory.programs.table import enumerate_machines
from kl_derail.theory.random_imitators import random_cases
from kl_derail.theory.statements.pessimism import risk_bound

CLASS = enumerate_machines(13, 2)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any), st.integers(1, 16))
def test_the_set_is_the_smallest_of_top_models(weights: list[int], sixteenths: int) -> None:
    alpha = sixteenths / 16
    with np.errstate(divide="ignore"):
        held = top_set(np.log(np.array(weights, float)) - 700, alpha)
    order = sorted(range(len(weights)), key=lambda i: (-weights[i], i))
    masses = [
        Fraction(sum(weights[i] for i in order[:n]), sum(weights)) for n in range(len(order) + 1)
    ]
    wanted = Fraction(sixteenths, 16)
    if any(mass == wanted for mass in masses[1:-1]):
        return  # a tie that rounding decides
    least = next(n for n, mass in enumerate(masses) if mass >= wanted)
    assert set(np.flatnonzero(held)) == set(order[:least])


def test_ties_go_to_the_lower_index_and_nothing_small_is_lost() -> None:
    assert top_set(np.log([0.25] * 4), 0.6).tolist() == [True, True, True, False]
    assert top_set(np.log([0.2, 0.8]), 1e-300).tolist() == [False, True]
    assert top_set(np.array([0.0, -900.0, -np.inf]), 1.0).tolist() == [True, True, False]
    assert top_set(np.array([0.0, -900.0, -np.inf]), 0.999).tolist() == [True, False, False]


def test_the_minimum_is_over_the_set_alone() -> None:
    models = np.array([[0.5, 0.5], [0.9, 0.05], [0.0, 1.0]])
    assert pointwise_minimum(models, np.array([True, True, False])).tolist() == [0.5, 0.05]


def test_a_class_of_machines_is_no_other_thing() -> None:
    word = np.array([0, 1, 0, 0], np.uint8)
    belief, _ = observe(CLASS, first_belief(CLASS, prior(CLASS.bits)), word)
    rows = np.arange(len(CLASS.bits))
    said = LEVELS[CLASS.emissions[rows, belief.states]]
    naive = pointwise_minimum(said, top_set(belief.log_weights, 0.8))
    assert pessimistic(CLASS, belief, 0.8).tolist() == naive.tolist()


@pytest.mark.parametrize("shape", [(2, 2, 2), (5, 3, 3), (8, 2, 4)])
def test_the_inequality_holds(shape: tuple[int, int, int]) -> None:
    """More than 10 000 cases in all, and cases in which the two sides differ."""
    rng, kept = np.random.default_rng(7), 0
    while kept < 4000:
        cases = random_cases(rng, 4000, shape)
        kept += len(cases.trusted)
        assert (cases.pessimistic - cases.trusted).min() >= -1e-12
        assert (cases.pessimistic - cases.trusted > 0.1).mean() > 0.1
        assert (cases.trusted > -1e-12).all()


def test_it_fails_where_mu_is_outside() -> None:
    """By hand, and in random cases: infinite where pi does what mu never does."""
    models = np.array([[0.9, 0.1], [0.5, 0.5]])
    minimum = pointwise_minimum(models, top_set(np.log([0.05, 0.95]), 0.9))
    assert kl(models[1], minimum) == 0
    assert kl(models[1], models[0]) == pytest.approx(0.5 * math.log(25 / 9))
    cases = random_cases(np.random.default_rng(0), 2000, (5, 3, 3), keep_inside=False)
    assert not np.isnan(cases.trusted).any()
    assert np.isfinite(cases.pessimistic).all()
    gaps = cases.trusted - cases.pessimistic
    assert 0.1 < (gaps > 1e-9).mean() < 0.9
    assert np.isinf(gaps).any()


def test_asking_becomes_rare_and_the_demonstrator_is_never_outdone() -> None:
    trusted = parse_machine("A 1/2 A B; B 7/8 A A")
    found = apprentice(CLASS, prior(CLASS.bits), trusted, 0.99999, 400, 0)
    assert found.asking[0] > 0.5
    assert found.asking[200:].mean() < 0.1 * found.asking[:20].mean()
    assert found.within.all()


def test_a_small_alpha_asks_less_and_loses_the_demonstrator() -> None:
    trusted = parse_machine("A 1/8 B B; B 1/4 A A")
    bold, shy = (apprentice(CLASS, prior(CLASS.bits), trusted, a, 200, 0) for a in (0.5, 0.99999))
    assert bold.asking.sum() < shy.asking.sum()
    assert shy.within.all()
    assert not bold.within.all()


def test_the_risk_that_the_truth_leaves_the_set() -> None:
    """Simulated: coins of 1/4 and 3/4, the truth has a prior of 0.2."""
    rng, ever = np.random.default_rng(0), 0
    flips = rng.random((2000, 60)) < 0.25
    steps = np.where(flips, math.log(3), -math.log(3)).cumsum(axis=1)  # rival / truth
    posterior = 1 / (1 + 4 * np.exp(steps))
    ever = (posterior <= 0.02).any(axis=1).mean()
    assert 0 < ever <= risk_bound(0.98, math.log(0.2))
    assert risk_bound(0.5, math.log(0.1)) == 1
