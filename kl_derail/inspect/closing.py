"""The last screen of a training run: what it came to, a chat before and after, where the files are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from kl_derail.inspect.figures import headline
from kl_derail.inspect.legend import Legend
from kl_derail.inspect.literal import Encodable, literal
from kl_derail.inspect.tables import comparison_table
from kl_derail.inspect.terminal import render_episode
from kl_derail.transcripts import Episode, spent, total_reward

WIDE = 110
"""Columns from which two chats stand side by side."""

PICTURE_WIDTH = 140
"""Columns of the picture."""


def print_closing_screen(
    console: Console,
    before: Sequence[Episode],
    after: Sequence[Episode],
    files: Mapping[str, Path],
) -> None:
    """Print `closing_screen` to a console."""
    console.print(closing_screen(before, after, files))


def save_closing_screen(
    path: Path, before: Sequence[Episode], after: Sequence[Episode], *, title: str
) -> None:
    """Write `closing_screen`, without the files' names, as a picture (SVG).

    Args:
        path: of the picture.
        before: episodes of the base.
        after: episodes of the agent.
        title: of the window that it shows.
    """
    console = Console(
        record=True,
        width=PICTURE_WIDTH,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(closing_screen(before, after, {}))
    console.save_svg(str(path), title=title, unique_id="closing")


def closing_screen(
    before: Sequence[Episode],
    after: Sequence[Episode],
    files: Mapping[str, Path],
    *,
    seconds: float | None = None,
) -> RenderableType:
    """What a run came to.

    Args:
        before: episodes of the base, played like those of the agent.
        after: episodes of the agent.
        files: what the run has written, by what it is.
        seconds: how long the run took.
    """
    parts: list[RenderableType] = [Text(), Text(headline(before, after), style="bold"), Text()]
    if before or after:
        parts += [comparison_table([("base", before), ("agent", after)]), Text()]
        chats = SideBySide([*_typical("Base", before), *_typical("Agent", after)])
        parts += [chats, Text(), Legend()]
    if files or seconds is not None:
        parts += [Text(), _files(files, seconds)]
    return Encodable(Group(*parts))


def typical(episodes: Sequence[Episode]) -> Episode:
    """The episode whose reward is closest to the median reward, the first of them."""
    rewards = np.array([total_reward(each) for each in episodes])
    return episodes[int(np.abs(rewards - np.median(rewards)).argmin())]


def _typical(name: str, episodes: Sequence[Episode]) -> list[RenderableType]:
    """A titled chat, or none where there is no episode."""
    if not episodes:
        return []
    chosen = typical(episodes)
    title = Text(f"{name}, episode {chosen.episode}", style="bold")
    facts = f", median reward ({total_reward(chosen):.2f})"
    if chosen.budget > 0:
        facts += f", {spent(chosen).expected:.2f} nats"
    title.append(facts, style="not bold dim")
    return [Group(title, render_episode(chosen, collapse=True))]


class SideBySide:
    """Renderables beside each other where the terminal is wide enough, else one below the other.

    Args:
        renderables: what to print.
    """

    def __init__(self, renderables: Sequence[RenderableType]) -> None:
        self._renderables = renderables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= WIDE:
            table = Table.grid(padding=(0, 3, 0, 0), expand=True)
            for _ in self._renderables:
                table.add_column(ratio=1)
            table.add_row(*self._renderables)
            yield table
            return
        for number, each in enumerate(self._renderables):
            if number:
                yield Text()
            yield each


def _files(files: Mapping[str, Path], seconds: float | None) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, path in files.items():
        table.add_row(Text(literal(name)), Text(literal(str(path))))
    if seconds is not None:
        minutes, rest = divmod(round(seconds), 60)
        table.add_row(Text("took"), Text(f"{minutes} min {rest} s"))
    return table
