"""Theorem 2 end to end, on few trees."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.plumbing.style import styled
from kl_derail.theory.statements import thm2
from kl_derail.theory.sweep import CASES, sweep


@pytest.fixture(scope="module")
def result() -> thm2.Thm2Result:
    return thm2.run(thm2.Options(trees=6))


def test_the_counterexample_to_the_naive_reading(result: thm2.Thm2Result) -> None:
    tvd = {row.sequence: row.tvd for row in result.rows}
    assert tvd == pytest.approx({"A good": 0.27, "A med": 0.27, "A bad": 0.26, "B": 0.2})
    (med,) = [each for each in result.conditionals if each.action == "med"]
    assert (med.after, med.best) == ("A", False)
    assert (med.base, med.tvd) == pytest.approx((0.3, 0.3375))


def test_kl_raises_more_than_the_best(result: thm2.Thm2Result) -> None:
    base, kl = (np.array([getattr(row, name) for row in result.rows]) for name in ("base", "kl"))
    assert (kl > base).tolist() == [True, True, False, True]
    assert kl @ np.log(kl / base) == pytest.approx(result.nats)
    tvd = np.array([row.tvd for row in result.rows])
    assert tvd @ np.log(tvd / base) == pytest.approx(result.nats)


def test_what_holds_on_random_trees(result: thm2.Thm2Result) -> None:
    assert result.holds
    counts = {(row.divergence, row.observations): row for row in result.sweep}
    assert list(counts) == list(CASES)
    for case, row in counts.items():
        if case[0] == "tvd":
            assert row.first == row.action == 0
    assert counts["tvd", "open_loop"].sequence > 0
    assert counts["tvd", "adaptive"].conditional > 0
    assert counts["kl", "determined"].first > 0
    gap, rise = result.points["tvd"]
    assert rise[gap > 1e-6].max() <= 1e-9
    assert rise[gap <= 1e-6].min() >= 0


def test_the_same_seed_gives_the_same_trees() -> None:
    first, second = (sweep((2, 2, 2), 1, 3) for _ in range(2))
    assert [each[0].raised for each in first.values()] == [
        each[0].raised for each in second.values()
    ]


def test_a_figure(result: thm2.Thm2Result) -> None:
    with styled():
        figure = thm2.draw(result)
    assert [len(axes.patches) for axes in figure.axes[:2]] == [12, 9]
    assert len(figure.axes[3].texts) == len(CASES) * 4


def test_help_can_be_the_best() -> None:
    options = thm2.Options(base=[0.2, 0.2, 0.3, 0.1], help_value=2.0, nats=0.1, trees=1)
    found = thm2.run(options)
    assert found.nats == 0.1
    assert found.rows[-1].tvd == pytest.approx(0.3)
    assert [row.best for row in found.rows] == [False, False, False, False, True]


def test_no_nats_follow_from_what_the_base_never_does() -> None:
    with pytest.raises(UserError, match="nats"):
        thm2.run(thm2.Options(base=[0.3, 0.3, 0.4, 0.0], trees=1))
