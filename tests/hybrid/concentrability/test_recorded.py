"""Coverage of recorded episodes against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.hybrid.concentrability.recorded import (
    Reference,
    Visits,
    episode_prices,
    optimal_actions,
    reference_problem,
    sampled,
)

# Two states; action 0 of state 0 leads to state 1 three times of four, action 1 was never tried.
REFERENCE = Reference(
    successors=np.array([[[1, 0], [0, 0]], [[1, 0], [0, 0]]]),
    times=np.array([[[3, 1], [0, 0]], [[5, 0], [2, 0]]]),
    rewards=np.array([0.0, 1.0]),
    initial=np.array([1.0, 0.0]),
    discount=0.5,
)


def test_the_model_is_that_of_the_counts() -> None:
    asked = reference_problem(REFERENCE)
    # From state 0, v = 0.5 (0.25 v + 0.75 x 2), since state 1 is worth 1 / (1 - 0.5) = 2.
    best = asked.best(asked.rewards)
    assert np.vdot(best, asked.rewards) == pytest.approx(0.75 / (1 - 0.125))
    np.testing.assert_array_equal(optimal_actions(REFERENCE), [0, 0])


def test_what_was_never_tried_stays_where_it_is() -> None:
    asked = reference_problem(REFERENCE)
    np.testing.assert_allclose(asked.occupancy(np.array([1, 1])), [[0, 1], [0, 0]], atol=1e-12)


def test_prices_of_episodes_end_with_them() -> None:
    visits = Visits(
        np.array([[0, 1, 1], [0, 1, 0]]), np.array([[0, 0, 0], [0, 1, 1]]), np.array([3, 1])
    )
    data = np.array([[0.25, 0.0], [0.75, 0.0]])
    np.testing.assert_allclose(episode_prices(visits, data), [2 + 2 / np.sqrt(0.75), 2])
    longer = visits._replace(lengths=np.array([3, 2]))
    assert episode_prices(longer, data)[1] == np.inf


def test_mixtures_take_their_share_of_each_part() -> None:
    one, two = (
        Visits(np.full((4, 1), state), np.zeros((4, 1), np.int64), np.ones(4, np.int64))
        for state in (0, 1)
    )
    data = np.array([[0.25], [0.75]])
    for weight in (0.0, 0.5, 1.0):
        mean = (1 - weight) * 2 + weight / np.sqrt(0.75)
        assert sampled(one, (one, two), data, weight).estimate == pytest.approx((2 / mean) ** 2)
