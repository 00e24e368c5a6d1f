"""The folder of a price list: tables, figures, transcripts."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kl_derail.errors import UserError
from kl_derail.pricing.listing import Found
from kl_derail.pricing.price import BASE
from kl_derail.pricing.report import (
    Row,
    cheaper_row,
    comparison_rows,
    event_rows,
    price_row,
    read_prices,
    start_rows,
    turn_rows,
    write_csv,
    write_prices,
)
from kl_derail.transcripts import named_path, write_episodes

PRICES = "price.json"
"""Prices chat by chat, with all options; written last, so that a folder with it is complete."""

TABLES = ("price.csv", "turns.csv", "start.csv", "events.csv", "comparison.csv")
FIGURES = ("price.png", "price.pdf", "comparison.png", "comparison.pdf")

PARTIAL = ".partial-"
"""What the name of a folder begins with in which a price list is being written."""


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds something else, or a price list that may not be replaced.

    Raises:
        UserError: before anything is written.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"out: {out} is no folder")
    if (out / PRICES).exists():
        if not overwrite:
            raise UserError(f"out: {out / PRICES} exists; choose another folder or --overwrite it")
        read_prices(out / PRICES)
    elif out.exists() and any(not each.name.startswith(PARTIAL) for each in out.iterdir()):
        raise UserError(
            f"out: {out} holds other files than a whole price list; choose another folder"
        )


@contextmanager
def partial_folder(out: Path) -> Iterator[Path]:
    """An empty hidden folder in `out` to write to, gone afterwards; so are folders made for it that stay empty.

    Raises:
        UserError: at once, if nothing can be written there.
    """
    made = [each for each in (out, *out.parents) if not each.exists()]
    partial: Path | None = None
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=out))
        except OSError as error:
            raise UserError(f"out: cannot write to the folder {out}: {error.strerror}") from error
        yield partial
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def save(out: Path, partial: Path, found: Found, options: Mapping[str, Any]) -> None:
    """Write everything, then put it in place of an older price list, file by file.

    Args:
        out: the folder.
        partial: an empty folder in it.
        found: what was measured.
        options: of the command, in plain types.

    Raises:
        UserError: it cannot be written; an older list is then untouched.
    """
    try:
        _write(partial, found, options)
        _swap(out, partial)
    except OSError as error:
        raise UserError(f"out: {out}: cannot be written ({error.strerror or error})") from error


def _write(out: Path, found: Found, options: Mapping[str, Any]) -> None:
    for (name, spacing), priced in found.priced.items():
        write_episodes(named_path(out, file_name(name, spacing)), priced.episodes)
    write_episodes(named_path(out, BASE), found.base.episodes)
    events = [row for style, each in found.events.items() for row in event_rows(*style, each)]
    _save_tables(out, found, events)
    _save_figures(out, found)
    about = {"options": options, "events": events}
    write_prices(out / PRICES, [*found.prices, *found.base.prices], about)


def _swap(out: Path, partial: Path) -> None:
    """Take away the older list, lest its transcripts be read with the new ones, and move in the new one."""
    for path in _written(out):
        path.unlink(missing_ok=True)
    files = [each.relative_to(partial) for each in partial.rglob("*") if each.is_file()]
    for name in sorted(files, key=lambda name: name == Path(PRICES)):
        (out / name).parent.mkdir(exist_ok=True)
        (partial / name).replace(out / name)


def _written(out: Path) -> list[Path]:
    """The files of a price list, the one that makes it whole first; none where there is none."""
    if not (out / PRICES).exists():
        return []
    styles = dict.fromkeys((each.behaviour, each.spacing) for each in read_prices(out / PRICES))
    names = [file_name(name, spacing) for name, spacing in styles]
    return [
        *(out / name for name in (PRICES, *TABLES, *FIGURES)),
        *(named_path(out, name) for name in names),
    ]


def _save_tables(out: Path, found: Found, events: Sequence[Row]) -> None:
    longest = [each.prices[-1] for each in found.priced.values()]
    every = [*found.prices, *found.base.prices]
    rows = [price_row(price, found.base_at(price.length)) for price in every]
    write_csv(out / "price.csv", [*rows, *map(cheaper_row, found.cheaper)])
    write_csv(out / "turns.csv", [row for price in longest for row in turn_rows(price)])
    write_csv(out / "start.csv", [row for price in found.prices for row in start_rows(price)])
    write_csv(out / "events.csv", events)
    if found.comparisons:
        write_csv(out / "comparison.csv", comparison_rows(found.comparisons))


def _save_figures(out: Path, found: Found) -> None:
    from kl_derail.plumbing.style import save_figure, styled
    from kl_derail.pricing.plots import comparison_figure, price_figure

    with styled():
        prices = [each.prices[-1] for each in found.priced.values()]
        save_figure(price_figure(prices), out / "price")
        if found.comparisons:
            save_figure(comparison_figure(found.silence, found.comparisons), out / "comparison")


def file_name(name: str, spacing: str) -> str:
    """A plain file name for a behaviour; a long or odd one gets the hash of its name.

    >>> file_name("silent", "single"), file_name("repeat:Go on.", "double")
    ('silent-single', 'repeat-Go-on-4f4708-double')
    """
    safe = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40]
    marked = safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return "-".join(part for part in (marked, re.sub(r"[^a-z]", "", spacing)) if part)
