"""The mixture that holds programs which refer to it, against its definition in fractions."""

import math

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.theory.constraints import kl_adaptive
from kl_derail.theory.foresight import adaptive_nats, best_value, foresee, nats_for_value
from kl_derail.theory.imitator import Imitator
from kl_derail.theory.optimum import optimum
from kl_derail.theory.planning import action_values, best_action, given
from kl_derail.theory.programs.machine import parse_machine
from kl_derail.theory.programs.switch import Switch, parse_program
from kl_derail.theory.programs.table import tabulate
from kl_derail.theory.programs.utilities import Utility
from kl_derail.theory.solving import SolverError
from kl_derail.theory.trees import random_policy, random_tree, value
from tests.theory.rational import RationalClass, words

MACHINES = [
    parse_machine(text)
    for text in ("A 1/2 A A", "A 1/8 A A", "A 0 B B; B 1/4 A A", "A 1/2 B C; B 0 A A; C 3/4 A A")
]
TEXTS = (
    "switch(mixture, observations 1 x1, observations 1 for 2 turns, surely)",
    "switch(mixture, turn 1, actions 1 for 1 turns, mostly)",
    "switch([A 0 B B; B 1/4 A A], observations 0 x1, actions 1 for 2 turns, mostly)",
    "switch([A 1/8 A A], actions 1 x2, observations 0 for 1 turns, surely)",
    "switch(mixture, turn 3, actions 0 for 1 turns, surely)",
)
SWITCHES = [each for each in map(parse_program, TEXTS) if isinstance(each, Switch)]


@pytest.fixture(scope="module")
def exact() -> RationalClass:
    return RationalClass([*MACHINES, *SWITCHES])


@pytest.mark.parametrize("length", [1, 3, 5, 6])
def test_agrees_with_the_definition(exact: RationalClass, length: int) -> None:
    for word in words(length)[::3]:
        imitator = Imitator(tabulate(MACHINES), SWITCHES)
        imitator.observe(word)
        xi = exact.xi(word)
        expected = [float(w * exact.nu(i, word) / xi) for i, w in enumerate(exact.prior)]
        found = np.exp(np.concatenate(imitator.log_posterior))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
        steps = [float(exact.xi((*word, symbol)) / xi) for symbol in (0, 1)]
        np.testing.assert_allclose(np.exp(imitator.predict()), steps, rtol=0, atol=1e-10)
        assert xi == sum(w * exact.nu(i, word) for i, w in enumerate(exact.prior))


def test_a_copy_goes_its_own_way() -> None:
    imitator = Imitator(tabulate(MACHINES), SWITCHES)
    imitator.observe([0, 1])
    before, other = imitator.predict(), imitator.copy()
    other.observe([1, 1, 0])
    assert imitator.chat.actions == b"\x00"
    np.testing.assert_array_equal(imitator.predict(), before)


def test_what_the_class_rules_out_is_refused() -> None:
    imitator = Imitator(tabulate([parse_machine("A 0 A A")]), [])
    imitator.observe([0])
    with pytest.raises(UserError, match="turn 1: no program of the class allows the observation 1"):
        imitator.observe([1])


def test_plans_are_those_of_enumeration(exact: RationalClass) -> None:
    for turns in (1, 2):
        for stream in ("actions", "observations"):
            utility = Utility(stream, 1, turns)  # type: ignore[arg-type]
            switch = Switch(None, SWITCHES[0].event, utility, "surely")
            for word in words(4)[::5]:
                imitator = Imitator(tabulate(MACHINES), SWITCHES)
                imitator.observe(word)
                heap = imitator.plan(turns)
                assert best_action(heap, utility) == exact.best(switch, word, 0)
                expected = [float(exact._after_action((*word, a), utility, turns)) for a in (0, 1)]
                np.testing.assert_allclose(action_values(heap, utility)[0][0], expected, atol=1e-10)


