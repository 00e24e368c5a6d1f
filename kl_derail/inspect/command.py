"""The command `inspect`: what the agent did, and where it paid for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from rich.console import Console, RenderableType

from kl_derail.config import option, parse, required
from kl_derail.errors import UserError
from kl_derail.inspect.inspect_log import check_inspect_log, write_inspect_log
from kl_derail.inspect.literal import Encodable, literal
from kl_derail.inspect.screens import chat_screen, list_screen
from kl_derail.inspect.selection import Selection, pick, select, select_other
from kl_derail.inspect.tables import sort_episodes
from kl_derail.plumbing.writing import check_free
from kl_derail.transcripts import Episode

FILES = ("html", "latex", "jsonl", "inspect_log")
"""The options that name a file to write."""

STDOUT = Path("-")
"""Stands for standard output."""

PIPED_WIDTH = 200
"""Columns, at least, where no terminal limits them: nothing needs to be shortened."""


@dataclass(frozen=True)
class InspectOptions:
    """What is shown, and where it goes."""

    run: Path = required("run folder, folder of transcripts, or transcript file", positional=True)
    name: str | None = option(
        None, "transcript file of the run: agent, base, ...; none: agent, else the newest"
    )
    update: int | None = option(None, "show the episodes of this update", minimum=0)
    episode: int | None = option(None, "show the chat of this number, token by token", minimum=0)
    sort: Literal["number", "kl", "reward", "empty"] = option(
        "number", "order of the episodes; all but the number: largest first"
    )
    first: int | None = option(None, "only so many, in that order", minimum=1, short="n")
    compare: str | None = option(
        None, "another run, folder or file, or the name of another file of this run: base"
    )
    fold: bool = option(False, "cut runs of exchanges in which the agent says nothing")
    pager: bool = option(True, "page long output on a terminal")
    html: Path | None = option(None, "write one self-contained page for the browser")
    latex: Path | None = option(None, "write a document for LuaLaTeX")
    jsonl: Path | None = option(
        None, "write every column, one episode a line; - is standard output"
    )
    inspect_log: Path | None = option(
        None, "write a log for Inspect AI: .eval (inspect view lists it) or .json"
    )
    overwrite: bool = option(False, "replace the files to be written")

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        if self.name is not None and self.update is not None:
            raise UserError("name, update: choose one, an update has a file of its own")
        for flag in ("jsonl", "inspect_log"):
            if getattr(self, flag) is not None and self.compare is not None:
                raise UserError(f"{flag}, compare: such a file holds one set of episodes")
        self._refuse_idle()

    def _refuse_idle(self) -> None:
        """Refuse what would do nothing without saying so."""
        written = any(getattr(self, flag) is not None for flag in FILES)
        if self.fold and (written or self.episode is None):
            raise UserError(
                "fold: is for a chat on the screen: give --episode, and no file to write"
            )
        if self.episode is not None and (self.sort != "number" or self.first is not None):
            flag = "first" if self.first is not None else "sort"
            raise UserError(f"{flag}, episode: choose one, a single episode is not in any order")
        if self.overwrite and not written:
            raise UserError(f"overwrite: there is nothing to write, give one of {', '.join(FILES)}")


class PipeConsole(Console):
    """A console that hands a reader's going away (`| head`) to the command that prints."""

    def on_broken_pipe(self) -> None:
        """Let the BrokenPipeError through, which rich would make an exit of its own."""
        raise


def inspect_command(argv: Sequence[str]) -> int:
    """Show the transcripts of a run, or write them for other tools."""
    (options,) = parse((InspectOptions,), argv, command="inspect")
    try:
        _inspect(options)
    except UserError as error:  # it may quote a file that others wrote
        raise UserError(literal(str(error))) from error
    return 0


