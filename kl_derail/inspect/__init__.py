"""What a person sees of the log: viewers that read transcripts and know nothing of trainers."""

from kl_derail.inspect.closing import closing_screen, print_closing_screen, save_closing_screen
from kl_derail.inspect.colours import RGB, ink, kl_colour
from kl_derail.inspect.legend import Legend
from kl_derail.inspect.literal import literal
from kl_derail.inspect.terminal import render_episode

__all__ = [
    "RGB",
    "Legend",
    "closing_screen",
    "ink",
    "kl_colour",
    "literal",
    "print_closing_screen",
    "render_episode",
    "save_closing_screen",
]
