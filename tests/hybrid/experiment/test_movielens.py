"""MovieLens as an experiment: where ratings come from, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid.environments import movielens as environment
from kl_derail.hybrid.experiment import movielens
from kl_derail.hybrid.experiment.log import checkpoints
from kl_derail.hybrid.experiment.movielens import STAND_IN, MovieLensOptions, build, trial
from kl_derail.hybrid.experiment.seeds import streams
from kl_derail.hybrid.experiment.worlds import Experiment, Method


@pytest.fixture
def small(monkeypatch):
    """A stand-in that is completed in no time."""
    for name, value in (("USERS", 40), ("FILMS", 60), ("RATINGS", 900)):
        monkeypatch.setattr(environment, name, value)


@pytest.fixture
def factors(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "factors.npz"
    np.savez(path, users=rng.random((9, 3)), items=rng.random((4, 3)), contexts=np.full(9, 1 / 9))
    return path


def test_a_stand_in_is_labelled_and_only_made_when_asked_for_by_name(small):
    built = build(MovieLensOptions(ratings="synthetic"))
    assert "synthetic stand-in" in built.note == STAND_IN
    assert built.environment.rewards.shape == (40, 20)
    with pytest.raises(UserError, match="--ratings synthetic"):
        build(MovieLensOptions())


def test_two_sources_are_refused(factors):
    with pytest.raises(UserError, match="ratings and factors"):
        build(MovieLensOptions(ratings="synthetic", factors=factors))


def test_a_file_of_ratings_is_no_stand_in(tmp_path):
    ratings, path = np.random.default_rng(0).integers(1, 6, (30, 25)), tmp_path / "u.data"
    lines = [f"{u + 1}\t{f + 1}\t{s}\t0" for (u, f), s in np.ndenumerate(ratings)]
    path.write_text("\n".join(lines))
    built = build(MovieLensOptions(ratings=str(path), films=7))
    assert built.note == ""
    assert built.environment.rewards.shape == (30, 7)


def test_what_is_downloaded_is_read(tmp_path, monkeypatch):
    path = tmp_path / "u.data"
    path.write_text(
        "".join(f"{u}\t{f}\t{1 + (u * f) % 5}\t0\n" for u in range(9) for f in range(9))
    )
    monkeypatch.setattr(movielens, "download", lambda folder: folder / "u.data")
    built = build(MovieLensOptions(download=tmp_path, films=5))
    assert built.environment.rewards.shape == (9, 5)


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
def test_given_factors_are_played(factors, objective):
    built = build(MovieLensOptions(factors=factors))
    methods = [Method("online", "hybrid", "", 0), Method("rho1", "hybrid", "optimal", 50)]
    methods.append(Method("offline LCB", "lcb", "softmax:5", 50))
    given = ("movielens", objective, "behaviours", tuple(methods), 200, "published", 10.0, 0.05, 0)
    experiment = Experiment(*given, MovieLensOptions(factors=factors))
    for method in methods:
        found = trial(built.environment, experiment, method, checkpoints(200), *streams(0, 0))
        curve = found.gap if objective == "suboptimality" else found.regret
        assert np.isfinite(curve).all()
        assert (curve >= 0).all()
