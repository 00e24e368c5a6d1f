"""What arrays must be: finite, of the shape expected, rows that sum to one; and their fingerprint."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import numpy.typing as npt

from kl_derail.errors import UserError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROW_TOLERANCE = 1e-9
"""How far the sum of a distribution may lie from one."""


def finite(name: str, values: npt.ArrayLike, dimensions: int) -> Floats:
    """The values as a contiguous float64 array of so many dimensions, none of them empty.

    Raises:
        UserError: other dimensions, an empty one, values that are no finite numbers.
    """
    try:
        if np.iscomplexobj(values):
            raise TypeError("complex ones found")
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: expected an array of numbers ({error})") from error
    if array.ndim != dimensions or not array.size:
        raise UserError(f"{name}: {dimensions} non-empty dimensions expected, shape {array.shape}")
    if not np.isfinite(array).all():
        raise UserError(f"{name}: {np.sum(~np.isfinite(array))} values are not finite")
    return array


def check_shape(name: str, array: npt.NDArray[np.generic], expected: tuple[int, ...]) -> None:
    """UserError where the shape is another than expected."""
    if array.shape != expected:
        raise UserError(f"{name}: shape {expected} expected, found {array.shape}")


def check_rows(name: str, array: Floats) -> None:
    """UserError where rows along the last axis are no distributions (within ROW_TOLERANCE)."""
    if array.min() < 0:
        raise UserError(f"{name}: probabilities cannot be negative, found {array.min():.6g}")
    sums = array.sum(axis=-1)
    wrong = np.abs(sums - 1) > ROW_TOLERANCE
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise UserError(
            f"{name}: rows must sum to 1 within {ROW_TOLERANCE:g}; {wrong.sum()} of {wrong.size} do "
            f"not, the first at {first} with sum {float(sums[first]):.6g}"
        )


def check_count(name: str, count: object) -> None:
    """UserError where a number of episodes is negative or not of a type of whole numbers."""
    if not isinstance(count, int | np.integer) or count < 0:
        raise UserError(f"{name}: a whole number >= 0 expected, found {count!r}")


def check_number(name: str, value: object, expected: str, holds: Callable[[float], bool]) -> None:
    """UserError where a value is no finite real number, or not as expected."""
    if not (isinstance(value, Real) and math.isfinite(value) and holds(float(value))):
        raise UserError(f"{name}: {expected} expected, found {value!r}")


def check_delta(delta: object) -> None:
    """UserError where the probability of failure is not between 0 and 1."""
    check_number("delta", delta, "a number > 0 and < 1", lambda number: 0 < number < 1)


def check_not_negative(name: str, value: object) -> None:
    """UserError where a scale, a width or a bound is negative or not finite."""
    check_number(name, value, "a finite number >= 0", lambda number: number >= 0)


def fingerprint(kind: str, *arrays: npt.ArrayLike) -> str:
    """16 hexadecimal digits that tell environments apart: kind, shapes and every bit of the arrays.

    >>> fingerprint("a", [1.0]) == fingerprint("a", [1.0]) != fingerprint("b", [1.0])
    True
    """
    digest = hashlib.sha256(kind.encode())
    for values in arrays:
        array = np.ascontiguousarray(values, dtype="<f8")
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()[:16]