def _inspect(options: InspectOptions) -> None:
    targets = {flag: path for flag in FILES if (path := getattr(options, flag)) is not None}
    _check_targets(targets, overwrite=options.overwrite)
    if options.inspect_log is not None:
        check_inspect_log(options.inspect_log)
    found = _found(options)
    shown = _shown(options, found)
    if targets:
        for flag, path in targets.items():
            _write(flag, path, [(each.name, each.episodes) for each in shown])
        _say(targets.values(), sum(len(each.episodes) for each in shown))
    elif options.episode is None:
        _print(list_screen(found, shown), pager=options.pager)
    else:
        _print(chat_screen(shown, options.fold), pager=options.pager)


def _check_targets(targets: Mapping[str, Path], *, overwrite: bool) -> None:
    """UserError unless each file can be written without harm to another."""
    for flag, path in targets.items():
        if path != STDOUT:
            check_free(flag, path, overwrite=overwrite)
        elif flag != "jsonl":
            raise UserError(f"{flag}: only jsonl goes to standard output (-); name a file")
    for (flag, path), (other, same) in combinations(targets.items(), 2):
        if path.resolve() == same.resolve():
            raise UserError(f"{flag}, {other}: both name {path}; choose two files")


def _found(options: InspectOptions) -> list[Selection]:
    """The sets asked for, that of `run` first, with all their episodes."""
    name, update, other = options.name, options.update, options.compare
    found = [select(options.run, _warn, name=name, update=update)]
    if other is None:
        return found
    with _blamed_on_compare():
        found += [select_other(other, options.run, _warn, name=name, update=update)]
    if found[0].file.resolve() == found[1].file.resolve():
        raise UserError(f"compare: found {other}, which is the set itself: {found[0].file}")
    return found


@contextmanager
def _blamed_on_compare() -> Iterator[None]:
    """Errors inside begin with the option that named the other set."""
    try:
        yield
    except UserError as error:
        raise UserError(f"compare: {error}") from error


def _shown(options: InspectOptions, found: Sequence[Selection]) -> list[Selection]:
    """The sets with the episodes of each that are shown."""
    run, *others = found
    shown = [run._replace(episodes=_picked(options, run))]
    with _blamed_on_compare():
        return shown + [each._replace(episodes=_picked(options, each)) for each in others]


def _picked(options: InspectOptions, found: Selection) -> list[Episode]:
    """One episode, or the first in the order."""
    if options.episode is not None:
        return [pick(found, options.episode)]
    return sort_episodes(found.episodes, options.sort)[: options.first]


def _write(flag: str, path: Path, sets: list[tuple[str, list[Episode]]]) -> None:
    """Write one file; each kind loads what it needs only now."""
    (name, episodes), *_ = sets
    if flag == "html":
        from kl_derail.inspect.html import write_page

        write_page(path, sets)
    elif flag == "latex":
        from kl_derail.inspect.latex import write_latex

        write_latex(path, sets)
    elif flag == "jsonl":
        from kl_derail.inspect.export import jsonl, write_jsonl

        if path == STDOUT:
            sys.stdout.buffer.writelines(line.encode() for line in jsonl(episodes))
        else:
            write_jsonl(path, episodes)
    else:
        write_inspect_log(path, episodes, name=name)


def _say(paths: Collection[Path], count: int) -> None:
    """Name each file that was written, beside what went to standard output."""
    for path in paths:
        if path != STDOUT:
            said = f"{count} episode{'s' if count > 1 else ''} in {literal(str(path))}"
            print(said, file=sys.stderr if STDOUT in paths else sys.stdout)


def _print(screen: RenderableType, *, pager: bool) -> None:
    """Print to a terminal page by page, in colour; as plain text to anything else."""
    console = PipeConsole(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    if not (pager and console.is_terminal and sys.stdin.isatty()):
        console.print(Encodable(screen))
        return
    os.environ.setdefault("LESS", "FRX")  # colours; no paging of what fits on the screen
    with console.pager(styles=True):
        console.print(Encodable(screen))


def _warn(message: str) -> None:
    print(f"kl-derail inspect: warning: {literal(message)}", file=sys.stderr)
