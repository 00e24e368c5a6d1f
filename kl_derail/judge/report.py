"""What a judge's answers come to, as files: every judgement, tables, the figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import RenderableType

from kl_derail.judge.plots import figure_of
from kl_derail.judge.strengths import Strength, strengths
from kl_derail.judge.tables import Row, markdown_report, rows_of, terminal_report
from kl_derail.judge.verdicts import Judgement
from kl_derail.plumbing.csv_tables import write_csv
from kl_derail.plumbing.style import save_figure, styled
from kl_derail.plumbing.writing import replacing


def write_report(judgements: Sequence[Judgement], out: Path, *, seed: int) -> RenderableType:
    """Write judgements.csv, table.csv, strengths.csv, table.md, judge.png and judge.pdf.

    Each file is written whole or not at all. The same judgements and seed give the same numbers,
    whatever their order; comparisons and qualities stand in the order in which they come.

    Args:
        judgements: all answers, unreadable ones too.
        out: the folder; made if missing.
        seed: of the bootstraps.

    Returns:
        The tables for a terminal.

    Raises:
        UserError: a file cannot be written.
    """
    rows = rows_of(judgements, seed=seed)
    found = _strengths(judgements, seed)
    write_csv(out / "judgements.csv", Judgement, judgements)
    write_csv(out / "table.csv", Row, rows)
    write_csv(out / "strengths.csv", Strength, [e for e in found if isinstance(e, Strength)])
    with replacing(out / "table.md") as partial:
        partial.write_text(markdown_report(rows, found), encoding="utf-8")
    with styled():
        save_figure(figure_of(rows), out / "judge")
    return terminal_report(rows, found)


def _strengths(judgements: Sequence[Judgement], seed: int) -> list[Strength | str]:
    """Of each quality, where there are several comparisons; a sentence where there can be none."""
    if len({each.comparison for each in judgements}) < 2:
        return []
    found: list[Strength | str] = []
    for quality in dict.fromkeys(each.quality for each in judgements):
        own = strengths([each for each in judgements if each.quality == quality], seed=seed)
        found += [f"{quality}: {own}"] if isinstance(own, str) else own
    return found
