"""The command `theory`: a statement's numbers, its inequalities, its figure."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kl_derail.config import as_mapping, option, parse
from kl_derail.errors import UserError, did_you_mean
from kl_derail.plumbing import markdown
from kl_derail.plumbing.csv_tables import write_csv
from kl_derail.plumbing.style import FORMATS, save_figure, styled
from kl_derail.plumbing.writing import check_free, replacing
from kl_derail.theory.solving import SolverError
from kl_derail.theory.statements.base import CHECK_HEAD, Check, Result, cell, check_cells

STATEMENTS: Mapping[str, str] = {
    "prop1": "a small KL to the imitator does not bound the KL to what it imitates",
    "thm1": "after an unprecedented event any value is had for few nats, however long the history",
    "prop2": "the simplest event that has not happened yet stays simple",
    "thm2": "under a TVD constraint the optimum raises only what is value-optimal",
    "pessimism": "a pessimistic imitator, which asks for help, bounds the KL to what it imitates",
}
VIOLATED = 1
"""Exit code where an inequality does not hold."""

PIPED_WIDTH = 160
"""Columns where no terminal limits them."""


@dataclass(frozen=True)
class OutputOptions:
    """Where the results go."""

    out: Path | None = option(None, "folder for tables, figure and result.json")
    overwrite: bool = option(False, "replace the results that the folder holds")


def theory_command(argv: Sequence[str]) -> int:
    """`theory STATEMENT`: run it, print it, write it where asked to; 1 if an inequality fails."""
    name = argv[0] if argv else "nothing"
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name not in STATEMENTS:
        hint = did_you_mean(name, STATEMENTS)
        raise UserError(f"found {name}, allowed {', '.join(STATEMENTS)}{hint}")
    module = import_module(f"kl_derail.theory.statements.{name}")
    options, output = parse((module.Options, OutputOptions), argv[1:], command=f"theory {name}")
    if output.out is not None:
        check_free("out", output.out / "result.json", overwrite=output.overwrite)
    try:
        result = module.run(options)
    except SolverError as error:
        raise UserError(f"{error}; another value, budget or event may do") from error
    if output.out is not None:
        save(module, result, output.out, {"statement": name, "options": as_mapping(options)})
    show(result)
    return 0 if result.holds else VIOLATED


def _usage() -> str:
    lines = [f"  {name:10}{text}" for name, text in STATEMENTS.items()]
    return "\n".join(["usage: kl-derail theory STATEMENT [--help] [options]", "", *lines])


def show(result: Result) -> None:
    """Print the tables and the checks; last, what does not hold."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(highlight=False, width=width)
    console.print(Text(result.title, style="bold"))
    for title, head, rows in _tables(result):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
        table.title_justify = "left"
        for column in head:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    for check in _violated(result):
        line = f"VIOLATED: {check.claim}: {cell(check.lhs)} {check.relation} {cell(check.rhs)}"
        console.print(Text(line, style="bold red"))


def _violated(result: Result) -> Iterator[Check]:
    return (check for check in result.checks if not check.holds)


def _tables(result: Result) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Title, head and cells of every table, the checks last."""
    for title, rows in {"": result.rows, **result.details}.items():
        yield _words(title), [_words(name) for name in rows[0]._fields], [_cells(r) for r in rows]
    yield "checks", CHECK_HEAD, [check_cells(check) for check in result.checks]


def _cells(row: tuple[object, ...]) -> list[str]:
    return [cell(value) for value in row]


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def save(module: ModuleType, result: Result, out: Path, about: Mapping[str, Any]) -> None:
    """Write table.csv, a CSV a further table, table.md, figure.png, figure.pdf and, last, result.json.

    Args:
        module: of the statement.
        result: what it came to.
        out: the folder; made if missing.
        about: what else result.json holds: the statement's name and options.

    Raises:
        UserError: a file cannot be written.
    """
    for name, rows in {"table": result.rows, **result.details}.items():
        write_csv(out / f"{name}.csv", type(rows[0]), rows)
    with replacing(out / "table.md") as partial:
        partial.write_text(_markdown(result), encoding="utf-8")
    with styled():
        save_figure(module.draw(result), out / "figure", FORMATS)
    with replacing(out / "result.json") as partial:
        partial.write_text(_json(result, about), encoding="utf-8")


def _markdown(result: Result) -> str:
    parts = [f"# {result.title}"]
    for title, head, rows in _tables(result):
        parts += [f"## {title}"] if title else []
        parts.append(markdown.table(head, [[each.replace("|", "\\|") for each in r] for r in rows]))
    return "\n\n".join(parts) + "\n"


def _json(result: Result, about: Mapping[str, Any]) -> str:
    """Strict JSON: NaN is null, infinity a string."""
    checks = [
        {**check._asdict(), "slack": check.slack, "holds": check.holds} for check in result.checks
    ]
    held = {"title": result.title, "holds": result.holds, "checks": checks, "rows": result.rows}
    plain = _plain({**about, **held, "details": result.details})
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # numpy's numbers
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
