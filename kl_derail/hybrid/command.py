"""The command `hybrid`: run experiments of hybrid RL, and draw them from their logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from kl_derail.config import option, parse, required
from kl_derail.errors import UserError, did_you_mean

WORLDS = ("tabular", "bandit", "movielens", "mountain-car")
USAGE = f"""usage: kl-derail hybrid run WORLD [--config FILE] [options]   WORLD: {", ".join(WORLDS)}
       kl-derail hybrid figures FOLDER... [--out FOLDER]"""


@dataclass(frozen=True)
class FigureOptions:
    """Which experiments are drawn."""

    folders: list[Path] = required("folders of experiments", positional=True)
    out: Path = option(Path("figures"), "folder for figures and tables")
    averaging: Literal["pointwise", "running", "both"] = option(
        "pointwise", "sub-optimality at each point, its running mean (published), or both"
    )


def hybrid_command(argv: Sequence[str]) -> int:
    """`hybrid run WORLD ...` or `hybrid figures FOLDER...`."""
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if name in {"--help", "-h"}:
        print(USAGE)
        return 0
    actions = {"run": run_command, "figures": figures_command}
    if name not in actions:
        hint = did_you_mean(name, actions)
        raise UserError(f"found {name}, allowed {', '.join(actions)}{hint}")
    return actions[name](rest)


def run_command(argv: Sequence[str]) -> int:
    """Run the experiments of a world and print how they ended."""
    if not argv or argv[0] in {"--help", "-h"}:
        print(USAGE)
        return 0
    from kl_derail.hybrid.experiment.run import Planned, Workers, run_experiments
    from kl_derail.hybrid.experiment.settings import HybridOptions, experiments
    from kl_derail.hybrid.experiment.summary import ending_table
    from kl_derail.hybrid.experiment.worlds import world

    name, chosen = argv[0], world(argv[0])
    types: tuple[type, ...] = (HybridOptions, chosen.options)
    options, own = parse(types, argv[1:], command=f"hybrid run {name}", presets=chosen.presets)
    planned = [
        Planned(options.out / f"{name}-{each.objective}-{each.comparison}", each, trials)
        for each, trials in experiments(name, chosen, options, own)
    ]
    workers, console = Workers(options.workers, options.backend, options.scheduler), Console()
    for folder in run_experiments(planned, chosen.build(own), workers):
        console.print(ending_table(folder))
    return 0


def figures_command(argv: Sequence[str]) -> int:
    """Draw experiments from their logs alone."""
    (options,) = parse((FigureOptions,), argv, command="hybrid figures")
    from kl_derail.hybrid.figures import draw

    for path in draw(options.folders, options.out, averaging=options.averaging):
        print(path)
    return 0
