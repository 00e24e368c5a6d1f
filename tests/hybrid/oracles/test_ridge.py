from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid.oracles.ridge import Ridge

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("ridge", [1.0, 0.25])
def test_one_by_one_equals_dense_algebra(ridge: float) -> None:
    phi, rewards = RNG.standard_normal((60, 4)), RNG.standard_normal(60)
    model = Ridge(4, ridge, resolve_every=25)
    for x, r in zip(phi, rewards, strict=True):
        model.update(x, r)
    moment = ridge * np.eye(4) + phi.T @ phi
    np.testing.assert_allclose(model.moment, moment, atol=1e-9)
    np.testing.assert_allclose(model.theta, np.linalg.solve(moment, phi.T @ rewards), atol=1e-9)
    norms = np.sqrt([x @ np.linalg.solve(moment, x) for x in phi])
    np.testing.assert_allclose(model.norms(phi.T), norms, atol=1e-9)
    expected = np.log(np.linalg.det(moment) / ridge**4)
    assert model.log_det_ratio == pytest.approx(expected, abs=1e-9)


def test_all_at_once_equals_one_by_one() -> None:
    phi, rewards = RNG.standard_normal((60, 4)), RNG.standard_normal(60)
    one_by_one, at_once = Ridge(4), Ridge(4)
    for x, r in zip(phi, rewards, strict=True):
        one_by_one.update(x, r)
    at_once.update_all(phi[:40], rewards[:40])
    at_once.update_all(phi[40:], rewards[40:])
    np.testing.assert_allclose(at_once.theta, one_by_one.theta, atol=1e-9)
    np.testing.assert_allclose(at_once.inverse, one_by_one.inverse, atol=1e-9)


@pytest.mark.parametrize("seen", [0, 1_000_000])
def test_drift_stays_below_1e_8(seen: int) -> None:
    """Directions of very different lengths are the hard case; just before the exact solve it is worst."""
    phi = RNG.standard_normal((100_000, 10)) * np.logspace(0, -3, 10)
    model = Ridge(10)
    for _ in range(seen // len(phi)):
        model.update_all(phi, np.zeros(len(phi)))
    for x in phi[: 3 * model.resolve_every - 1]:
        model.update(x, 0.0)
    exact = np.linalg.inv(model.moment)
    assert np.abs(model.inverse - exact).max() < 1e-8 * np.abs(exact).max()
    assert not np.array_equal(model.inverse, exact)


def test_nothing_seen() -> None:
    model = Ridge(3, 4.0)
    np.testing.assert_array_equal(model.theta, np.zeros(3))
    np.testing.assert_array_equal(model.norms(np.eye(3)), np.full(3, 0.5))
    assert model.log_det_ratio == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("ridge", [0.0, -1.0, np.nan, np.inf])
def test_ridge_must_be_positive(ridge: float) -> None:
    with pytest.raises(UserError, match=f"^ridge: a finite number > 0 expected, found {ridge}$"):
        Ridge(2, ridge)
