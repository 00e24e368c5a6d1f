import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import distributed  # noqa: F401 (its defaults must be there before they are changed)
import numpy as np
import pytest

from kl_derail.cli import main
from kl_derail.errors import UserError
from kl_derail.hybrid.experiment import log, run
from kl_derail.hybrid.experiment.run import Planned, Workers, run_experiments
from kl_derail.hybrid.experiment.tabular import WORLD, TabularOptions
from kl_derail.hybrid.experiment.worlds import Method
from tests.hybrid.compiled import agreement

OPTIONS = TabularOptions(horizon=2, states=3, actions=3)
BUILT = WORLD.build(OPTIONS)
METHODS = (Method("online", "hybrid", "", 0), Method("rho1", "hybrid", "optimal", 20))
EXPERIMENT = agreement.experiment(
    WORLD, "tabular", "suboptimality", 500, methods=METHODS, options=OPTIONS
)
TRIALS = 6


def numbers(folder: Path) -> list[tuple[object, ...]]:
    """All values of a log but the times."""
    plain = (
        np.nan if value is None else value for curve in log.read_log(folder) for value in curve[:-1]
    )
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in plain]


def run_experiment(folder, experiment, built, trials, workers):
    assert list(run_experiments([Planned(folder, experiment, trials)], built, workers)) == [folder]


