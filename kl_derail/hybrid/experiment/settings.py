"""What is compared: options of the command, and the experiments that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.hybrid.experiment.worlds import Experiment, Method, World, refuse_unused

Objective = Literal["suboptimality", "regret"]
Comparison = Literal["behaviours", "sizes"]
Baseline = Literal["lcb", "cloning", "hy-q"]

ONLINE = "online"
BASELINE_LABELS = {"lcb": "offline LCB", "cloning": "cloning", "hy-q": "Hy-Q"}


@dataclass(frozen=True)
class HybridOptions:
    """What is compared, and how carefully; `none` means the value that the study published."""

    out: Path = option(Path("runs/hybrid"), "folder of the experiments, one each")
    objectives: list[Objective] = option(["suboptimality", "regret"], "what is minimised")
    comparisons: list[Comparison] = option(
        ["behaviours", "sizes"], "offline policies at one N0, or sizes N0 of one offline policy"
    )
    behaviours: list[str] | None = option(
        None, "offline policies rho1, rho2, ...: optimal, uniform, softmax:SCALE (see the world)"
    )
    sized: str | None = option(None, "offline policy of the comparison of sizes")
    n_offline: int | None = option(None, "N0 in the comparison of behaviours", minimum=0)
    sizes: list[int] | None = option(None, "N0 in the comparison of sizes", minimum=0)
    episodes: int | None = option(None, "online episodes (bandits: steps) N1", minimum=1)
    trials: int | None = option(None, "independent trials", minimum=1, short="n")
    baselines: list[Baseline] = option(
        [], "also offline pessimism, behaviour cloning, tabular Hy-Q, on data of `sized`"
    )
    bonus: Literal["published", "valid"] = option(
        "published", "the study's bonuses, or those that hold with probability 1 - delta"
    )
    scale: float | None = option(None, "scale of the published bonus", above=0)
    delta: float = option(0.05, "failure probability of the valid bonuses", above=0, below=1)
    seed: int = option(0, "seed of the trials", minimum=0)
    workers: int | None = option(None, "trials at once; none: as many as cores", minimum=1)
    backend: str = option("loky", "joblib backend: loky, threading, dask, ray, ...")
    scheduler: str | None = option(None, "address of a dask scheduler; none: a local cluster")


def experiments(
    name: str, world: World, options: HybridOptions, own: Any
) -> Iterator[tuple[Experiment, int]]:
    """The experiments that the options stand for, each with its number of trials.

    Args:
        name: of the world.
        world: it.
        options: of the command.
        own: options of the world.
    """
    published = world.published
    _check_effect(world, options)
    for objective in _some("objectives", options.objectives):
        for comparison in _some("comparisons", options.comparisons):
            experiment = Experiment(
                world=name,
                objective=objective,
                comparison=comparison,
                methods=tuple(_methods(world, options, objective, comparison)),
                episodes=options.episodes or published.episodes[objective, comparison],
                bonus=options.bonus,
                scale=options.scale or published.scale,
                delta=options.delta,
                seed=options.seed,
                options=own,
            )
            yield experiment, options.trials or published.trials


def _methods(
    world: World, options: HybridOptions, objective: str, comparison: str
) -> Iterator[Method]:
    """Pure online first, whatever is compared; then the offline data; then baselines."""
    published = world.published
    sized = options.sized or published.sized
    fixed = published.n_offline[objective] if options.n_offline is None else options.n_offline
    yield Method(ONLINE, "hybrid", "", 0)
    if comparison == "behaviours":
        spelt = published.behaviours if options.behaviours is None else options.behaviours
        for index, behaviour in enumerate(_some("behaviours", spelt), start=1):
            yield Method(f"rho{index}", "hybrid", behaviour, fixed)
    else:
        sizes = published.sizes[objective] if options.sizes is None else options.sizes
        for size in _some("sizes", sizes):
            if size:
                yield Method(f"N0={size}", "hybrid", sized, size)
    for baseline in dict.fromkeys(options.baselines):
        if baseline not in world.baselines:
            allowed = ", ".join(world.baselines) or "none in this world"
            raise UserError(f"baselines: found {baseline}, allowed {allowed}")
        yield Method(BASELINE_LABELS[baseline], baseline, sized, fixed)


def _check_effect(world: World, options: HybridOptions) -> None:
    """UserError where an option has no effect; values that files of settings spell out are no mistake."""
    if options.bonus == "valid":
        if options.scale not in {None, world.published.scale}:
            refuse_unused(options, ("scale",), "with --bonus valid")
    else:
        refuse_unused(options, ("delta",), "without --bonus valid")
    if options.backend != "dask":
        refuse_unused(options, ("scheduler",), "without --backend dask")


def _some(name: str, values: Sequence[Any]) -> list[Any]:
    if not values:
        raise UserError(f"{name}: found none, allowed one or more")
    return list(dict.fromkeys(values))
