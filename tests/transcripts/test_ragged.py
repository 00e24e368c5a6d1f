"""Ragged rows: candidates where they were recorded, nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.transcripts import Ragged


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6))
def test_rows_come_back(rows: list[list[int]]) -> None:
    ragged = Ragged.from_rows(rows)
    assert ragged.tolist() == rows
    assert len(ragged) == len(rows)
    assert [row.tolist() for row in ragged] == rows


def test_rows_of_any_kind() -> None:
    mixed = Ragged.from_rows([np.array([1, 2]), [], (3,)])
    assert mixed.tolist() == [[1, 2], [], [3]]


def test_from_an_array() -> None:
    assert Ragged.from_rows(np.array([[1, 2], [3, 4]])).tolist() == [[1, 2], [3, 4]]


def test_scatter_fills_the_marked_rows_only() -> None:
    found = Ragged.scatter(np.array([[1, 2], [3, 4]]), np.array([True, False, True]))
    assert found.tolist() == [[1, 2], [], [3, 4]]


def test_scatter_with_no_candidates() -> None:
    assert Ragged.scatter(np.zeros((2, 0)), np.array([True, True])).tolist() == [[], []]


def test_scatter_refuses_another_number_of_rows() -> None:
    with pytest.raises(ValueError, match="needs \\[1 marked tokens, k\\]"):
        Ragged.scatter(np.zeros((2, 3)), np.array([True, False]))


def test_index_from_the_end_and_out_of_range() -> None:
    ragged = Ragged.from_rows([[1], [2, 3]])
    assert ragged[-1].tolist() == [2, 3]
    with pytest.raises(IndexError):
        ragged[2]


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 2, 1, 2], [0, 1]])
def test_offsets_must_cover_the_values(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets must rise from 0 to 2"):
        Ragged(np.zeros(2), np.array(offsets, np.int32))
