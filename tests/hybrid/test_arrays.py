from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays


def test_finite_gives_contiguous_float64() -> None:
    given = np.arange(6, dtype=np.int32).reshape(2, 3).T
    found = arrays.finite("x", given, 2)
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [np.nan]], "1 values are not finite"),
        ([1.0], "2 non-empty dimensions"),
        (np.zeros((0, 2)), "2 non-empty dimensions"),
        ([[1.0], [1.0, 2.0]], "expected an array of numbers"),
        ([["a"]], "expected an array of numbers"),
        ([[1 + 0j]], r"expected an array of numbers \(complex"),
    ],
)
def test_finite_refuses(values: object, message: str) -> None:
    with pytest.raises(UserError, match=f"^x: .*{message}"):
        arrays.finite("x", values, 2)


def test_rows_are_checked_to_1e_9() -> None:
    row = np.array([[0.5, 0.5], [0.5, 0.5 + 5e-10]])
    arrays.check_rows("p", row)
    row[1, 1] += 1e-9
    with pytest.raises(UserError, match=r"1 of 2 do not, the first at \(1,\) with sum 1"):
        arrays.check_rows("p", row)


def test_negative_probabilities_are_refused_even_if_rows_sum_to_one() -> None:
    with pytest.raises(UserError, match=r"cannot be negative, found -0\.5"):
        arrays.check_rows("p", np.array([1.5, -0.5]))


@pytest.mark.parametrize("count", [-1, 2.5, 2.0, np.nan, np.inf, "3", None])
def test_counts_are_whole_and_not_negative(count: Any) -> None:
    with pytest.raises(UserError, match=rf"^N0: a whole number >= 0 expected, found {count!r}$"):
        arrays.check_count("N0", count)


@pytest.mark.parametrize("count", [0, 3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_any_type_are_counts(count: int) -> None:
    arrays.check_count("N0", count)


@pytest.mark.parametrize("delta", [0.0, 1.0, 2.0, -0.1, np.nan, np.inf, "0.1", None, 0.1j])
def test_failure_probabilities_lie_between_0_and_1(delta: Any) -> None:
    with pytest.raises(UserError, match=r"^delta: a number > 0 and < 1 expected, found "):
        arrays.check_delta(delta)
    arrays.check_delta(np.float32(0.1))


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf, "1", None])
def test_scales_are_finite_and_not_negative(value: Any) -> None:
    with pytest.raises(UserError, match=r"^scale: a finite number >= 0 expected, found "):
        arrays.check_not_negative("scale", value)
    arrays.check_not_negative("scale", 0)


def test_fingerprint_sees_kind_shape_and_last_bit() -> None:
    values = np.array([0.1, 0.2])
    found = {
        arrays.fingerprint("a", values),
        arrays.fingerprint("b", values),
        arrays.fingerprint("a", values[None]),
        arrays.fingerprint("a", np.nextafter(values, 1)),
    }
    assert len(found) == 4
    assert arrays.fingerprint("a", np.asfortranarray(values)) in found
