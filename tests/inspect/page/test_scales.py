"""The colours of the maps: legible, ordered, told apart by lightness alone."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from kl_derail.inspect.colours import MOST, RGB, contrast, ink, kl_colour, luminance
from kl_derail.inspect.page.scales import (
    BLUE,
    MAPS,
    ORANGE,
    PURPLE,
    STEPS,
    TEAL,
    THEMES,
    Hue,
    colours,
    scales,
)
from kl_derail.transcripts.columns import COLUMNS

HUES = [ORANGE, BLUE, TEAL, PURPLE]
SIDES = [(hue, theme) for hue in HUES for theme in THEMES]


def steps(hue: Hue, theme: str) -> list[RGB]:
    return colours(getattr(hue, theme))


@pytest.mark.parametrize(("hue", "theme"), SIDES)
def test_ink_reads_well_on_every_step(hue: Hue, theme: str) -> None:
    assert len(steps(hue, theme)) == STEPS + 1
    assert min(contrast(ink(each), each) for each in steps(hue, theme)) >= 4.5


@pytest.mark.parametrize("hue", [BLUE, TEAL, PURPLE])
def test_more_nats_are_darker_by_day_and_brighter_by_night(hue: Hue) -> None:
    by_day, by_night = ([luminance(each) for each in steps(hue, theme)] for theme in THEMES)
    assert all(a > b for a, b in pairwise(by_day))
    assert all(a < b for a, b in pairwise(by_night))


@pytest.mark.parametrize("theme", THEMES)
def test_the_kl_has_the_study_s_own_scale(theme: str) -> None:
    plain = scales()["maps"][0]
    assert plain["key"] == "kl"
    for step in range(STEPS + 1):
        assert plain["up"][theme][step][0] == kl_colour(MOST * (step / STEPS) ** 2).hex


def test_the_two_sides_of_the_log_ratio_differ_for_every_eye() -> None:
    """Orange and blue: the blue channel, which no common colour blindness loses, tells them apart."""
    up, down = steps(ORANGE, "light"), steps(BLUE, "light")
    assert all(b.blue - a.blue > 40 for a, b in zip(up[8:], down[8:], strict=True))


def test_colours_go_through_the_stops() -> None:
    stops = [RGB(0, 0, 0), RGB(100, 50, 10), RGB(255, 0, 200)]
    found = colours(stops)
    assert [found[0], found[STEPS // 2], found[-1]] == stops


def test_every_map_shows_a_column_of_the_log() -> None:
    assert [each.key for each in MAPS] == ["kl", "log_ratio", "base", "policy", "entropy"]
    assert all(COLUMNS[each.column].shape == "token" for each in MAPS)


def test_probabilities_are_shown_by_their_surprisal() -> None:
    ticks = {label: nats for nats, label in MAPS[2].ticks}
    assert ticks["0.5"] == pytest.approx(np.log(2))
    assert ticks["1"] == 0
    assert MAPS[2].sign == -1


def test_plain_data() -> None:
    assert json.loads(json.dumps(scales(), allow_nan=False))["steps"] == STEPS
