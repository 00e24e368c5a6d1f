import numpy as np
import pytest

from kl_derail.hybrid import sampling
from kl_derail.hybrid.compiled.kernels import draw


@pytest.mark.parametrize("uniform", [0.0, 0.2, 0.2499999, 0.25, 0.6, 0.999999, 1 - 2**-53])
def test_draws_as_the_reference_does(uniform):
    cumulative = sampling.cumulative(np.array([0.0, 0.25, 0.0, 0.35, 0.4, 0.0]))
    rows = np.stack([np.ones_like(cumulative), cumulative])
    expected = int(np.searchsorted(cumulative, uniform, side="right"))
    assert draw(rows, 1, uniform) == expected
    assert draw(rows, 0, uniform) == 0


def test_generators_give_compiled_code_the_same_stream():
    cumulative = np.linspace(0.01, 1, 100)[None]
    compiled, plain = np.random.default_rng(3), np.random.default_rng(3)
    drawn = [draw(cumulative, 0, compiled.random()) for _ in range(50)]
    assert drawn == [sampling.draw(cumulative[0], plain) for _ in range(50)]
