"""MovieLens as a bandit: ratings, the completed matrix, its non-negative factors.

Harper and Konstan, "The MovieLens Datasets", 2015. The data may not be passed on, so they are read
from a file of the user's, or fetched from GroupLens where that is asked for.

R ratings, S users, A films, D factors.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.plumbing.writing import replacing

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
SHA256 = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
"""Of ml-100k.zip, as TensorFlow Datasets pins it."""
BYTES = 4_924_029
MEMBER = "ml-100k/u.data"

HEADER = "userId,movieId,rating,timestamp"
BEST = 5.0
USERS, FILMS, RATINGS = 943, 1682, 100_000

RANK, SWEEPS, HELD_OUT = 5, 12, 0.1
PENALTIES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Ridge penalties a rating that the completion chooses from."""


class Ratings(NamedTuple):
    """Who rated what.

    Attributes:
        users: [R] 0 .. S - 1, by rising number in the file.
        films: [R] 0 .. A - 1, likewise.
        stars: [R] in (0, 5].
    """

    users: Ints
    films: Ints
    stars: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(S, A)."""
        return int(self.users.max()) + 1, int(self.films.max()) + 1


def load_ratings(path: Path) -> Ratings:
    """Ratings from `u.data` of MovieLens-100K, or `ratings.csv` of the later sets.

    Raises:
        UserError: no such file, no ratings, or a line that is none; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as ratings: {error}") from error
    rows = list(_rows(path, lines))
    if not rows:
        raise UserError(f"{path}: holds no ratings")
    users, films, stars = zip(*rows, strict=True)
    numbered = [np.unique(numbers, return_inverse=True)[1] for numbers in (users, films)]
    ratings = Ratings(numbered[0], numbered[1], np.array(stars))
    _check_once(path, ratings, header=lines[0] == HEADER)
    return ratings


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[int, int, float]]:
    header = lines[:1] == [HEADER]
    separator = "," if header else "\t"
    for number, line in enumerate(lines[header:], start=1 + header):
        try:
            user, film, stars, _ = line.split(separator)
            row = int(user), int(film), float(stars)
        except ValueError:
            row = 0, 0, math.nan
        if not 0 < row[2] <= BEST:
            raise UserError(
                f"{path}, line {number}: found {line[:80]!r}, expected user, film, rating in (0, 5] "
                f"and time, separated by {separator!r}"
            )
        yield row


def _check_once(path: Path, ratings: Ratings, *, header: bool) -> None:
    pairs = ratings.users * ratings.shape[1] + ratings.films
    _, first = np.unique(pairs, return_index=True)
    if len(first) < len(pairs):
        again = int(np.setdiff1d(np.arange(len(pairs)), first)[0])
        before = int(np.flatnonzero(pairs == pairs[again])[0])
        raise UserError(
            f"{path}, line {again + 1 + header}: rates the film of line {before + 1 + header} again"
        )


def download(folder: Path) -> Path:
    """Fetch MovieLens-100K from GroupLens; returns the path of its `u.data`.

    Raises:
        UserError: no connection, or other bytes than expected; nothing is written then.
    """
    from urllib.request import urlopen

    try:
        with urlopen(URL, timeout=60) as response:
            archive = response.read(2 * BYTES)
    except OSError as error:
        raise UserError(f"{URL}: cannot be fetched: {error}") from error
    path = folder / "u.data"
    data = unpack(archive)
    with replacing(path) as partial:
        partial.write_bytes(data)
    return path


def unpack(archive: bytes, sha256: str = SHA256) -> bytes:
    """`u.data` out of the bytes of ml-100k.zip, once their checksum was found right."""
    found = hashlib.sha256(archive).hexdigest()
    if found != sha256:
        raise UserError(f"{URL}: expected SHA-256 {sha256}, found {found}; nothing was written")
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return files.read(MEMBER)


