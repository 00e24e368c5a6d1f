"""Ratings, their completion and factors."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid.environments import movielens
from kl_derail.hybrid.environments.movielens import (
    Ratings,
    complete,
    factorise,
    load_ratings,
    movielens_bandit,
    synthetic_ratings,
    unpack,
)

TABS = "10\t7\t5\t881250949\n3\t7\t1\t881250950\n10\t40\t3\t881250951\n"


def low_rank(seed=0, users=60, films=50, share=0.5):
    """(ratings, the whole matrix) of rank 3, without noise."""
    rng = np.random.default_rng(seed)
    matrix = 1 + 4 * rng.dirichlet(np.ones(3), users) @ rng.random((3, films))
    seen = rng.random(matrix.shape) < share
    rows, columns = np.nonzero(seen)
    return Ratings(rows, columns, matrix[seen]), matrix


def written(tmp_path, text):
    path = tmp_path / "u.data"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text", [TABS, movielens.HEADER + "\n" + TABS.replace("\t", ","), TABS.replace("\n", "\r\n")]
)
def test_both_forms_are_read(tmp_path, text):
    ratings = load_ratings(written(tmp_path, text))
    assert ratings.shape == (2, 2)
    assert [list(column) for column in ratings] == [[1, 0, 1], [0, 0, 1], [5, 1, 3]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABS + "1\t2\t3\n", "line 4: found '1\\t2\\t3'"),
        (TABS + "\n1\t2\t3\t4\n", "line 4: found ''"),
        (TABS + "1\t2\tgood\t4\n", "line 4"),
        (TABS + "1\t2\t0\t4\n", "line 4"),
        (TABS + "1\t2\t5.5\t4\n", "line 4"),
        (TABS + "1\t2\tnan\t4\n", "line 4"),
        (movielens.HEADER + "\n1,2,3,4\n1\t3\t3\t4\n", "line 3"),
        (TABS + "3\t7\t2\t4\n", "line 4: rates the film of line 2 again"),
        (movielens.HEADER + "\n", "holds no ratings"),
        ("", "holds no ratings"),
    ],
)
def test_broken_files_are_one_clear_line(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        load_ratings(written(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_said(tmp_path):
    (tmp_path / "zip").write_bytes(b"PK\xff\xfe")
    for name in ("nowhere", "zip"):
        with pytest.raises(UserError, match="cannot be read as ratings"):
            load_ratings(tmp_path / name)


def test_only_an_archive_with_the_right_checksum_is_unpacked():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(movielens.MEMBER, TABS)
    data = buffer.getvalue()
    assert unpack(data, hashlib.sha256(data).hexdigest()) == TABS.encode()
    with pytest.raises(UserError, match="nothing was written"):
        unpack(data)


def test_the_completion_finds_a_matrix_of_low_rank():
    ratings, matrix = low_rank()
    completed = complete(ratings, seed=0)
    unseen = np.ones(matrix.shape, bool)
    unseen[ratings.users, ratings.films] = False
    error = np.sqrt(np.mean((completed - matrix)[unseen] ** 2))
    assert error < 0.35 * matrix[unseen].std()
    assert completed.min() >= ratings.stars.min()
    assert completed.max() <= ratings.stars.max()
    np.testing.assert_array_equal(completed, complete(ratings, seed=0))


def test_ridges_solve_their_normal_equations():
    rng = np.random.default_rng(0)
    rows, inputs, targets = rng.integers(3, size=40), rng.normal(size=(40, 5)), rng.normal(size=40)
    found = movielens._ridges(rows, 4, inputs, targets, 0.1)
    for row in range(3):
        mine = rows == row
        gram = inputs[mine].T @ inputs[mine] + 0.1 * mine.sum() * np.eye(5)
        np.testing.assert_allclose(
            found[row], np.linalg.solve(gram, inputs[mine].T @ targets[mine])
        )
    np.testing.assert_array_equal(found[3], 0)


def test_factors_are_not_negative_and_make_up_the_matrix():
    _, matrix = low_rank()
    users, films = factorise(matrix, 3, seed=0)
    assert users.shape == (60, 3)
    assert films.shape == (50, 3)
    assert min(users.min(), films.min()) >= 0
    assert np.abs(users @ films.T - matrix).mean() < 0.05


def test_the_bandit_has_all_users_and_films_drawn_by_its_seed():
    ratings, _ = low_rank()
    bandit = movielens_bandit(ratings, 1, films=8)
    assert bandit.users.shape == (60, 3)
    assert bandit.items.shape == (8, 3)
    np.testing.assert_array_equal(bandit.rewards, movielens_bandit(ratings, 1, films=8).rewards)
    assert not np.array_equal(bandit.items, movielens_bandit(ratings, 2, films=8).items)
    with pytest.raises(UserError, match="too few"):
        movielens_bandit(ratings, 1, films=51)


def test_the_stand_in_has_the_shape_of_movielens():
    ratings = synthetic_ratings(np.random.default_rng(0))
    assert ratings.shape == (943, 1682)
    assert len(ratings.stars) == 100_000
    assert len(np.unique(ratings.users * 1682 + ratings.films)) == 100_000
    assert set(np.unique(ratings.stars)) == {1, 2, 3, 4, 5}
    for numbers, count in ((ratings.users, 943), (ratings.films, 1682)):
        assert np.bincount(numbers, minlength=count).min() >= 1
