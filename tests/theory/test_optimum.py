"""Optima against closed forms, a general solver, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog, minimize

from kl_derail.theory.constraints import Divergence, Observer, divergence, kl
from kl_derail.theory.optimum import moved, optimum, soft_optimum, tilted
from kl_derail.theory.sweep import endings_of
from kl_derail.theory.trees import (
    Floats,
    Tree,
    best_values,
    outcomes,
    random_policy,
    random_tree,
    value,
)
from tests.theory import brute

FEW = settings(max_examples=12)
OBSERVERS: tuple[Observer, ...] = ("open_loop", "adaptive", "average")
KINDS: tuple[Divergence, ...] = ("tvd", "kl")
seeds = st.integers(0, 10**6)
budgets = st.floats(0.005, 2)


def bandit(seed: int, size: int = 6) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(size)), rng.random(size)


@given(seeds, budgets)
def test_two_arms_by_bisection(seed: int, budget: float) -> None:
    base, utility = bandit(seed, 2)
    best = int(utility.argmax())

    def excess(p: float) -> float:
        return kl(np.array([p, 1 - p]), np.array([base[best], 1 - base[best]])) - budget

    expected = 1.0 if excess(1.0) <= 0 else brentq(excess, base[best], 1.0, xtol=1e-15)
    assert tilted(base, utility, budget)[best] == pytest.approx(expected, abs=1e-10)


@given(seeds, budgets)
def test_a_tilt_spends_the_budget_and_no_more(seed: int, budget: float) -> None:
    base, utility = bandit(seed)
    found = tilted(base, utility, budget)
    spent = min(budget, -np.log(base[utility.argmax()]))
    assert kl(found, base) == pytest.approx(spent, abs=1e-10)
    if budget < spent + 1e-12 and found.min() > 0:
        log_ratio = np.log(found / base)
        slope = np.ptp(log_ratio) / np.ptp(utility)  # linear in the utility
        assert log_ratio - slope * utility == pytest.approx(
            (log_ratio - slope * utility)[0], abs=1e-7
        )


def test_a_tilt_stays_where_the_base_is() -> None:
    base, utility = np.array([0.5, 0.5, 0.0]), np.array([0.0, 1.0, 2.0])
    assert tilted(base, utility, 1.0).tolist() == [0, 1, 0]
    np.testing.assert_allclose(tilted(base, utility, 0.0), base, atol=1e-9)


@given(seeds, st.floats(1e-4, 1))  # its solver does not see less than 1e-7
def test_moved_is_the_linear_programme(seed: int, budget: float) -> None:
    base, utility = bandit(seed)
    # x = base + up - down
    sums = np.concatenate([np.ones(6), -np.ones(6)])
    found = linprog(
        np.concatenate([-utility, utility]),
        A_ub=[np.abs(sums) / 2],
        b_ub=[budget],
        A_eq=[sums],
        b_eq=[0],
        bounds=[(0, None)] * 6 + [(0, each) for each in base],
    )
    mass = moved(base, utility, budget)
    assert mass.sum() == pytest.approx(1)
    assert mass.min() >= -1e-15
    assert mass @ utility == pytest.approx(base @ utility - found.fun, abs=1e-9)


def test_moved_by_hand() -> None:
    base, utility = np.array([0.27, 0.27, 0.36, 0.1]), np.array([0.5, 0.4, 0.0, 1.0])
    assert moved(base, utility, 0.1) == pytest.approx([0.27, 0.27, 0.26, 0.2])
    assert moved(base, utility, 0.5) == pytest.approx([0.27, 0.13, 0, 0.6])
    assert moved(base, utility, 1.0) == pytest.approx([0, 0, 0, 1])


@given(seeds, st.booleans(), st.floats(0.01, 0.8))
@FEW
def test_determined_observations_are_a_bandit_over_sequences(
    seed: int, asks: bool, budget: float
) -> None:
    tree = random_tree(np.random.default_rng(seed), (3, 1, 2), asks=asks)
    base, utility = endings_of(tree)
    assert base @ utility == pytest.approx(value(tree, tree.base))
    for observer in OBSERVERS:
        linear = optimum(tree, "tvd", observer, budget).value
        assert linear == pytest.approx(moved(base, utility, budget) @ utility, abs=1e-9)
        conic = optimum(tree, "kl", observer, budget).value
        assert conic == pytest.approx(tilted(base, utility, budget) @ utility, abs=1e-6)
    soft = soft_optimum(tree, budget).value
    assert soft == pytest.approx(tilted(base, utility, budget) @ utility, abs=1e-10)


@given(st.sampled_from([(3, 2, 1), (2, 2, 2), (3, 2, 2), (2, 2, 3)]), seeds, st.booleans(), budgets)
@example((3, 2, 2), 5386, True, 2.0)  # the root of the spending lay 2e-10 above the budget
@FEW
def test_one_multiplier_where_kl_is_averaged(
    shape: tuple[int, int, int], seed: int, asks: bool, budget: float
) -> None:
    tree = random_tree(np.random.default_rng(seed), shape, asks=asks)
    soft, conic = soft_optimum(tree, budget), optimum(tree, "kl", "average", budget)
    assert soft.value == pytest.approx(conic.value, abs=1e-6)
    assert divergence("kl", "average", soft.policy, tree) <= budget + 1e-10


@given(
    st.sampled_from([(3, 2, 2), (2, 3, 2), (2, 2, 3)]), seeds, st.booleans(), st.floats(0.01, 0.8)
)
@FEW
def test_budgets_are_kept_and_stricter_constraints_are_worth_less(
    shape: tuple[int, int, int], seed: int, asks: bool, budget: float
) -> None:
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, shape, asks=asks)
    for kind in KINDS:
        found = {each: optimum(tree, kind, each, budget) for each in OBSERVERS}
        for observer, best in found.items():
            assert divergence(kind, observer, best.policy, tree) <= budget + 1e-12
            assert best.value == pytest.approx(brute.value(tree, best.policy), abs=1e-12)
        for observer in ("open_loop", "average"):
            assert found["adaptive"].value <= found[observer].value + 1e-6


@pytest.mark.parametrize("observer", ["open_loop", "adaptive"])
def test_a_general_solver_finds_the_same(observer: Observer) -> None:
    """SLSQP over logits, its constraints from loops over all observers."""
    tree, budget = random_tree(np.random.default_rng(8), (2, 2, 2), asks=True), 0.2
    listed = brute.open_loop_observers if observer == "open_loop" else brute.adaptive_observers
    observers = list(listed(tree))

    def policy(logits: Floats) -> list[Floats]:
        weights = np.exp(logits.reshape(5, 3))
        rows = (weights / weights.sum(axis=1, keepdims=True))[:, :2]
        return [rows[:1], rows[1:]]

    start = np.log(np.concatenate([outcomes(rows) for rows in tree.base])).ravel()
    found = minimize(
        lambda logits: -brute.value(tree, policy(logits)),
        start,
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda logits: [
                budget - brute.kl(policy(logits), tree.base, each) for each in observers
            ],
        },
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assert optimum(tree, "kl", observer, budget).value == pytest.approx(-found.fun, abs=1e-6)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_no_budget_and_more_than_enough(observer: Observer) -> None:
    tree = random_tree(np.random.default_rng(9), (2, 2, 2), asks=True)
    best = best_values(tree)[0].max()
    for kind in KINDS:
        nothing = optimum(tree, kind, observer, 0.0).value
        assert nothing == pytest.approx(value(tree, tree.base), abs=1e-9)
    assert optimum(tree, "tvd", observer, 1.0).value == pytest.approx(best, abs=1e-9)
    assert optimum(tree, "kl", observer, 50.0).value == pytest.approx(best, abs=1e-6)
    assert soft_optimum(tree, 50.0).value == pytest.approx(best, abs=1e-10)


@given(seeds)
@FEW
def test_kl_stays_where_the_base_is(seed: int) -> None:
    """A base that never does one thing, and a random policy that keeps the budget, is worth no more."""
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, (3, 2, 2), asks=False)
    base = [rows * [1, 1, 0] / rows[:, :2].sum(axis=1, keepdims=True) for rows in tree.base]
    tree = Tree(base, tree.world, tree.utility, tree.help_utility)
    best = optimum(tree, "kl", "adaptive", 0.3)
    assert all(np.all(rows[:, 2] == 0) for rows in best.policy)
    other = random_policy(rng, (2, 2, 2), asks=False)
    share = 0.3
    mixed = [
        (1 - share) * rows + share * np.resize(np.pad(drawn, ((0, 0), (0, 1))), rows.shape)
        for rows, drawn in zip(base, other, strict=True)
    ]
    if divergence("kl", "adaptive", mixed, tree) <= 0.3:
        assert value(tree, mixed) <= best.value + 1e-6
