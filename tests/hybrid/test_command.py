import pytest

from kl_derail.cli import main
from kl_derail.hybrid.command import WORLDS
from kl_derail.hybrid.experiment.log import read_log
from kl_derail.hybrid.experiment.worlds import MODULES

QUICK = ["--episodes", "50", "--trials", "2", "--workers", "1"]


@pytest.mark.parametrize("world", ["tabular", "bandit"])
def test_all_experiments_of_a_world_by_one_command(world, tmp_path, capsys):
    assert main(["hybrid", "run", world, *QUICK, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    names = sorted(folder.name for folder in tmp_path.iterdir())
    assert names == sorted(
        f"{world}-{objective}-{comparison}"
        for objective in ("suboptimality", "regret")
        for comparison in ("behaviours", "sizes")
    )
    for name in names:
        curves = read_log(tmp_path / name)
        assert {curve.trial for curve in curves} == {0, 1}
        assert name in shown
        assert all(curve.method in shown for curve in curves)


def test_a_config_file_and_flags_meet(tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text("states: 2\nactions: 2\nobjectives: [regret]\ncomparisons: [behaviours]\n")
    out = tmp_path / "out"
    assert (
        main(["hybrid", "run", "tabular", "--config", str(config), *QUICK, "--out", str(out)]) == 0
    )
    assert [folder.name for folder in out.iterdir()] == ["tabular-regret-behaviours"]


def test_another_setting_in_the_same_folder_is_refused(tmp_path, capsys):
    command = ["hybrid", "run", "tabular", *QUICK, "--objectives", "regret", "--out", str(tmp_path)]
    assert main(command) == 0
    assert main([*command, "--scale", "1"]) == 2
    assert "was begun with scale: 3.87" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["walk"], "found walk, allowed run, figures"),
        (["run", "grid"], "world: found grid, allowed tabular, bandit, movielens, mountain-car"),
        (["run", "tabular", "--n_offline", "-3"], "n_offline: found -3, allowed >= 0"),
        (["run", "tabular", "--environment", "nowhere.npz"], "nowhere.npz: cannot be read"),
        (["run", "tabular", "--backend", "lokki"], "backend: found lokki"),
        (["figures", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(words, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["hybrid", *words]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("world", "source", "unused"),
    [
        ("tabular", "environment", "states"),
        ("bandit", "environment", "arms"),
        ("movielens", "factors", "films"),
    ],
)
def test_options_that_a_file_takes_the_place_of_are_one_line(world, source, unused, capsys):
    assert main(["hybrid", "run", world, f"--{source}", "x.npz", f"--{unused}", "7"]) == 2
    error = capsys.readouterr().err
    assert f"{unused}: found 7, which has no effect with --{source}; leave it out" in error


@pytest.mark.parametrize("words", [[], ["--help"], ["run"], ["run", "--help"]])
def test_help_names_the_worlds(words, capsys):
    assert main(["hybrid", *words]) == 0
    shown = capsys.readouterr().out
    assert all(world in shown for world in WORLDS)


def test_help_and_registry_name_the_same_worlds():
    assert tuple(MODULES) == WORLDS
