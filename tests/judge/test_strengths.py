"""Bradley-Terry against its closed form on a chain and its likelihood equations on a triangle."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest

from kl_derail.judge.statistics import readable, win
from kl_derail.judge.strengths import Strength, strengths
from kl_derail.judge.verdicts import Judgement
from tests.judge.judgements import answers


def won(comparison: str, wins: int, losses: int, *, apart: bool = True) -> list[Judgement]:
    """So many pairs, whose transcripts no other comparison uses unless not `apart`."""
    found = answers(["aa"] * wins + ["bb"] * losses, comparison=comparison)
    first, second = comparison.split(" vs ")
    mark = comparison if apart else ""
    return [
        each._replace(a=f"{mark}{first}{each.pair}", b=f"{mark}{second}{each.pair}")
        for each in found
    ]


def of(judgements: Sequence[Judgement]) -> dict[str, Strength]:
    found = strengths(judgements, seed=0, resamples=400)
    assert not isinstance(found, str)
    return {each.source: each for each in found}


def odds(wins: int, losses: int) -> float:
    """Log-odds with half a pair added on either side."""
    return math.log((wins + 0.5) / (losses + 0.5))


def test_a_chain_in_closed_form() -> None:
    found = of([*won("x vs y", 60, 40), *won("y vs z", 90, 10)])
    first, second = odds(60, 40), odds(90, 10)
    truth = {
        "x": (2 * first + second) / 3,
        "y": (second - first) / 3,
        "z": -(first + 2 * second) / 3,
    }
    assert {name: each.strength for name, each in found.items()} == pytest.approx(truth)
    assert list(found) == sorted(truth, key=lambda name: -truth[name])
    deviation = math.sqrt(4 / (100 * 0.6 * 0.4) + 1 / (100 * 0.9 * 0.1)) / 3  # delta method
    half = (found["x"].high - found["x"].low) / 2
    assert half == pytest.approx(1.96 * deviation, rel=0.12)
    assert found["x"].low < truth["x"] < found["x"].high
    assert found["x"].clusters == 200


def test_a_triangle_with_ties_solves_the_likelihood_equations() -> None:
    """At the maximum every source has won as much as its strength lets expect."""
    judgements = [
        *answers(["aa"] * 12 + ["ab"] * 5 + ["tt"] * 3, comparison="x vs y"),
        *answers(["aa"] * 3 + ["bb"] * 14 + ["at"] * 5, comparison="z vs x"),
        *answers(["aa"] * 9 + ["bb"] * 9 + ["?b"] * 2, comparison="y vs z"),
    ]
    found = {name: each.strength for name, each in of(judgements).items()}
    actual, expected = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0.0)
    for comparison in ("x vs y", "z vs x", "y vs z"):
        a, b = comparison.split(" vs ")
        scores: dict[int, list[float]] = {}
        for each in readable(judgements):
            if each.comparison == comparison:
                scores.setdefault(each.pair, []).append(win(each))
        total = sum(np.mean(each) for each in scores.values()) + 0.5
        count, chance = len(scores) + 1, 1 / (1 + math.exp(found[b] - found[a]))
        for name, own, share in ((a, total, chance), (b, count - total, 1 - chance)):
            actual[name] += own
            expected[name] += count * share
    assert actual == pytest.approx(expected, abs=1e-5)
    assert sum(found.values()) == pytest.approx(0, abs=1e-9)


def test_one_that_never_loses_is_strong_and_not_infinite() -> None:
    found = of([*won("x vs y", 100, 0), *won("y vs z", 0, 100)])
    assert found["x"].strength == pytest.approx(odds(100, 0) / 3)
    assert math.isfinite(found["z"].high)


def test_shared_transcripts_are_drawn_together() -> None:
    together = [*won("x vs y", 60, 40, apart=False), *won("x vs z", 60, 40, apart=False)]
    apart = [*won("x vs y", 60, 40), *won("x vs z", 60, 40)]
    assert of(together)["x"].clusters == 100
    assert of(apart)["x"].clusters == 200
    widths = [of(each)["x"].high - of(each)["x"].low for each in (together, apart)]
    assert widths[0] == pytest.approx(math.sqrt(2) * widths[1], rel=0.15)


def test_too_few_clusters_have_no_interval() -> None:
    found = of([*won("x vs y", 5, 4), *won("y vs z", 5, 5)])
    assert {each.clusters for each in found.values()} == {19}
    assert all(math.isnan(each.low) and math.isnan(each.high) for each in found.values())


@pytest.mark.parametrize(
    ("judgements", "words"),
    [
        ([*won("x vs y", 5, 5), *won("u vs v", 5, 5)], "nothing compares the sources of 'u vs v'"),
        (won("x vs y", 5, 5), "two comparisons"),
        ([*won("x vs y", 5, 5), *answers(["??"], comparison="y vs z")], "two comparisons"),
        (
            [*won("x vs y", 5, 5), *answers(["aa"], comparison="night")],
            "'night' does not name .*give --label",
        ),
        (
            [*won("x vs y", 5, 5), *answers(["aa"], comparison="a vs b vs c")],
            "'a vs b vs c' does not name",
        ),
        ([], "two comparisons"),
    ],
)
def test_no_strengths_say_why(judgements: list[Judgement], words: str) -> None:
    found = strengths(judgements, seed=0)
    assert isinstance(found, str)
    assert re.search(words, found)


def test_seeds() -> None:
    judgements = [*won("x vs y", 60, 40), *won("y vs z", 30, 40)]
    first, again, other = (strengths(judgements, seed=s, resamples=50) for s in (3, 3, 4))
    assert first == again != other