def test_given_is_even_where_nothing_can_be() -> None:
    logs = np.array([[-np.inf, -np.inf], [-3000.0, -3000.0 + math.log(3)]])
    np.testing.assert_allclose(given(logs), [[0.5, 0.5], [0.25, 0.75]])


def test_the_construction_pays_at_most_its_price() -> None:
    """And the mixture's tree gives each path the probability that the mixture gives it."""
    imitator = Imitator(tabulate(MACHINES), SWITCHES)
    imitator.observe([0, 0, 0, 1])
    price = -imitator.log_posterior[1][0]
    seen = foresee(imitator, SWITCHES[0].utility, 0)
    assert kl_adaptive(seen.policy, seen.tree.base) <= price
    walker = imitator.copy()
    walker.observe([1, 1])
    np.testing.assert_allclose(seen.tree.base[1][3], np.exp(walker.predict()))
    assert value(seen.tree, seen.policy) == pytest.approx(
        action_values(imitator.plan(2), SWITCHES[0].utility)[0].max(), abs=0.05
    )


@pytest.mark.parametrize("seed", range(4))
def test_least_nats_are_the_inverse_of_the_optimum(seed: int) -> None:
    tree = random_tree(np.random.default_rng(seed), (2, 2, 2), asks=False)
    logs, best = [np.log(rows) for rows in tree.base], optimum(tree, "kl", "adaptive", 0.3).value
    assert nats_for_value(tree, logs, best) == pytest.approx(0.3, abs=1e-4)
    assert nats_for_value(tree, logs, value(tree, tree.base)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(SolverError, match="infeasible"):
        nats_for_value(tree, logs, 2.0)


@pytest.mark.parametrize("seed", range(4))
def test_nats_of_a_policy_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy, base = (random_policy(rng, (2, 2, 2), asks=False) for _ in range(2))
    found = adaptive_nats(policy, [np.log(rows) for rows in base])
    assert found == pytest.approx(kl_adaptive(policy, base), abs=1e-12)


def test_a_base_below_the_range_of_floats_has_its_price() -> None:
    """After k zeros of a rival that says 1 in an eighth of the turns, a 1 costs k ln(8/7) + ln 8 + ln(w / w')."""
    machines, turns = [parse_machine("A 0 A A"), parse_machine("A 1/8 A A")], 4000
    imitator = Imitator(tabulate(machines), [])
    imitator.observe(np.zeros(2 * turns, np.uint8))
    seen = foresee(imitator, Utility("actions", 1, 1))
    price = 2 * turns * math.log(8 / 7) + math.log(8)
    assert seen.tree.base[0][0, 1] == 0 < price - 745
    assert best_value(seen) == pytest.approx(1)
    assert nats_for_value(seen.tree, seen.log_base, 1.0) == pytest.approx(price, rel=1e-6)


ENDS = ["A 0 B B; B 1/4 A A", "A 1/2 B C; B 1/2 A A; C halt A A", "A 1/2 A B; B halt A A"]


@pytest.mark.parametrize("machines", [ENDS[:1], ENDS[1:2], ENDS[2:], ENDS])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_planner_and_tree_agree_on_what_is_possible(machines: list[str], turns: int) -> None:
    """Where the class rules an action out, or halts after it, the optimiser reaches V* all the same."""
    new = f"switch(mixture, turn 2, actions 1 for {turns} turns, surely)"
    switches = [parse_program(text) for text in (new, TEXTS[1])]
    imitator = Imitator(tabulate([parse_machine(text) for text in machines]), switches)  # type: ignore[arg-type]
    imitator.observe([0, 0, 0, 0])
    seen = foresee(imitator, Utility("actions", 1, turns), 0)
    assert value(seen.tree, seen.policy) == pytest.approx(best_value(seen), abs=1e-12)
    price = -imitator.log_posterior[1][0]
    assert adaptive_nats(seen.policy, seen.log_base) <= price + 1e-9
