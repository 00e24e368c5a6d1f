"""The heat maps of the page: which number of a token each shows, and in which colours.

All five are magnitudes in nats on one square-root scale, 0 to `MOST`; a probability p is shown by
its surprisal -log p. Below `UNCOLOURED` a token stays plain. Hues are orange, blue, teal and purple,
each told from the others by lightness too, so that no red-green vision is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from kl_derail.inspect.colours import LEGEND, MOST, RGB, UNCOLOURED, ink, kl_colour

STEPS = 64
"""A scale has `STEPS` + 1 colours, equally far apart in the square root of nats."""

THEMES = ("light", "dark")


class Hue(NamedTuple):
    """Colours of a scale from nothing to `MOST` nats, for a light and for a dark page."""

    light: tuple[RGB, ...]
    dark: tuple[RGB, ...]


_ALIKE = tuple(kl_colour(MOST * (step / STEPS) ** 2) for step in range(STEPS + 1))
ORANGE = Hue(_ALIKE, _ALIKE)
"""The study's own scale, the same on every medium."""

BLUE = Hue(
    (RGB(222, 230, 240), RGB(106, 158, 222), RGB(16, 78, 170)),
    (RGB(40, 52, 70), RGB(52, 110, 190), RGB(150, 202, 255)),
)
TEAL = Hue(
    (RGB(220, 234, 232), RGB(84, 172, 162), RGB(0, 100, 96)),
    (RGB(34, 56, 56), RGB(20, 132, 122), RGB(124, 230, 212)),
)
PURPLE = Hue(
    (RGB(232, 226, 240), RGB(172, 138, 214), RGB(98, 42, 150)),
    (RGB(54, 46, 70), RGB(128, 88, 190), RGB(212, 176, 255)),
)


class Map(NamedTuple):
    """One way to colour the tokens.

    Attributes:
        key: its name in the page.
        label: for people.
        about: what the colour means, in a sentence.
        unit: of the legend's numbers.
        column: of the log.
        sign: nats = sign times the column.
        up: colours of positive nats.
        down: colours of negative nats.
        ticks: (nats, label) of the legend.
    """

    key: str
    label: str
    about: str
    unit: str
    column: str
    sign: int
    up: Hue
    down: Hue
    ticks: tuple[tuple[float, str], ...]


def _nats(*values: float) -> tuple[tuple[float, str], ...]:
    return tuple((value, f"{value:g}".replace("-", "\N{MINUS SIGN}")) for value in values)


_PROBABILITIES = tuple((-math.log(p), f"{p:g}") for p in (1.0, 0.9, 0.5, 0.1, 0.01, 0.001, 0.0001))

MAPS = (
    Map(
        "kl",
        "KL",
        "exact KL(policy \N{DOUBLE VERTICAL LINE} base) of the step",
        "nats",
        "kl",
        1,
        ORANGE,
        ORANGE,
        _nats(*LEGEND),
    ),
    Map(
        "log_ratio",
        "log-ratio",
        "realised log(policy/base) of the sampled token",
        "nats; blue: likelier in base",
        "log_ratio",
        1,
        ORANGE,
        BLUE,
        _nats(-10, -2, -0.5, 0, 0.5, 2, 10),
    ),
    Map(
        "base",
        "base probability",
        "probability of the token under the base, coloured where it is small",
        "probability",
        "base_log_prob",
        -1,
        BLUE,
        BLUE,
        _PROBABILITIES,
    ),
    Map(
        "policy",
        "policy probability",
        "probability of the token under what it was drawn from, coloured where it is small",
        "probability",
        "policy_log_prob",
        -1,
        TEAL,
        TEAL,
        _PROBABILITIES,
    ),
    Map(
        "entropy",
        "entropy",
        "entropy of the base's next-token distribution",
        "nats",
        "base_entropy",
        1,
        PURPLE,
        PURPLE,
        _nats(*LEGEND),
    ),
)
"""The maps in the order of their keys, 1 to 5."""


def colours(stops: Sequence[RGB]) -> list[RGB]:
    """[`STEPS` + 1] colours, linear between the stops."""
    places = np.linspace(0, len(stops) - 1, STEPS + 1)
    channels = [
        np.interp(places, range(len(stops)), channel) for channel in zip(*stops, strict=True)
    ]
    return [RGB(*map(round, each)) for each in zip(*channels, strict=True)]


def scales() -> dict[str, Any]:
    """The maps and their colours as plain data: [background, ink] for each step, by theme."""
    return {
        "most": MOST,
        "steps": STEPS,
        "uncoloured": UNCOLOURED,
        "maps": [_plain(each) for each in MAPS],
    }


def _plain(shown: Map) -> dict[str, Any]:
    return {
        **{
            name: getattr(shown, name)
            for name in ("key", "label", "about", "unit", "column", "sign")
        },
        "ticks": shown.ticks,
        **{side: _themed(getattr(shown, side)) for side in ("up", "down")},
    }


@cache
def _themed(hue: Hue) -> dict[str, list[tuple[str, str]]]:
    return {
        theme: [(each.hex, ink(each).hex) for each in colours(getattr(hue, theme))]
        for theme in THEMES
    }
