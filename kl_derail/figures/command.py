"""The command `figures`: every figure as PNG and PDF, its table as CSV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kl_derail.config import option, parse, required
from kl_derail.figures import (
    cumulative,
    fractions,
    nth_turn,
    progress,
    repetition,
    silence,
    transcript,
)
from kl_derail.figures.panels import Choices
from kl_derail.figures.study import Study, read_study
from kl_derail.plumbing.csv_tables import write_csv
from kl_derail.plumbing.style import DPI, FORMATS, save_figure, styled
from kl_derail.plumbing.writing import check_free

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """One figure.

    Attributes:
        name: of its files.
        row: type of the rows of its table.
        table: what is measured.
        draw: how it looks; must be called within `styled`.
    """

    name: str
    row: type
    table: Callable[[Study, Choices], Sequence[Any]]
    draw: Callable[[Sequence[Any], Choices], Figure]


DRAWINGS = tuple(
    Drawing(f"{number}-{name}", module.Row, module.table, module.draw)
    for number, (name, module) in enumerate(
        {
            "transcripts": transcript,
            "cumulative-kl": cumulative,
            "nth-turn-kl": nth_turn,
            "fraction-of-turns": fractions,
            "repeated-ngrams": repetition,
            "training": progress,
            "silence": silence,
        }.items(),
        1,
    )
)
"""Every figure, in the order of the study."""


@dataclass(frozen=True)
class FiguresOptions:
    """The figures of the study, drawn for any runs."""

    runs: list[Path] = required("folders of the runs", positional=True)
    out: Path = option(Path("figures"), "folder for figures and tables")
    base: list[str] | None = option(None, "names of the base models to draw; none: all")
    only: list[int] | None = option(None, "numbers of the figures; none: all", minimum=1, maximum=7)
    turns: Literal["empty", "short"] = option(
        "empty", "turns looked at: blank ones, or those of at most 4 tokens (as published)"
    )
    ngrams: Literal["across", "within"] = option(
        "across", "n-grams go on from one turn of the agent to its next, or stay within a turn"
    )
    dpi: int = option(DPI, "dots per inch of the PNG", minimum=50, maximum=1200)
    overwrite: bool = option(False, "replace figures and tables that are there already")


def figures_command(argv: Sequence[str]) -> int:
    """Draw the figures of some runs, and say where they are."""
    (options,) = parse((FiguresOptions,), argv, command="figures")
    chosen = [DRAWINGS[number - 1] for number in sorted(set(options.only or range(1, 8)))]
    for drawing in chosen:
        for ending in ("csv", *FORMATS):
            path = options.out / f"{drawing.name}.{ending}"
            check_free("out", path, overwrite=options.overwrite)
    study = read_study(options.runs, _warn)
    study = study if options.base is None else study.of(options.base)
    choices = Choices(options.turns, options.ngrams == "across")
    for drawing in chosen:
        for path in write_figure(drawing, study, choices, options.out, dpi=options.dpi):
            print(path)
    return 0


def write_figure(
    drawing: Drawing, study: Study, choices: Choices, out: Path, *, dpi: int = DPI
) -> list[Path]:
    """Measure, draw and save one figure; existing files are replaced, each whole or not at all.

    Returns:
        The paths of the table and of the pictures.
    """
    rows = drawing.table(study, choices)
    table = write_csv(out / f"{drawing.name}.csv", drawing.row, rows)
    with styled():
        return [table, *save_figure(drawing.draw(rows, choices), out / drawing.name, dpi=dpi)]


def _warn(line: str) -> None:
    print(f"kl-derail figures: {line}", file=sys.stderr)