def synthetic_ratings(rng: np.random.Generator) -> Ratings:
    """A stand-in of MovieLens-100K's shape: 100 000 ratings 1..5 of 943 x 1682, of low rank and noisy.

    Some users rate much and some films are rated much, everyone and every film at least once.
    """
    tastes, traits = rng.gamma(1.0, size=(USERS, 3)), rng.gamma(1.0, size=(FILMS, 3))
    affinity = tastes @ traits.T
    stars = 3.5 + (affinity - affinity.mean()) / affinity.std() * 0.7
    stars = np.clip(np.rint(stars + rng.normal(0, 0.9, stars.shape)), 1, 5)
    weight = rng.gumbel(size=stars.shape) - 0.8 * np.log1p(rng.permutation(FILMS))
    weight += rng.normal(0, 1, (USERS, 1))
    weight[np.arange(FILMS) % USERS, np.arange(FILMS)] = np.inf
    chosen = np.sort(np.argpartition(-weight.ravel(), RATINGS)[:RATINGS])
    users, films = np.divmod(chosen, FILMS)
    return Ratings(users, films, stars.ravel()[chosen])


def complete(ratings: Ratings, seed: int) -> Floats:
    """The whole matrix [S, A] by alternating least squares (Zhou et al. 2008, ALS-WR), rank 5.

    The penalty is the one of `PENALTIES` that predicts a tenth of the ratings best from the others.

    Returns:
        Values within the range of the ratings; those of rated films are fitted, too.
    """
    held = np.random.default_rng(seed).random(len(ratings.stars)) < HELD_OUT
    if held.all() or not held.any():
        return _alternate(ratings, ratings.shape, PENALTIES[-1], seed)
    kept = Ratings(ratings.users[~held], ratings.films[~held], ratings.stars[~held])

    def error(penalty: float) -> float:
        guess = _alternate(kept, ratings.shape, penalty, seed)
        return float(np.mean((guess[ratings.users, ratings.films] - ratings.stars)[held] ** 2))

    return _alternate(ratings, ratings.shape, min(PENALTIES, key=error), seed)


def _alternate(ratings: Ratings, shape: tuple[int, int], penalty: float, seed: int) -> Floats:
    users, films, stars = ratings
    rest = stars - stars.mean()
    films_AK = np.random.default_rng(seed).normal(0, 0.1, (shape[1], RANK))
    for _ in range(SWEEPS):
        users_SK = _ridges(users, shape[0], films_AK[films], rest, penalty)
        films_AK = _ridges(films, shape[1], users_SK[users], rest, penalty)
    guess = users_SK @ films_AK.T + stars.mean()
    return np.asarray(np.clip(guess, stars.min(), stars.max()), np.float64)


def _ridges(rows: Ints, count: int, inputs_RK: Floats, targets: Floats, penalty: float) -> Floats:
    """One ridge regression for each row number 0 .. count - 1, of targets [R] on inputs; [count, K]."""
    from scipy.sparse import csr_array

    members = csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), (count, len(rows)))
    squares = (inputs_RK[:, :, None] * inputs_RK[:, None, :]).reshape(len(rows), -1)
    ridge = penalty * np.maximum(np.bincount(rows, minlength=count), 1)
    gram = (members @ squares).reshape(count, RANK, RANK) + ridge[:, None, None] * np.eye(RANK)
    moment = members @ (inputs_RK * targets[:, None])
    return np.asarray(np.linalg.solve(gram, moment[:, :, None])[:, :, 0], np.float64)


def factorise(matrix: Floats, dimension: int, seed: int) -> tuple[Floats, Floats]:
    """Non-negative factors (users [S, D], films [A, D]) of a matrix [S, A], by scikit-learn."""
    from sklearn.decomposition import NMF

    model = NMF(dimension, init="nndsvda", max_iter=1000, random_state=seed)
    users = model.fit_transform(matrix)
    return np.asarray(users, np.float64), np.asarray(model.components_.T, np.float64)


def movielens_bandit(
    ratings: Ratings, seed: int, *, films: int = 20, dimension: int = 3, noise: float = 1.0
) -> ArmsBandit:
    """The bandit of all users and some films drawn by `seed`; users are uniform.

    Raises:
        UserError: fewer films or users than asked for.
    """
    if not (films <= ratings.shape[1] and dimension <= min(ratings.shape)):
        raise UserError(
            f"ratings: {ratings.shape[0]} users and {ratings.shape[1]} films found, too few for "
            f"{films} films and {dimension} factors"
        )
    users_SD, films_AD = factorise(complete(ratings, seed), dimension, seed)
    rng = np.random.default_rng(seed)
    arms = np.sort(rng.choice(len(films_AD), films, replace=False))
    return ArmsBandit(users_SD, films_AD[arms], np.full(len(users_SD), 1 / len(users_SD)), noise)
