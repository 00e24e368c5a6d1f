"""Mountain Car as an experiment: behaviours, mixtures, curves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kl_derail.cli import main
from kl_derail.errors import UserError
from kl_derail.hybrid.experiment.log import checkpoints
from kl_derail.hybrid.experiment.mountain_car import (
    WORLD,
    MountainCarOptions,
    build,
    draw_episodes,
    share,
    trial,
)
from kl_derail.hybrid.experiment.seeds import streams
from kl_derail.hybrid.experiment.worlds import Experiment, Method

OPTIONS = MountainCarOptions(bins=10, behaviour_episodes=60)
ONLINE = Method("online", "hybrid", "", 0)
HALF = Method("rho2", "hybrid", "weight:0.5", 30)


@pytest.fixture(scope="module")
def built():
    return build(OPTIONS)


def curves(built, method, objective="suboptimality", episodes=40, number=0, **changes):
    experiment = Experiment(
        "mountain-car", objective, "sizes", (method,), episodes, "published", 0.2, 0.05, 0, OPTIONS
    )
    experiment = dataclasses.replace(experiment, **changes)
    given = built.environment, experiment, method, checkpoints(episodes)
    return trial(*given, *streams(0, number))


def test_behaviours_are_recorded_and_the_second_seeks_rewards(built):
    seeking, earning = built.environment.tapes
    goal = built.environment.course.states - 1
    arrivals = [(tape.states == goal).any(axis=1).mean() for tape in (seeking, earning)]
    assert arrivals[1] > arrivals[0]
    for tape, occupancy in zip((seeking, earning), built.arrays["occupancies"], strict=True):
        assert occupancy.sum() == pytest.approx((tape.lengths - 1).mean())
    again = build(OPTIONS)
    np.testing.assert_array_equal(again.arrays["occupancies"], built.arrays["occupancies"])


@pytest.mark.parametrize(
    ("spelt", "expected"), [("weight:0", 0), ("weight:0.5", 15), ("weight:1", 30)]
)
def test_a_mixture_draws_whole_episodes_once(built, spelt, expected):
    method = Method("rho", "hybrid", spelt, 30)
    first, second = draw_episodes(built.environment, method, np.random.default_rng(0))
    assert (len(first), len(second)) == (30 - expected, expected)
    for chosen in (first, second):
        assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize("spelt", ["weight:2", "weight:-0.1", "weight:", "optimal", "weight:nan"])
def test_misspelt_behaviours_are_refused(spelt):
    with pytest.raises(UserError, match="weight:SHARE"):
        share(spelt)


def test_more_episodes_than_recorded_are_refused(built):
    with pytest.raises(UserError, match="raise --behaviour_episodes"):
        curves(built, Method("rho1", "hybrid", "weight:0", 61))


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--bonus", "valid"], "bonus: found valid, Mountain Car allows published"),
        (
            ["--n_offline", "61", "--comparisons", "sizes", "behaviours"],
            "N0 = 61 of weight:0 needs",
        ),
        (["--sizes", "0", "200"], "N0 = 200 of weight:0.5 needs 100"),
        (["--behaviours", "weight:0", "optimal"], "behaviours: found optimal"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_folder_is_begun(tmp_path, capsys, flags, line):
    small = ["--bins", "10", "--behaviour_episodes", "60", "--episodes", "5", "--trials", "1"]
    for name, value in (("--n_offline", "10"), ("--sizes", "10")):
        small += [] if name in flags else [name, value]
    small += ["--workers", "1", "--out", str(tmp_path / "out")]
    assert main(["hybrid", "run", "mountain-car", *small, *flags]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_suboptimality_is_the_chance_to_miss_the_goal(built):
    found = curves(built, HALF)
    assert found.regret is None
    assert set(np.round(10 * found.gap, 9)) <= set(range(11))
    np.testing.assert_allclose(found.gap_mean, np.cumsum(found.gap) / np.arange(1, 41))
    assert (np.diff(found.uncertainty) > 0).all()


def test_regret_counts_the_episodes_that_missed_it(built):
    found = curves(built, ONLINE, "regret")
    assert found.gap is found.uncertainty is None
    assert set(np.diff(found.regret, prepend=0)) <= {0, 1}
    assert 0 < found.regret[-1] < 40


def test_trials_differ_and_a_longer_one_begins_alike(built):
    short, long = (curves(built, HALF, "regret", episodes) for episodes in (20, 40))
    np.testing.assert_array_equal(short.regret, long.regret[:20])
    assert not np.array_equal(long.regret, curves(built, HALF, "regret", number=1).regret)


def test_offline_pessimism_is_where_the_hybrid_begins(built):
    flat = curves(built, Method("offline LCB", "lcb", "weight:0.5", 30))
    assert len(set(flat.gap)) == 1
    regret = curves(built, Method("offline LCB", "lcb", "weight:0.5", 30), "regret").regret
    np.testing.assert_allclose(regret, flat.gap[0] * np.arange(1, 41))


def test_the_published_preset_has_one_start_and_coarse_values():
    options = dataclasses.replace(OPTIONS, **WORLD.presets["published"])
    published = build(options)
    found = curves(published, HALF, options=options)
    assert set(found.gap) <= {0, 1}
    assert published.environment.rule.synchronous
    assert len(set(published.environment.tapes[1].lengths)) == 1


def test_pessimism_arrives_more_often_when_greedy_for_values_before_the_floor():
    """At the floor all clipped actions are equal, and the first of them pushes left."""
    gaps = []
    for greedy in ("clipped", "unclipped"):
        options = dataclasses.replace(OPTIONS, greedy=greedy)
        gaps.append(curves(build(options), HALF, episodes=100, options=options).gap_mean[-1])
    assert gaps[1] < 0.7 * gaps[0]
    assert WORLD.options().greedy == "clipped"
    assert "greedy" not in WORLD.presets["published"]
