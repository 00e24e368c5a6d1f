"""What the colours, the margin and the signs of a chat mean."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from kl_derail.inspect.colours import LEGEND, UNCOLOURED, ink, kl_colour
from kl_derail.inspect.literal import LINE_BREAK

SIGNS = f"left: nats before the turn, KL: nats spent in it, {LINE_BREAK} line break, +0.50 reward"


def kl_style(nats: float) -> Style:
    """How a token that cost so many nats is printed; plain where it cost next to nothing."""
    if nats < UNCOLOURED:
        return Style.null()
    colour = kl_colour(nats)
    return Style(color=ink(colour).hex, bgcolor=colour.hex)


class Legend:
    """One or two lines under a chat; the scale only where the console has colours."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.color_system is not None and not console.no_color:
            yield scale()
        yield Text(SIGNS, style="dim")


def scale() -> Text:
    """The colour scale with its numbers, in one line."""
    text = Text("KL of a token in nats ", style="dim")
    for nats in LEGEND:
        text.append(f" {nats:g} ", kl_style(nats) + Style(dim=False))
    return text
