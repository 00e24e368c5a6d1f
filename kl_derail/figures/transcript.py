"""Figure 1: a typical chat of each group, every token coloured by its KL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from kl_derail.figures.panels import Choices, by_key, titles
from kl_derail.figures.study import Key, Study
from kl_derail.figures.wrapping import FONT, showable, wrap
from kl_derail.inspect.closing import typical
from kl_derail.inspect.colours import LEGEND, UNCOLOURED, ink, kl_colour
from kl_derail.inspect.layout import Fold, Line, Piece, fold, lines_of
from kl_derail.inspect.literal import LINE_BREAK, NO_TEXT, literal
from kl_derail.inspect.terminal import fold_text
from kl_derail.plumbing.style import GREY, WIDTH, no_data
from kl_derail.transcripts import Episode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 5.4
"""Points of the chat's letters."""

ADVANCE = 0.602 * SIZE
"""Points from one letter to the next."""

LINE = 1.42 * SIZE
"""Points from one line to the next."""

LEGEND_HEIGHT = 5 * LINE
COLUMNS = 2
MARGIN = 12
"""Letters left of the chat: nats left before a turn, and nats spent in it."""

MARGIN_ENDS = {"left": 5, "spent": 11}
"""Where the numbers of the margin end."""


class Row(NamedTuple):
    """A piece of a line: a token or a part of one, or what stands in the margin or for lines left out.

    Attributes:
        key: the group.
        run: id of the run.
        episode: its number in the run.
        line: number of the line, from 0.
        part: "token", "header", "opening", "fold", "reward", "left" or "spent".
        token: index of the token; -1 for what is none.
        text: as shown, safe to show.
        kl: exact KL of the token, nats (of all that is left out for a fold, of the turn for "spent").
    """

    key: Key
    run: str
    episode: int
    line: int
    part: str
    token: int
    text: str
    kl: float


def table(study: Study, choices: Choices) -> list[Row]:
    """The chat closest to the median reward, of each player at the shortest length played."""
    shortest = {
        (group.key.base, group.key.player): group.key.length
        for group in sorted(study.groups, key=lambda each: -each.key.length)
    }
    return [
        row
        for group in study.groups
        if shortest[group.key.base, group.key.player] == group.key.length
        for row in _rows(group.key, typical(group.episodes))
    ]


def _rows(key: Key, episode: Episode) -> Iterator[Row]:
    rows = fold(episode, lines_of(episode))
    for number, row in enumerate(rows):
        following = rows[number + 1] if number + 1 < len(rows) else None
        ends = following is None or following.turn != row.turn
        for part, token, text, kl in (*_margin(episode, row), *_content(episode, row, ends)):
            yield Row(key, episode.run_id, episode.episode, number, part, token, text, kl)


Content = tuple[str, int, str, float]
"""Part, token, text and KL of a row."""


def _margin(episode: Episode, row: Line | Fold) -> Iterator[Content]:
    """Nats left before the agent's turn and nats spent in it; nothing where none begins."""
    if not episode.budget > 0:
        return
    first = int(episode.turn_start[row.turn]) if isinstance(row, Fold) else row.sampled
    if first is None:
        return
    left = float(episode.budget_left[first])
    spent = float(episode.kl[episode.turn == episode.turn[first]].sum())
    spent = row.kl if isinstance(row, Fold) else spent
    yield "left", -1, f"{left:.2f}", left
    yield "spent", -1, f"{spent:.2f}", spent


def _content(episode: Episode, row: Line | Fold, ends: bool) -> Iterator[Content]:
    """What stands in a line; after the end of a turn its reward."""
    if isinstance(row, Fold):
        yield "fold", -1, fold_text(row).plain, row.kl
        return
    for piece in row.pieces:
        yield _part(episode, piece), piece.token, _shown(piece), float(episode.kl[piece.token])
    reward = episode.turn_reward[row.turn] if row.turn < len(episode.turn_reward) else math.nan
    if ends and not math.isnan(reward):
        yield "reward", -1, f" {reward:+.2f}", math.nan


def _part(episode: Episode, piece: Piece) -> str:
    if piece.token < episode.opening_tokens:
        return "opening"
    return "header" if piece.header else "token"


def _shown(piece: Piece) -> str:
    if piece.text == "\n":
        return LINE_BREAK
    return literal(piece.text) if piece.text else NO_TEXT


class _Cell(NamedTuple):
    """A row's text, or a part of it, at a place of a panel in letters and lines."""

    column: int
    line: int
    text: str
    row: Row


def _cells(rows: Sequence[Row], letters: int) -> Iterator[_Cell]:
    """Where each piece stands when the lines are broken at that many letters."""
    line = 0
    for _, pieces in groupby(rows, lambda row: row.line):
        chat = []
        for row in pieces:
            if row.part in MARGIN_ENDS:
                yield _Cell(MARGIN_ENDS[row.part] - len(row.text), line, row.text, row)
            else:
                chat.append(row)
        placed = wrap([showable(row.text) for row in chat], letters - MARGIN)
        for each in placed:
            yield _Cell(MARGIN + each.column, line + each.line, each.text, chat[each.piece])
        line += placed[-1].line + 1 if placed else 1


