"""Sampling against a loop over the distribution function, and its random streams."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from kl_derail.chat import sample_tokens, stream, uniforms

NEARLY_ONE = math.nextafter(1.0, 0.0)

weights = st.one_of(
    st.just(-math.inf), st.floats(-120, 0, width=32), st.sampled_from([0.0, -50.0, -103.0, -110.0])
)
rows = st.lists(weights, min_size=1, max_size=12).filter(lambda row: max(row) > -80)
levels = st.floats(0, 1, exclude_max=True) | st.sampled_from([0.0, NEARLY_ONE, 0.5, 5e-324])


def inverted(probabilities: list[float], uniform: float) -> int:
    """The first token at which the distribution function passes the level."""
    total, level, passed = 0.0, 0.0, -1
    for probability in probabilities:
        total += probability
    for token, probability in enumerate(probabilities):
        level += probability
        if level > uniform * total:
            passed = token
            break
    return passed


@settings(max_examples=250)
@given(rows, levels)
def test_inverts_the_distribution_function(row: list[float], uniform: float) -> None:
    log_probs = torch.tensor([row])
    (token,) = sample_tokens(log_probs, torch.tensor([uniform], dtype=torch.float64)).tolist()
    probabilities = log_probs[0].exp().tolist()
    assert token == inverted(probabilities, uniform)
    assert probabilities[token] > 0


@pytest.mark.parametrize("uniform", [0.0, 0.3, NEARLY_ONE])
@pytest.mark.parametrize("token", [0, 3, 6])
def test_a_point_mass(token: int, uniform: float) -> None:
    log_probs = torch.full((1, 7), -math.inf)
    log_probs[0, token] = 0.0
    assert sample_tokens(log_probs, torch.tensor([uniform], dtype=torch.float64)).tolist() == [
        token
    ]


def test_frequencies() -> None:
    probabilities = torch.tensor([0.4, 0.0, 0.3, 0.2, 0.0999, 0.0001])
    draws = 40_000
    uniform = torch.from_numpy(stream(11).random(draws))
    tokens = sample_tokens(probabilities.log().expand(draws, -1), uniform)
    counts = torch.bincount(tokens, minlength=6)
    possible = probabilities > 0
    assert int(counts[~possible].sum()) == 0
    assert (
        chisquare(
            counts[possible],
            probabilities[possible].double() * draws / probabilities.double().sum(),
        ).pvalue
        > 0.01
    )


def test_each_row_uses_its_own_number() -> None:
    log_probs = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]]).log()
    assert sample_tokens(log_probs, torch.tensor([0.1, 0.7, 0.7]).double()).tolist() == [0, 1, 0]


def test_streams_depend_on_the_key_alone() -> None:
    together = uniforms(3, 7, range(8), 20)
    assert together.shape == (20, 8)
    assert (together >= 0).all()
    assert (together < 1).all()
    np.testing.assert_array_equal(together[:, 5:6], uniforms(3, 7, range(5, 6), 20))
    np.testing.assert_array_equal(together[:12], uniforms(3, 7, range(8), 12))
    np.testing.assert_array_equal(together[:, 5], stream(3, 7, 5).random(20))


def test_different_keys_are_different_streams() -> None:
    keys = [(a, b, c) for a in range(4) for b in (-2, -1, 0, 1) for c in range(4)]
    assert len({float(stream(*key).random()) for key in keys}) == len(keys)


def test_the_numbers_are_pinned() -> None:
    """A change here changes every run that is resumed."""
    assert stream(0, 0, 0).random(3).tolist() == pytest.approx(
        [0.014067035665647709, 0.2577672456246177, 0.47156538101528966], abs=0
    )
