"""Figures and tables rebuilt from logs: complete, the same bytes each time, and true to the numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from kl_derail.errors import UserError
from kl_derail.hybrid.concentrability import concentrability, default_gap, problem
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import random_mdp
from kl_derail.hybrid.estimates import tail_line, tail_slope
from kl_derail.hybrid.experiment import mountain_car
from kl_derail.hybrid.experiment.folder import ENVIRONMENT, environment_fingerprint, save_arrays
from kl_derail.hybrid.experiment.mountain_car import MountainCarOptions
from kl_derail.hybrid.figures import curves as curves_module
from kl_derail.hybrid.figures import draw
from kl_derail.hybrid.figures.bounds import NEW, PURE, draw_bounds, promised
from kl_derail.hybrid.figures.coverage import coverage_rows, number
from kl_derail.hybrid.figures.curves import draw_curves, draw_differences, draw_uncertainty, fields
from kl_derail.hybrid.figures.looks import looks
from kl_derail.hybrid.figures.study import curves, read_studies
from kl_derail.hybrid.figures.tables import _ends, reached
from kl_derail.hybrid.figures.world import policy, read_world
from kl_derail.hybrid.policies import softmax_values, uniform
from kl_derail.plumbing.statistics import Interval
from kl_derail.plumbing.style import save_figure, styled
from tests.hybrid.concentrability import worlds
from tests.hybrid.figures import logs

PICTURES = ("curves", "differences", "uncertainty", "bounds")
TABLES = ("reached", "compared", "concentrability")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def with_world(folder: Path, seed: int = 0) -> Path:
    mdp = random_mdp(np.random.default_rng(seed))
    arrays = {name: getattr(mdp, name) for name in ("transitions", "rewards", "initial")}
    save_arrays(folder / ENVIRONMENT, arrays)
    return folder


def test_the_log_alone_gives_every_picture_and_table_in_the_same_bytes(tmp_path: Path) -> None:
    folder = with_world(logs.write_log(tmp_path / "log" / "gaps", trials=3, episodes=300))
    first, second = (
        draw([folder], tmp_path / name, formats=("png",), dpi=50) for name in ("a", "b")
    )
    tables = {f"{name}.{kind}" for name in TABLES for kind in ("csv", "md")}
    assert {path.name for path in first} == tables | {f"gaps-{name}.png" for name in PICTURES}
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    for name in PICTURES:
        pixels = np.asarray(Image.open(tmp_path / "a" / f"gaps-{name}.png").convert("L"))
        assert pixels.std() > 10  # not empty


def test_an_environment_beside_the_log_gives_bounds_and_coefficients(tmp_path: Path) -> None:
    folder = logs.write_log(
        tmp_path / "regrets", "regret", methods=logs.SIZES, trials=3, episodes=500
    )
    mdp = random_mdp(np.random.default_rng(0))
    draw([with_world(folder)], tmp_path / "out", formats=())
    found = rows(tmp_path / "out" / "concentrability.csv")
    assert [row["method"] for row in found] == ["N0=500", "N0=1000", "N0=2000"]
    asked = problem(mdp)
    expected = concentrability(asked, asked.best(mdp.rewards), mdp.occupancy(uniform(mdp)))
    for row in found:
        assert float(row["c_optimal"]) == pytest.approx(expected, rel=1e-12)
        size = int(row["n_offline"])
        assert float(row["gap"]) == pytest.approx(default_gap(size, 500))
        assert float(row["error_ratio_low"]) < float(row["error_ratio"])
    text = (tmp_path / "out" / "concentrability.md").read_text()
    assert "| regrets | N0=500 | uniform | 500 | 500 |" in text


def test_tables_hold_the_means_and_who_is_better(tmp_path: Path) -> None:
    folder = logs.write_log(tmp_path / "gaps", trials=8, episodes=3000)
    draw([folder], tmp_path / "out", formats=())
    found = [row for row in rows(tmp_path / "out" / "reached.csv") if row["quantity"] == "gap_mean"]
    assert [row["method"] for row in found] == ["rho1", "rho2", "online"]  # smallest first
    for row in found:
        assert float(row["low"]) < float(row["estimate"]) < float(row["high"])
        assert -0.6 < float(row["slope"]) < -0.35
        assert row["n"] == "8"
    pairs = rows(tmp_path / "out" / "compared.csv")
    pairs = [row for row in pairs if row["quantity"] == "gap_mean"]
    assert {(row["first"], row["second"]) for row in pairs} == {
        ("rho1", "rho2"),
        ("rho1", "online"),
        ("rho2", "online"),
    }
    assert all(row["real"] == "True" for row in pairs)


def test_both_averages_are_two_rows_of_panels(tmp_path: Path) -> None:
    (study,) = read_studies(logs.write_log(tmp_path / "gaps", trials=2, episodes=200))
    panels = {
        averaging: draw_curves(study, fields(study.objective, averaging)).axes
        for averaging in ("pointwise", "running", "both")
    }
    labels = {name: [each.get_ylabel() for each in axes] for name, axes in panels.items()}
    assert labels["pointwise"] == ["sub-optimality gap"] * 2
    assert labels["running"] == ["running mean of the gap"] * 2
    assert labels["both"] == labels["pointwise"] + labels["running"]
    for linear, logarithmic in zip(panels["both"][::2], panels["both"][1::2], strict=True):
        assert linear.get_yscale() == "linear"
        assert logarithmic.get_xscale() == logarithmic.get_yscale() == "log"


def test_pure_online_is_black_and_on_top(tmp_path: Path) -> None:
    (study,) = read_studies(logs.write_log(tmp_path / "gaps", trials=2, episodes=100))
    style = looks(study.rows)
    assert to_hex(style["online"]["color"]) == "#000000"
    assert len({to_hex(look["color"]) for look in style.values()}) == 3
    names = [text.get_text() for text in draw_curves(study, ["gap"]).legends[0].get_texts()]
    assert names == ["rho1", "rho2", "online"]


def test_one_trial_and_means_of_zero_are_drawn(tmp_path: Path) -> None:
    nothing = {"online": ("", 0, 1.0), "rho1": ("optimal", 5, 0.0)}
    folder = logs.write_log(tmp_path / "zero", methods=nothing, trials=1, episodes=50)
    (study,) = read_studies(folder)
    with styled():
        save_figure(draw_curves(study, ["gap"]), tmp_path / "zero", ("png",), dpi=50)
    draw([folder], tmp_path / "out", formats=())
    right = draw_curves(study, ["gap"]).axes[1]
    flat = next(line for line in right.lines if line.get_color() != "black")
    assert np.isnan(flat.get_ydata()).all()  # a mean of 0 has no place on a logarithmic axis
    row = next(r for r in rows(tmp_path / "out" / "reached.csv") if r["method"] == "rho1")
    assert row["slope"] == row["low"] == ""
    assert float(row["estimate"]) == 0


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    methods = {"rho1": ("optimal", 5, 0.5), "rho2": ("uniform", 5, 0.7)}
    (study,) = read_studies(logs.write_log(tmp_path / "x", methods=methods, trials=2, episodes=50))
    for figure in (
        draw_differences(study, ["gap"]),
        draw_bounds(study, []),
        draw_curves(study, ["regret"]),
    ):
        assert "no data: x has " in figure.texts[0].get_text()


@pytest.mark.parametrize("objective", ["suboptimality", "regret"])
def test_bounds_have_one_factor_that_keeps_pure_online_below(
    tmp_path: Path, objective: str
) -> None:
    folder = with_world(logs.write_log(tmp_path / "x", objective, trials=3, episodes=500))
    (study,) = read_studies(folder)
    covered = coverage_rows(study, read_world(folder))
    panels = draw_bounds(study, covered).axes
    assert [panel.get_title().split(":")[0] for panel in panels] == ["rho1", "rho2"]
    field = "regret" if objective == "regret" else "gap"
    online = next(curve for curve in curves(study, field) if curve.method == "online")
    mean = online.values.mean(axis=0)
    for panel, each in zip(panels, covered, strict=True):
        orders = promised(objective, each, online.episodes)
        drawn = [line.get_ydata() for line in panel.lines if len(line.get_ydata()) == len(mean)]
        bound = next(y for y in drawn if np.allclose(y / y[0], orders[PURE] / orders[PURE][0]))
        assert (bound >= mean * (1 - 1e-12)).all()
        assert np.isclose(bound, mean).any()
        new = next(y for y in drawn if np.allclose(y / y[0], orders[NEW] / orders[NEW][0]))
        np.testing.assert_allclose(new / bound, orders[NEW] / orders[PURE])


def test_notes_of_an_experiment_are_in_its_tables(tmp_path: Path) -> None:
    folder = logs.write_log(tmp_path / "films", trials=2, episodes=50)
    (folder / "experiment.json").write_text('{"settings": {}, "note": "synthetic stand-in"}')
    draw([folder], tmp_path / "out", formats=())
    found = rows(tmp_path / "out" / "reached.csv")
    assert {row["study"] for row in found} == {"films (synthetic stand-in)"}


def test_worlds_are_read_back(tmp_path: Path) -> None:
    for place, world in enumerate((worlds.mdp(), worlds.linear(), worlds.arms())):
        folder = tmp_path / str(place)
        fields = {
            name: np.asarray(value) for name, value in vars(world).items() if name != "bernoulli"
        }
        fields.pop("rewards", None) if place else None
        folder.mkdir()
        save_arrays(folder / ENVIRONMENT, fields)
        found = read_world(folder)
        assert type(found) is type(world)
        assert found is not None
        assert found.fingerprint == world.fingerprint
    save_arrays(tmp_path / ENVIRONMENT, {"cells": np.ones(2)})
    assert read_world(tmp_path) is None


def test_only_means_of_zero_are_said_to_be_so(tmp_path: Path) -> None:
    nothing = {"online": ("", 0, 0.0), "rho1": ("optimal", 5, 0.0)}
    folder = logs.write_log(tmp_path / "zero", methods=nothing, trials=2, episodes=50)
    (study,) = read_studies(folder)
    right = draw_curves(study, ["gap"]).axes[1]
    assert [text.get_text() for text in right.texts] == ["all means are 0"]
    assert right.get_legend() is None


@pytest.mark.parametrize("world", [worlds.mdp(), worlds.linear(), worlds.arms()])
def test_every_finite_world_has_a_row_a_method(tmp_path: Path, world: Any) -> None:
    (study,) = read_studies(logs.write_log(tmp_path / "x", trials=2, episodes=50))
    found = coverage_rows(study, world)
    assert [each.row.method for each in found] == ["rho1", "rho2"]
    assert all(each.row.kind == "exact" for each in found)
    assert all(0 <= each.row.earlier.c_online <= 1 for each in found)
    linear = isinstance(world, LinearBandit)
    assert all(np.isnan(each.row.condition) != linear for each in found)


def test_recorded_worlds_have_a_row_in_the_model_and_one_by_sampling(tmp_path: Path) -> None:
    options = MountainCarOptions(bins=10, behaviour_episodes=60)
    methods = {"online": ("", 0, 1.0), "rho1": ("weight:0", 50, 0.5), "rho2": ("weight:0.5", 50, 1)}
    folder = logs.write_log(tmp_path / "car", methods=methods, trials=2, episodes=50)
    save_arrays(folder / ENVIRONMENT, mountain_car.build(options).arrays)
    draw([folder], tmp_path / "out", formats=())
    found = rows(tmp_path / "out" / "concentrability.csv")
    assert [(row["method"], row["kind"]) for row in found] == [
        (method, kind)
        for method in ("rho1", "rho2")
        for kind in ("model, discounted", "sampled episodes")
    ]
    for exact, sampled in zip(found[::2], found[1::2], strict=True):
        assert float(exact["c_optimal"]) > 0
        assert exact["c_optimal_low"] == sampled["c_suboptimal"] == ""
        low, value, high = (float(sampled[f"c_optimal{each}"]) for each in ("_low", "", "_high"))
        assert low < value < high or value == np.inf
    assert "(which is not the chance" in (tmp_path / "out" / "concentrability.md").read_text()


def test_another_environment_than_the_record_says_is_refused(tmp_path: Path) -> None:
    folder = with_world(logs.write_log(tmp_path / "x", trials=1, episodes=20))
    mdp = random_mdp(np.random.default_rng(0))
    arrays = {name: getattr(mdp, name) for name in ("transitions", "rewards", "initial")}
    record = {"settings": {"world": "tabular"}, "note": ""}
    record["fingerprint"] = environment_fingerprint("tabular", arrays)
    (folder / "experiment.json").write_text(json.dumps(record))
    assert read_world(folder) is not None
    with_world(folder, seed=1)
    with pytest.raises(UserError, match=r"experiment\.json was begun with"):
        draw([folder], tmp_path / "out")


def test_coverage_that_is_left_out_is_said_in_one_line(tmp_path: Path, capsys: Any) -> None:
    folder = logs.write_log(tmp_path / "x", trials=1, episodes=20)
    draw([folder], tmp_path / "out", formats=())
    error = capsys.readouterr().err
    assert error.startswith("coverage: left out x, ")
    assert error.count("\n") == 1
    assert "Left out: x, " in (tmp_path / "out" / "concentrability.md").read_text()


def test_seconds_are_the_median(tmp_path: Path) -> None:
    (study,) = read_studies(logs.write_log(tmp_path / "x", trials=5, episodes=20))
    slow = study._replace(
        rows=[r._replace(seconds=100.0) if r.trial == 0 else r for r in study.rows]
    )
    assert {row.seconds for row in reached(slow, ["gap"])} == {0.01}


def test_numbers_that_are_none_and_zeros_have_no_odd_spelling() -> None:
    assert [number(each) for each in (np.nan, np.inf, 0.5)] == ["none", "infinite", "0.5"]
    row = _ends(Interval(-0.001, -0.004, 0.1, 3), ".2f")
    assert row == "0.00 (0.00 to 0.10)"
    slope = curves_module._slope_text(Interval(-0.001, -1.0, -0.002, 3))
    assert slope == "0.00 [\N{MINUS SIGN}1.00, 0.00]"


def test_the_white_dots_are_the_slope_in_the_legend(tmp_path: Path) -> None:
    (study,) = read_studies(logs.write_log(tmp_path / "x", trials=3, episodes=3000))
    curve = curves(study, "gap")[0]
    episodes, values = tail_line(curve)
    drawn = np.polyfit(np.log(episodes), np.log(values), 1)[0]
    assert drawn == pytest.approx(tail_slope(curve).estimate, rel=1e-9)


def test_captions_say_how_many_trials_and_titles_say_sizes_once(tmp_path: Path) -> None:
    folder = with_world(logs.write_log(tmp_path / "x", methods=logs.SIZES, trials=3, episodes=200))
    (study,) = read_studies(folder)
    bounds = draw_bounds(study, coverage_rows(study, read_world(folder)))
    pictures = [draw_curves(study, ["gap"]), draw_differences(study, ["gap"])]
    for figure in (*pictures, draw_uncertainty(study), bounds):
        assert "n = 3 trials" in figure.get_supxlabel().replace("\n", " ")
    assert "Means of 0" in bounds.get_supxlabel()
    for panel in bounds.axes:
        assert panel.get_title().replace(" ", "").count("N0=") == 1
    names = {text.get_text() for text in bounds.legends[0].get_texts()}
    assert {"measured", "new bound"} <= names


def test_policies_are_those_of_the_spelling() -> None:
    mdp, bandit = worlds.mdp(), worlds.linear()
    np.testing.assert_array_equal(policy(mdp, "softmax:2"), softmax_values(mdp, 2.0))
    assert isinstance(bandit, LinearBandit)
    favoured = policy(bandit, "softmax:-10").argmax(axis=1)
    np.testing.assert_array_equal(favoured, bandit.rewards.argmin(axis=1))


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_a_broken_environment_is_one_line(tmp_path: Path, content: bytes) -> None:
    folder = logs.write_log(tmp_path / "gaps", trials=1, episodes=20)
    (folder / ENVIRONMENT).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as safetensors") as caught:
        draw([folder], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_bad_folders_are_one_line(tmp_path: Path) -> None:
    folder = logs.write_log(tmp_path / "a" / "gaps", trials=1, episodes=20)
    twin = logs.write_log(tmp_path / "b" / "gaps", trials=1, episodes=20)
    cases = {"name at least one": [], "are called gaps": [folder, twin], "found no log": [tmp_path]}
    for message, folders in cases.items():
        with pytest.raises(UserError, match=message):
            draw(folders, tmp_path / "out")


def test_trials_with_other_grids_are_refused(tmp_path: Path) -> None:
    folder = logs.write_log(tmp_path / "gaps", trials=2, episodes=30)
    other = logs.write_log(tmp_path / "other", trials=2, episodes=40)
    (other / "log" / "trial-00001.parquet").replace(folder / "log" / "trial-00001.parquet")
    with pytest.raises(UserError, match="differ in their checkpoints"):
        draw([folder], tmp_path / "out")
