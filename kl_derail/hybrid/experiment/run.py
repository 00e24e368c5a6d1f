"""Trials in parallel, each appended to the log as it ends; what the log holds is not run again.

A parent that is killed outright (SIGKILL) leaves loky's worker processes behind: they end their trial, write
nothing, and go by themselves some minutes later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from kl_derail.errors import UserError
from kl_derail.hybrid.experiment import folder as folders
from kl_derail.hybrid.experiment import log
from kl_derail.hybrid.experiment.log import TrialCurve
from kl_derail.hybrid.experiment.seeds import streams
from kl_derail.hybrid.experiment.worlds import Built, Experiment, Method, world
from kl_derail.plumbing.progress import progress_bar


class Workers(NamedTuple):
    """Where trials run.

    Attributes:
        processes: trials at once; None: as many as there are cores (in the cluster).
        backend: of joblib.
        scheduler: address of a dask scheduler; None: a local cluster.
    """

    processes: int | None = None
    backend: str = "loky"
    scheduler: str | None = None


def run_trial(environment: Any, experiment: Experiment, trial: int) -> list[TrialCurve]:
    """All methods of one trial, by the same random numbers."""
    return [_curve(environment, experiment, method, trial) for method in experiment.methods]


def _curve(environment: Any, experiment: Experiment, method: Method, trial: int) -> TrialCurve:
    episodes = log.checkpoints(experiment.episodes)
    play, start = world(experiment.world).trial, time.perf_counter()
    found = play(environment, experiment, method, episodes, *streams(experiment.seed, trial))
    return TrialCurve(
        method=method.label,
        behaviour=method.behaviour,
        n_offline=method.n_offline,
        objective=experiment.objective,
        trial=trial,
        episodes=episodes,
        seconds=time.perf_counter() - start,
        **found._asdict(),
    )


class Planned(NamedTuple):
    """An experiment, its folder and its number of trials."""

    folder: Path
    experiment: Experiment
    trials: int


def run_experiments(planned: Sequence[Planned], built: Built, workers: Workers) -> Iterator[Path]:
    """Run the trials 0..trials-1 that the logs do not hold yet; yields each folder once it is complete.

    Nothing is written before all experiments and the backend are known to be good.

    Raises:
        UserError: a folder holds another experiment, a method cannot be run, or there is no such
            backend.
    """
    for folder, experiment, _ in planned:
        for method in experiment.methods:
            world(experiment.world).check(built.environment, experiment, method)
        folders.check_free(folder, experiment, built)
    with _backend(workers):
        for each in planned:
            _run(each, built, workers.processes)
            yield each.folder


def _run(planned: Planned, built: Built, processes: int | None) -> None:
    folder, experiment, trials = planned
    folders.prepare(folder, experiment, built)
    missing = sorted(set(range(trials)) - set(log.trials_done(folder)))
    with progress_bar() as bar:
        task = bar.add_task(folder.name, total=trials, completed=trials - len(missing))
        for curves in _in_parallel(built.environment, experiment, missing, processes):
            log.append(folder, curves[0].trial, curves)
            bar.advance(task)


def _in_parallel(
    environment: Any, experiment: Experiment, trials: list[int], processes: int | None
) -> Iterator[list[TrialCurve]]:
    """Trials as they end, in any order."""
    if not trials:
        return
    count = -1 if processes is None else min(processes, len(trials))
    pool = joblib.Parallel(count, return_as="generator_unordered")
    yield from pool(joblib.delayed(run_trial)(environment, experiment, trial) for trial in trials)


@contextmanager
def _backend(workers: Workers) -> Iterator[None]:
    """The joblib backend; a dask cluster is joined, or begun on this machine, while it is needed."""
    if workers.backend == "dask":
        with _dask_client(workers), joblib.parallel_config("dask"):
            yield
        return
    if workers.backend == "ray":
        _needed("ray.util.joblib").register_ray()
    try:
        chosen = joblib.parallel_config(workers.backend)
    except ValueError as error:
        raise UserError(f"backend: found {workers.backend}, which joblib does not know") from error
    with chosen:
        yield


def _dask_client(workers: Workers) -> Any:
    client = _needed("distributed").Client
    if workers.scheduler is None:
        count = workers.processes or joblib.cpu_count()
        return client(n_workers=count, threads_per_worker=1, dashboard_address=None)
    try:
        return client(workers.scheduler)
    except (OSError, ValueError) as error:
        raise UserError(f"scheduler: {workers.scheduler} cannot be reached ({error})") from error


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(f"backend: needs the package {package}, which is not installed") from error
