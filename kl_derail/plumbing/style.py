"""One look for all figures: paper width, colours for colour-blind people, the same bytes each time.

Figures are `matplotlib.figure.Figure` with the Agg canvas; pyplot and the user's own settings are
left alone: `styled` changes matplotlib's settings only while its block runs.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kl_derail.plumbing.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 6.75
"""Width of a figure in inches: two columns of a paper."""

GREY = "#6b6b6b"
"""Colour of what is there for comparison: the base, the budget."""

OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008)."""

LINE_STYLES = ("-", (0, (4, 1.6)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P")

CAPTION_LETTERS = 140
"""Letters in a line of the caption."""

FORMATS = ("png", "pdf")
DPI = 200

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 7,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,  # real fonts: text stays text
    "text.parse_math": False,  # a `$` in a name is a dollar
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
# Without a clock and a version: the same data give the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """The style of all our figures, for drawing and for saving alike."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of that size in inches, whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def grid(rows: Sequence[int], height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of rows of panels, each of which keeps its own numbers at its axes.

    Args:
        rows: how many panels each row has; a shorter row leaves room at its end.
        height: of one row, inches.
        options: for `Figure.subplots`, e.g. `sharey=True`.
    """
    figure = new_figure(height * len(rows) + 0.4)
    table = figure.subplots(len(rows), max(rows), squeeze=False, **options)
    for line, count in zip(table, rows, strict=True):
        for spare in line[count:]:
            spare.remove()
    axes = [each for line, count in zip(table, rows, strict=True) for each in line[:count]]
    for each in axes:
        each.tick_params(labelleft=True, labelbottom=True)
    return figure, axes


def no_data(why: str) -> Figure:
    """A figure that says plainly that there is nothing to draw, and why."""
    figure = new_figure(1.2)
    figure.text(0.5, 0.5, f"no data: {why}", ha="center", va="center", color=GREY, wrap=True)
    return figure


def caption(figure: Figure, text: str) -> None:
    """Lines under the figure: what bands and n mean."""
    lines = textwrap.fill(text, CAPTION_LETTERS)
    figure.supxlabel(lines, fontsize=6.5, color=GREY, x=0.01, ha="left")


def plain_ticks(axis: Axis, places: Sequence[float]) -> None:
    """Ticks at these places, as plain numbers: without mathematics in texts, powers would show as code."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def square_root(axes: Axes, ticks: Sequence[float] = (0, 0.1, 0.5, 1, 2, 5, 10, 20)) -> None:
    """A y axis in nats linear in the square root, as the colours of tokens are."""
    import numpy as np

    axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    axes.set_ylim(bottom=0)
    plain_ticks(axes.yaxis, ticks)


def colours(count: int) -> list[str]:
    """So many colours that can be told apart, in a fixed order.

    >>> colours(2)
    ['#0072b2', '#d55e00']
    """
    return list(OKABE_ITO[:count]) if count <= len(OKABE_ITO) else shades(count)


def shades(count: int) -> list[str]:
    """So many colours in order from dark to light, for what has an order itself.

    >>> shades(2)
    ['#00224e', '#dcc859']
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    places = [0.87 * each / max(count - 1, 1) for each in range(count)]
    return [to_hex(colormaps["cividis"](place)) for place in places]


def save_figure(
    figure: Figure, stem: Path, formats: Sequence[str] = FORMATS, *, dpi: int = DPI
) -> list[Path]:
    """Write STEM.png and STEM.pdf, each whole or not at all; existing ones are replaced.

    To be called within `styled`. The bytes depend on the figure and on matplotlib's version alone.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # everything has its place now, for all formats
    paths = [stem.with_name(f"{stem.name}.{each}") for each in formats]
    for each, path in zip(formats, paths, strict=True):
        with replacing(path) as partial:
            figure.savefig(partial, format=each, dpi=dpi, metadata=_METADATA.get(each))
    return paths
