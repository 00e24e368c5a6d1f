"""Which questions are asked, and what their answers say about A and B."""

from __future__ import annotations

from collections import Counter

import pytest

from kl_derail.judge.judges import BETTER, COMPLEX, Answer, Choice
from kl_derail.judge.pairs import Comparison, Pair
from kl_derail.judge.plan import Asked, plan
from kl_derail.judge.verdicts import Verdict
from tests.judge.factories import chat, study

PAIR = Pair(3, chat("A says", "a"), chat("B says", "b"))


def test_both_orders_of_every_pair_quality_and_repeat() -> None:
    sets = [Comparison("x", [PAIR]), Comparison("y", [PAIR, PAIR._replace(number=4)])]
    asked = plan(sets, [BETTER, COMPLEX], both_orders=True, ties=True, repeats=2, seed=0)
    assert len(set(asked)) == len(asked) == 3 * 2 * 2 * 2
    assert Counter(each.comparison for each in asked) == {"x": 8, "y": 16}
    assert {(each.swapped, each.repeat) for each in asked} == {
        (s, r) for s in (0, 1) for r in (0, 1)
    }


def test_one_order_is_random_by_seed() -> None:
    orders = [
        [each.swapped for each in study(400, both_orders=False, seed=seed)] for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert len(orders[0]) == 400
    assert abs(sum(orders[0]) - 200) < 40


def test_one_order_is_the_same_for_all_qualities() -> None:
    sets = [Comparison("x", [PAIR._replace(number=number) for number in range(50)])]
    asked = plan(sets, [BETTER, COMPLEX], both_orders=False, ties=True, repeats=1, seed=0)
    orders = [
        {each.swapped for each in asked if each.pair.number == number} for number in range(50)
    ]
    assert all(len(each) == 1 for each in orders)


@pytest.mark.parametrize(
    ("choice", "swapped", "verdict"),
    [
        (Choice.FIRST, False, Verdict.A),
        (Choice.SECOND, False, Verdict.B),
        (Choice.FIRST, True, Verdict.B),
        (Choice.SECOND, True, Verdict.A),
        (Choice.TIE, False, Verdict.TIE),
        (Choice.TIE, True, Verdict.TIE),
        (None, False, Verdict.UNREADABLE),
        (None, True, Verdict.UNREADABLE),
    ],
)
def test_what_an_answer_says_about_a_and_b(
    choice: Choice | None, swapped: bool, verdict: Verdict
) -> None:
    asked = Asked("x", BETTER, PAIR, swapped, 1, True)
    assert asked.question.first == (PAIR.b if swapped else PAIR.a)
    assert asked.question.second == (PAIR.a if swapped else PAIR.b)
    assert asked.judgement(Answer(choice)) == ("x", BETTER, 3, swapped, 1, "a", "b", verdict)
