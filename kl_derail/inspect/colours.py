"""The study's one colour scale: the KL of a token, from grey (nothing) to orange (10 nats)."""

from __future__ import annotations

import math
from typing import NamedTuple

MOST = 10.0
"""Nats at which the scale ends; a dearer token looks the same."""

UNCOLOURED = 0.02
"""Nats below which a token is left uncoloured: noise to a reader; the margin counts it all the same."""

LEGEND = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Nats that a legend shows."""


class RGB(NamedTuple):
    """A colour, 0 to 255 a channel (sRGB)."""

    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        """As HTML writes it.

        >>> RGB(255, 128, 0).hex
        '#ff8000'
        """
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


BLACK, WHITE = RGB(0, 0, 0), RGB(255, 255, 255)
_STOPS = (RGB(176, 176, 170), RGB(238, 160, 84), RGB(240, 90, 0))


def kl_colour(nats: float) -> RGB:
    """Background of a token that cost so many nats, linear in the square root.

    One hue, from a light grey to a deep orange: no red-green vision is needed, the dear tokens stand
    out on dark and on light terminals, and black reads well on all of it.

    >>> kl_colour(0).hex, kl_colour(2.5).hex, kl_colour(10).hex, kl_colour(99).hex
    ('#b0b0aa', '#eea054', '#f05a00', '#f05a00')
    """
    place = math.sqrt(min(max(nats, 0.0), MOST) / MOST) * (len(_STOPS) - 1)
    stop = min(int(place), len(_STOPS) - 2)
    pairs = zip(_STOPS[stop], _STOPS[stop + 1], strict=True)
    return RGB(*(round(a + (b - a) * (place - stop)) for a, b in pairs))


def luminance(colour: RGB) -> float:
    """Relative luminance, 0 (black) to 1 (white), as WCAG 2 defines it."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: RGB, b: RGB) -> float:
    """Contrast ratio of two colours, 1 to 21, as WCAG 2 defines it; 4.5 reads well."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def ink(background: RGB) -> RGB:
    """Black or white, whichever reads better; the contrast is never below 4.5."""
    return max(BLACK, WHITE, key=lambda colour: contrast(colour, background))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
