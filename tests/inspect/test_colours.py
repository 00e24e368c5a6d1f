"""The colour scale: its ends, its order, its legibility."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kl_derail.inspect.colours import BLACK, LEGEND, RGB, WHITE, contrast, ink, kl_colour

SCALE = [float(nats) for nats in np.linspace(0, 10, 201)]
# Linear RGB to LMS (Smith and Pokorny), as Viénot, Brettel and Mollon (1999) use it.
LMS = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.02996, 0.18431, 1.467]]
)
LOST = {
    "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


def test_contrast_agrees_with_wcag() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, RGB(119, 119, 119)) == pytest.approx(4.48, abs=0.01)


def test_ink_reads_well_on_the_whole_scale() -> None:
    assert min(contrast(ink(kl_colour(nats)), kl_colour(nats)) for nats in SCALE) >= 5.5


def test_ink_reads_on_any_grey() -> None:
    assert min(contrast(ink(RGB(v, v, v)), RGB(v, v, v)) for v in range(256)) >= 4.5


def test_dearer_is_more_saturated() -> None:
    chroma = [max(colour) - min(colour) for colour in map(kl_colour, SCALE)]
    assert chroma == sorted(chroma)
    assert len({kl_colour(nats) for nats in LEGEND}) == len(LEGEND)


def test_the_scale_goes_with_the_square_root() -> None:
    green = [kl_colour(nats).green for nats in (2.5, 5.625, 10)]  # half, three quarters, all
    assert green[0] - green[1] == pytest.approx(green[1] - green[2], abs=1)


@pytest.mark.parametrize("kind", LOST)
def test_the_legend_survives_colour_blindness(kind: str) -> None:
    seen = [_seen(kl_colour(nats), LOST[kind]) for nats in LEGEND]
    steps = [float(np.abs(a - b).max()) for a, b in pairwise(seen)]
    assert min(steps) >= 5  # of 255 in a channel
    assert float(np.abs(seen[0] - seen[-1]).max()) > 100


def _seen(colour: RGB, lost: np.ndarray) -> np.ndarray:
    linear = (np.array(colour) / 255) ** 2.2
    simulated = np.linalg.solve(LMS, lost @ LMS @ linear)
    return 255 * np.clip(simulated, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize(("nats", "same"), [(-1.0, 0.0), (1e9, 10.0), (float("inf"), 10.0)])
def test_what_is_off_the_scale_gets_its_end(nats: float, same: float) -> None:
    assert kl_colour(nats) == kl_colour(same)
