"""A chat on the terminal: tokens coloured by their KL, the budget in the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from kl_derail.inspect.layout import Fold, Line, Piece, fold, lines_of, shown_piece
from kl_derail.inspect.legend import kl_style
from kl_derail.inspect.literal import Encodable
from kl_derail.transcripts import Episode

DIM, BOLD = Style(dim=True), Style(bold=True)


def render_episode(episode: Episode, *, collapse: bool = False) -> RenderableType:
    """One chat: a line of the chat a row, each turn of the agent with the nats left and spent.

    Model text is printed as it is: never as markup, and never as something a terminal obeys.

    Args:
        episode: the chat.
        collapse: cut runs of alike exchanges in which the agent says nothing.
    """
    lines = lines_of(episode)
    rows: Sequence[Line | Fold] = fold(episode, lines) if collapse else lines
    budgeted = episode.budget > 0 or bool(episode.kl.any())
    table = _table(budgeted)
    for row, after in zip_longest(rows, rows[1:]):
        text = fold_text(row) if isinstance(row, Fold) else line_text(episode, row)
        if isinstance(row, Line) and (after is None or after.turn != row.turn):
            text.append_text(_reward(episode, row.turn))
        margin = _margin(episode, row) if budgeted else ()
        table.add_row(*margin, text)
    return Encodable(table)


def line_text(episode: Episode, line: Line) -> Text:
    """A line of the chat without margin and reward."""
    text = Text(overflow="fold")
    for piece in line.pieces:
        text.append(shown_piece(piece), _style(episode, piece))
    return text


def fold_text(fold: Fold) -> Text:
    """What stands for the exchanges left out."""
    kind = "silent exchanges" if fold.silent else "exchanges like this"
    reward = "" if math.isnan(fold.reward) else f", reward {fold.reward:.2f}"
    said = f"… {fold.exchanges} more {kind}, {fold.kl:.2f} nats{reward}"
    return Text(said, Style(italic=True))


def _table(budgeted: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=DIM)
    table.show_header = budgeted
    if budgeted:
        table.add_column("left", justify="right", no_wrap=True)
        table.add_column("KL", justify="right", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    return table


def _style(episode: Episode, piece: Piece) -> Style:
    style = kl_style(float(episode.kl[piece.token]))
    if piece.token < episode.opening_tokens or (piece.text in ("", "\n") and not style):
        style += DIM
    return style + BOLD if piece.header else style


def _margin(episode: Episode, row: Line | Fold) -> tuple[Text, Text]:
    """Nats left before the agent's turn and nats spent in it; blank where none begins."""
    if isinstance(row, Fold):
        first, spent = int(episode.turn_start[row.turn]), row.kl
    elif row.sampled is not None:
        first = row.sampled
        spent = float(episode.kl[episode.turn == episode.turn[first]].sum())
    else:
        return Text(), Text()
    left = Text(f"{episode.budget_left[first]:.2f}", DIM)
    return left, Text(f"{spent:.2f}", BOLD if spent >= 1 else Style.null())


def _reward(episode: Episode, turn: int) -> Text:
    """The reward of a turn, to stand after it; empty where it has none."""
    reward = episode.turn_reward[turn] if turn < len(episode.turn_reward) else np.nan
    return Text("" if np.isnan(reward) else f" {reward:+.2f}", DIM)