def draw(rows: Sequence[Row], choices: Choices) -> Figure:
    """A panel a chat: nats left and spent in the margin, colours for the KL, rewards after replies."""
    from matplotlib.figure import Figure

    if not rows:
        return no_data("no evaluation episodes")
    groups = by_key(rows)
    over = titles(groups)
    letters = int((72 * WIDTH / COLUMNS - 14) / ADVANCE)
    panels = {key: list(_cells(each, letters)) for key, each in groups.items()}
    places = _places({key: _height(over[key], cells) for key, cells in panels.items()})
    total = max(place.bottom for place in places.values()) + LEGEND_HEIGHT
    figure = Figure(figsize=(WIDTH, total / 72))
    for key, cells in panels.items():
        left = 7 + places[key].column * 72 * WIDTH / COLUMNS
        top, bottom = places[key].top, places[key].bottom
        axes = _points(figure, left, total - bottom, letters * ADVANCE, bottom - top)
        _panel(axes, over[key], cells)
    _legend(_points(figure, 7, 0, 72 * WIDTH - 14, LEGEND_HEIGHT))
    return figure


class _Place(NamedTuple):
    """Where a panel stands: column from 0, top and bottom in points from the top of the figure."""

    column: int
    top: float
    bottom: float


def _places(heights: Mapping[Key, float]) -> dict[Key, _Place]:
    """Each panel goes into the column that is shortest so far."""
    ends = [4.0] * min(COLUMNS, len(heights))
    places = {}
    for key, height in heights.items():
        column = ends.index(min(ends))
        places[key] = _Place(column, ends[column], ends[column] + height)
        ends[column] += height
    return places


def _height(title: str, cells: Sequence[_Cell]) -> float:
    """Points that a panel needs, its title and a gap included."""
    return _title_height(title) + (max(cell.line for cell in cells) + 3) * LINE


def _title_height(title: str) -> float:
    return (title.count("\n") + 2) * 1.35 * 7 + 3


def _points(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes in points, from the top left corner."""
    across, up = 72 * figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return axes


def _panel(axes: Axes, title: str, cells: Sequence[_Cell]) -> None:
    tokens = {cell.row.token: cell.row.kl for cell in cells if cell.row.token >= 0}
    folds = {cell.row.line: cell.row.kl for cell in cells if cell.row.part == "fold"}
    nats = sum(tokens.values()) + sum(folds.values())
    number = cells[0].row.episode
    head = f"{title}\nepisode {number}, {nats:.2f} nats"
    axes.text(0, 2, head, fontsize=7, va="top", linespacing=1.3)
    top = _title_height(title)
    for cell in cells:
        _draw_cell(axes, cell, top)


def _draw_cell(axes: Axes, cell: _Cell, top: float) -> None:
    x, y = cell.column * ADVANCE, top + (cell.line + 0.5) * LINE
    colour, weight = "black", "normal"
    row = cell.row
    if row.part in ("left", "fold", "reward", "opening"):
        colour = GREY
    if row.token >= 0 and row.kl >= UNCOLOURED:
        colour = _box(axes, x, y, len(cell.text), row.kl)
    if row.part == "header" or (row.part == "spent" and row.kl >= 1):
        weight = "bold"
    style = "italic" if row.part == "fold" else "normal"
    axes.text(
        x, y, cell.text, color=colour, fontsize=SIZE, family=FONT, weight=weight, style=style,
        va="center_baseline",
    )  # fmt: skip


def _box(axes: Axes, x: float, y: float, letters: int, nats: float) -> str:
    """Colour the background of so many letters; returns the colour of the ink."""
    from matplotlib.patches import Rectangle

    colour = kl_colour(nats)
    axes.add_patch(
        Rectangle(
            (x, y - LINE / 2),
            letters * ADVANCE,
            LINE,
            facecolor=colour.hex,
            edgecolor="white",
            linewidth=0.3,
        )
    )
    return ink(colour).hex


def _legend(axes: Axes) -> None:
    label = "KL of a token (nats, square-root scale)  "
    axes.text(0, LINE, label, fontsize=SIZE, family=FONT, va="center_baseline")
    column = len(label)
    for nats in LEGEND:
        text = f" {nats:g} "
        x = column * ADVANCE
        colour = _box(axes, x, LINE, len(text), nats) if nats >= UNCOLOURED else "black"
        axes.text(x, LINE, text, fontsize=SIZE, family=FONT, color=colour, va="center_baseline")
        column += len(text)
    signs = (
        "Margin: nats left before the turn, nats spent in it. Grey: the opening, and rewards of replies"
        f" (+0.50). {LINE_BREAK} line break.",
        "Shown: of each player's episodes the one closest to their median reward; alike silent exchanges"
        " are folded.",
    )
    for place, text in enumerate(signs):
        y = (2.4 + 1.1 * place) * LINE
        axes.text(0, y, text, fontsize=SIZE, family=FONT, color=GREY, va="center_baseline")
