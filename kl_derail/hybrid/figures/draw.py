"""All figures and tables of some experiments: `draw`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from kl_derail.errors import UserError
from kl_derail.hybrid.figures.bounds import draw_bounds
from kl_derail.hybrid.figures.coverage import Covered, Row, coverage_rows, coverage_table
from kl_derail.hybrid.figures.curves import (
    Averaging,
    draw_curves,
    draw_differences,
    draw_uncertainty,
    fields,
)
from kl_derail.hybrid.figures.recorded import recorded_rows
from kl_derail.hybrid.figures.study import Study, curves, read_studies
from kl_derail.hybrid.figures.tables import (
    Compared,
    Reached,
    compared,
    compared_table,
    reached,
    reached_table,
)
from kl_derail.hybrid.figures.world import Recorded, read_world
from kl_derail.plumbing.csv_tables import write_csv
from kl_derail.plumbing.style import DPI, FORMATS, save_figure, styled
from kl_derail.plumbing.writing import replacing


def draw(
    folders: Sequence[Path],
    out: Path,
    *,
    averaging: Averaging = "pointwise",
    formats: Sequence[str] = FORMATS,
    dpi: int = DPI,
) -> list[Path]:
    """Draw all figures and write all tables of some experiments, from their logs alone.

    For each experiment NAME: NAME-curves, NAME-differences, NAME-uncertainty and NAME-bounds, the last two
    where the log has what they need. For all together: reached, compared and concentrability, as CSV and Markdown.
    Existing files are replaced, each whole or not at all.

    Args:
        folders: of the experiments.
        out: folder for all of it.
        averaging: of the sub-optimality gap: at each point, its published running mean, or both.
        formats: of the pictures; none: tables alone.
        dpi: of the PNG.

    Returns:
        The paths written.

    An experiment whose coverage cannot be worked out is named on stderr and under the table.

    Raises:
        UserError: no folder, two experiments of one name, a log that is missing or broken.
    """
    studies = [study for folder in folders for study in read_studies(folder)]
    _check(studies)
    written, covered, left_out = list[Path](), list[Row](), list[str]()
    for study in studies:
        world = read_world(study.folder)
        own = [] if world is None or isinstance(world, Recorded) else coverage_rows(study, world)
        covered += [each.row for each in own]
        if isinstance(world, Recorded):
            covered += recorded_rows(study, world)
        if world is None:
            left_out.append(f"{study.name}, no environment beside its log that coverage knows")
        if formats:
            written += _pictures(study, own, out, averaging, formats, dpi)
    for each in left_out:
        print(f"coverage: left out {each}", file=sys.stderr)
    return [*written, *_tables(studies, covered, left_out, out)]


def _check(studies: Sequence[Study]) -> None:
    names = [study.name for study in studies]
    if not names:
        raise UserError("figures: no experiment's folder given; name at least one")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"figures: two experiments are called {', '.join(twice)}; rename a folder")


def _pictures(
    study: Study,
    covered: Sequence[Covered],
    out: Path,
    averaging: Averaging,
    formats: Sequence[str],
    dpi: int,
) -> Iterable[Path]:
    wanted = fields(study.objective, averaging)
    with styled():
        figures = {
            "curves": draw_curves(study, wanted),
            "differences": draw_differences(study, wanted),
        }
        if curves(study, "uncertainty"):
            figures["uncertainty"] = draw_uncertainty(study)
        if covered:
            figures["bounds"] = draw_bounds(study, covered)
        for name, figure in figures.items():
            yield from save_figure(figure, out / f"{study.name}-{name}", formats, dpi=dpi)


def _tables(
    studies: Sequence[Study], covered: list[Row], left_out: Sequence[str], out: Path
) -> list[Path]:
    both = [(study, fields(study.objective, "both")) for study in studies]
    ends = [row for study, wanted in both for row in reached(study, wanted)]
    pairs = [row for study, wanted in both for row in compared(study, wanted)]
    return [
        write_csv(out / "reached.csv", Reached, ends),
        _write(out / "reached.md", reached_table(ends)),
        write_csv(out / "compared.csv", Compared, pairs),
        _write(out / "compared.md", compared_table(pairs)),
        write_csv(out / "concentrability.csv", Row, covered),
        _write(out / "concentrability.md", coverage_table(covered, left_out)),
    ]


def _write(path: Path, text: str) -> Path:
    with replacing(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")
    return path