def same(found: Path, expected: Path) -> None:
    np.testing.assert_equal(numbers(found), numbers(expected))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The experiment in one process, one trial after the other."""
    folder = tmp_path_factory.mktemp("alone")
    run_experiment(folder, EXPERIMENT, BUILT, TRIALS, Workers(1))
    return folder


@pytest.mark.parametrize(
    "workers",
    [Workers(8, "threading"), pytest.param(Workers(2), marks=pytest.mark.processes)],
    ids=["8 threads", "2 processes"],
)
def test_the_numbers_do_not_depend_on_workers(workers, alone, tmp_path):
    run_experiment(tmp_path, EXPERIMENT, BUILT, TRIALS, workers)
    same(tmp_path, alone)


@pytest.mark.processes
def test_a_local_dask_cluster_gives_the_same_numbers(alone, tmp_path):
    run_experiment(tmp_path, EXPERIMENT, BUILT, TRIALS, Workers(2, "dask"))
    same(tmp_path, alone)


def test_only_missing_trials_are_run(alone, tmp_path, monkeypatch):
    run_experiment(tmp_path, EXPERIMENT, BUILT, TRIALS, Workers(1))
    (tmp_path / log.LOG / "trial-00002.parquet").unlink()
    ran = []
    original = run.run_trial
    monkeypatch.setattr(
        run, "run_trial", lambda *given: (ran.append(given[-1]), original(*given))[1]
    )
    run_experiment(tmp_path, EXPERIMENT, BUILT, TRIALS + 1, Workers(1))
    assert ran == [2, TRIALS]
    (tmp_path / log.LOG / f"trial-{TRIALS:05d}.parquet").unlink()
    same(tmp_path, alone)


def test_a_failing_trial_loses_nothing_of_the_others(tmp_path, monkeypatch):
    original = run.run_trial

    def fails_at_three(environment, experiment, trial):
        if trial == 3:
            raise RuntimeError("power cut")
        return original(environment, experiment, trial)

    monkeypatch.setattr(run, "run_trial", fails_at_three)
    with pytest.raises(RuntimeError, match="power cut"):
        run_experiment(tmp_path, EXPERIMENT, BUILT, TRIALS, Workers(1))
    assert log.trials_done(tmp_path) == [0, 1, 2]


def test_methods_of_a_trial_share_random_numbers(alone):
    """Without offline data "rho1" is "online": the same curves, to the last bit."""
    methods = (METHODS[0], Method("again", "hybrid", "optimal", 0))
    same_data = agreement.experiment(
        WORLD, "tabular", "suboptimality", 500, methods=methods, options=OPTIONS
    )
    first, second = run.run_trial(BUILT.environment, same_data, 4)
    np.testing.assert_array_equal(first.gap, second.gap)
    np.testing.assert_array_equal(first.uncertainty, second.uncertainty)


@pytest.mark.parametrize(
    ("name", "baselines"), [("tabular", ["lcb", "cloning", "hy-q"]), ("bandit", ["lcb", "cloning"])]
)
def test_with_offline_data_hybrid_and_baselines_share_random_numbers_too(
    name, baselines, monkeypatch
):
    """All get the same generators, and draw their offline data from them alike."""
    chosen, before, after = run.world(name), [], []

    def watched(environment, of, method, checkpoints, data_rng, online_rng):
        before.append([each.bit_generator.state for each in (data_rng, online_rng)])
        found = chosen.trial(environment, of, method, checkpoints, data_rng, online_rng)
        after.append(data_rng.bit_generator.state)
        return found

    monkeypatch.setattr(run, "world", lambda _: chosen._replace(trial=watched))
    methods = tuple(
        Method(f"{place}", each, "uniform", 20)
        for place, each in enumerate(["hybrid", *baselines, "hybrid"])
    )
    options = OPTIONS if name == "tabular" else chosen.options(arms=5)
    of = agreement.experiment(chosen, name, "suboptimality", 50, methods=methods, options=options)
    curves = run.run_trial(chosen.build(options).environment, of, 2)
    assert all(each == before[0] for each in before)
    assert all(each == after[0] != before[0][0] for each in after)
    np.testing.assert_array_equal(curves[0].gap, curves[-1].gap)
    assert not any(np.array_equal(curves[0].gap, each.gap) for each in curves[1:-1])


@pytest.mark.parametrize("baseline", ["lcb", "cloning"])
def test_offline_baselines_stay_as_they_are(baseline):
    method = Method(baseline, baseline, "optimal", 200)
    of = agreement.experiment(
        WORLD, "tabular", "suboptimality", 50, methods=(method,), options=OPTIONS
    )
    (curve,) = run.run_trial(BUILT.environment, of, 0)
    assert curve.gap.min() == curve.gap.max() < 0.2


def test_a_misspelt_behaviour_or_backend_is_one_line_before_anything_is_written(tmp_path):
    methods = (Method("rho1", "hybrid", "softmax:hot", 5),)
    bad = agreement.experiment(WORLD, "tabular", "regret", 5, methods=methods, options=OPTIONS)
    with pytest.raises(UserError, match=r"found softmax:hot, allowed optimal, uniform, softmax"):
        run_experiment(tmp_path / "a", bad, BUILT, 1, Workers(1))
    assert not (tmp_path / "a").exists()
    with pytest.raises(UserError, match="backend: found lokki"):
        run_experiment(tmp_path / "b", EXPERIMENT, BUILT, 2, Workers(2, "lokki"))
    assert not (tmp_path / "b").exists()


def test_all_experiments_are_checked_before_the_first_one_begins(tmp_path):
    methods = (Method("rho1", "hybrid", "softmax:hot", 5),)
    bad = agreement.experiment(WORLD, "tabular", "regret", 5, methods=methods, options=OPTIONS)
    planned = [Planned(tmp_path / "a", EXPERIMENT, 1), Planned(tmp_path / "b", bad, 1)]
    with pytest.raises(UserError, match="softmax:hot"):
        list(run_experiments(planned, BUILT, Workers(1)))
    assert not (tmp_path / "a").exists()


def test_an_inequality_without_its_bonuses_is_refused(tmp_path):
    options = TabularOptions(horizon=2, states=3, actions=3, concentration="bernstein")
    of = agreement.experiment(WORLD, "tabular", "regret", 5, methods=METHODS, options=options)
    with pytest.raises(UserError, match="concentration: found bernstein, which has no effect"):
        run_experiment(tmp_path, of, BUILT, 1, Workers(1))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path, address):
    brief = dask.config.set({"distributed.comm.timeouts.connect": "200ms"})
    with brief, pytest.raises(UserError, match=f"scheduler: {address} cannot be reached"):
        run_experiment(tmp_path, EXPERIMENT, BUILT, 2, Workers(2, "dask", address))


def test_a_backend_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="backend: needs the package ray, which is not installed"):
        run_experiment(tmp_path, EXPERIMENT, BUILT, 2, Workers(2, "ray"))


@pytest.mark.processes
def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path):
    flags = ["--objectives", "suboptimality", "--comparisons", "sizes", "--sizes", "0", "300"]
    flags += ["--episodes", "20000", "--workers", "1", "--seed", "3"]
    command = ["hybrid", "run", "tabular", *flags]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    folder = killed / "tabular-suboptimality-sizes"
    child = subprocess.Popen(
        [sys.executable, "-m", "kl_derail.cli", *command, "--trials", "1000", "--out", str(killed)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(log.trials_done(folder)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    done = len(log.trials_done(folder))
    assert 3 <= done < 1000
    for out in (killed, whole):
        assert main([*command, "--trials", str(done + 2), "--out", str(out)]) == 0
    same(folder, whole / folder.name)
