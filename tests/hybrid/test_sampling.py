from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from kl_derail.hybrid.sampling import cumulative, draw, uniform_noise


class Fixed:
    """A stream of one number."""

    def __init__(self, uniform: float) -> None:
        self.uniform = uniform

    def random(self) -> float:
        return self.uniform


LARGEST = float(np.nextafter(1, 0))


@given(
    st.lists(st.sampled_from([0.0, 1e-300, 0.1, 0.3, 1.0]), min_size=1, max_size=6).filter(any),
    st.sampled_from([0.0, 0.25, 0.5, LARGEST]) | st.floats(0, LARGEST),
)
@example([0.0, 1.0], 0.0)
@example([1.0, 1e-300, 0.0], LARGEST)
def test_what_is_impossible_is_never_drawn(weights: list[float], uniform: float) -> None:
    probabilities = np.array(weights) / sum(weights)
    found = draw(cumulative(probabilities), Fixed(uniform))
    assert probabilities[found] > 0


def test_frequencies_are_the_probabilities() -> None:
    probabilities = np.array([0.0, 0.2, 0.5, 0.0, 0.3])
    rng, table = np.random.default_rng(0), cumulative(probabilities)
    counts = np.bincount([draw(table, rng) for _ in range(20_000)], minlength=5)
    np.testing.assert_allclose(counts / 20_000, probabilities, atol=0.015)


def test_every_draw_takes_one_number() -> None:
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    draw(cumulative(np.array([0.5, 0.5])), rng)
    uniform_noise(0.0, rng)
    other.random(2)
    assert rng.random() == other.random()


def test_noise_is_uniform_between_its_ends() -> None:
    assert uniform_noise(2.0, Fixed(0.0)) == -2.0
    assert uniform_noise(2.0, Fixed(0.75)) == 1.0
