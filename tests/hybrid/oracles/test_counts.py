from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.hybrid.environments.base import NO_STATE
from kl_derail.hybrid.oracles.counts import TransitionCounts

SHAPE = (2, 3, 2)
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), st.integers(NO_STATE, 2)),
    max_size=40,
)


def dense(steps: list[tuple[int, int, int, int]]) -> np.ndarray:
    counts = np.zeros((*SHAPE, 4))
    for h, s, a, following in steps:
        counts[h, s, a, following] += 1  # NO_STATE is the last column
    return counts


@given(STEPS, st.integers(0, 40), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_counts_equal_dense_ones(
    steps: list[tuple[int, int, int, int]], at_once: int, values: list[float]
) -> None:
    """However the steps come in, one by one or many at once."""
    found, truth = TransitionCounts(SHAPE), dense(steps)
    found.add_all(*(np.array(column, dtype=int) for column in _columns(steps[:at_once])))
    for step in steps[at_once:]:
        found.add(*step)
    np.testing.assert_array_equal(found.visits, truth.sum(axis=-1))
    shares = truth / np.maximum(truth.sum(axis=-1, keepdims=True), 1)
    spread = np.sqrt(shares * (1 - shares)).sum(axis=-1)
    for h in range(2):
        expected = shares[h, ..., :3] @ np.array(values)
        np.testing.assert_allclose(found.expectation(h, np.array(values)), expected, atol=1e-12)
        np.testing.assert_allclose(found.deviation(h), spread[h], atol=1e-7)


def _columns(steps: list[tuple[int, int, int, int]]) -> list[tuple[int, ...]]:
    return list(zip(*steps, strict=True)) or [()] * 4


def test_sums_run_in_ascending_order_of_next_states() -> None:
    """Bit by bit what a loop over next states gives: compiled code relies on it."""
    rng = np.random.default_rng(0)
    found, following = TransitionCounts((1, 30, 1)), rng.integers(0, 30, size=500)
    for next_state in following:
        found.add(0, 0, 0, int(next_state))
    values, counts, total = rng.random(30), np.bincount(following, minlength=30), 0.0
    for state in range(30):
        total += counts[state] / 500 * values[state]
    assert found.expectation(0, values)[0, 0] == total
