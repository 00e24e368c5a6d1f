"""What `inspect` prints: the list of episodes, or one chat with its turns; one or two of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from kl_derail.inspect.closing import SideBySide
from kl_derail.inspect.legend import Legend
from kl_derail.inspect.literal import literal
from kl_derail.inspect.selection import Selection, short_names
from kl_derail.inspect.tables import comparison_table, episode_table, facts, turn_table
from kl_derail.inspect.terminal import render_episode


def list_screen(
    found: Sequence[Selection], shown: Sequence[Selection] | None = None
) -> RenderableType:
    """The episodes of each selection, a row each; of several, their figures beside each other first.

    Args:
        found: all episodes, which the figures are of.
        shown: the same selections with the episodes that are listed; none: all.
    """
    shown = found if shown is None else shown
    parts: list[RenderableType] = []
    if len(found) > 1:
        episodes = [each.episodes for each in found]
        parts += [comparison_table(list(zip(short_names(found), episodes, strict=True))), Text()]
    for each in shown:
        parts += [_title(each), episode_table(each.episodes), Text()]
    return Group(*parts, *_notes(shown))


def chat_screen(shown: Sequence[Selection], fold: bool = False) -> RenderableType:
    """The first episode of each selection: the chats beside each other, then their turns."""
    chats = [
        Group(_title(each), Text(literal(facts(each.episodes[0])), "dim"), Text(), chat)
        for each in shown
        for chat in (render_episode(each.episodes[0], collapse=fold),)
    ]
    tables: list[RenderableType] = []
    for each in shown:
        tables += [Text(), _title(each), turn_table(each.episodes[0])]
    return Group(SideBySide(chats), Text(), Legend(), *tables, *_notes(shown))


def _title(selection: Selection) -> Text:
    return Text(literal(selection.name), "bold")


def _notes(shown: Sequence[Selection]) -> Iterator[Text]:
    """What a reader should know besides: which files there are, and that bases differ."""
    first = shown[0]
    if first.others:
        yield Text(literal(f"--name: also {', '.join(first.others)}"), "dim")
    if len({each.episodes[0].base_fingerprint for each in shown}) > 1:
        yield Text("The two were sampled against different base models.", "dim")
