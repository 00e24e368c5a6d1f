"""Columns survive packing to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kl_derail.inspect.page.packing import layout, pack
from tests.inspect.page.reading import unpack

DTYPES = ("float64", "float32", "int64", "int32", "int16", "int8", "uint8")


@given(
    st.lists(
        st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, st.integers(0, 9))), max_size=6
    )
)
def test_every_bit_survives(values: list[np.ndarray]) -> None:
    columns = {f"c{number}": each for number, each in enumerate(values)}
    found = unpack({"layout": layout(columns), "packed": pack(columns)})
    assert list(found) == list(columns)
    for name, each in columns.items():
        assert found[name].dtype == each.dtype
        assert found[name].tobytes() == each.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_do_not_depend_on_the_machine(order: str) -> None:
    columns = {"a": np.array([1.5, -0.0, np.nan, np.inf], f"{order}f8")}
    found = unpack({"layout": layout(columns), "packed": pack(columns)})["a"]
    np.testing.assert_array_equal(found, [1.5, 0.0, np.nan, np.inf])
    assert np.signbit(found[1])


def test_bools_are_bytes() -> None:
    columns = {"a": np.array([True, False, True])}
    found = unpack({"layout": layout(columns), "packed": pack(columns)})["a"]
    assert found.dtype == np.uint8
    assert found.tolist() == [1, 0, 1]


def test_it_is_base64() -> None:
    assert set(pack({"a": np.arange(99)})) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    )
