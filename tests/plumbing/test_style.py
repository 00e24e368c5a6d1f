"""The look: nobody else's settings are touched, the same figure has the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from kl_derail.inspect.colours import RGB, WHITE, contrast
from kl_derail.plumbing.style import (
    FORMATS,
    OKABE_ITO,
    caption,
    colours,
    grid,
    no_data,
    save_figure,
    shades,
    square_root,
    styled,
)


def drawn(folder: Path, name: str = "figure", formats: Sequence[str] = ("png",)) -> list[Path]:
    with styled():
        figure, (left, right) = grid([2], 1.5)
        left.plot([1, 2], [3, 4])
        left.set_title("costs $x$ and $y, 語")
        right.plot([1, 2], [0, 4])
        square_root(right)
        caption(figure, "n = 3 " * 60)
        return save_figure(figure, folder / name, formats, dpi=60)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, second = (drawn(tmp_path, name, FORMATS) for name in ("a", "b"))
    assert [each.name for each in first] == ["a.png", "a.pdf"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert first[1].read_bytes().startswith(b"%PDF")


def test_no_global_state_is_touched(tmp_path: Path) -> None:
    matplotlib.rcParams["font.size"] = 3.0
    before = dict(matplotlib.rcParams)
    backend = sys.modules.get("matplotlib.pyplot")
    drawn(tmp_path)
    assert dict(matplotlib.rcParams) == before
    assert sys.modules.get("matplotlib.pyplot") is backend
    matplotlib.rcdefaults()


def test_the_users_settings_do_not_show(tmp_path: Path) -> None:
    first = drawn(tmp_path, "a")[0].read_bytes()
    with matplotlib.rc_context({"lines.linewidth": 9.0, "axes.facecolor": "black"}):
        assert drawn(tmp_path, "b")[0].read_bytes() == first


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    paths = drawn(tmp_path)
    before = [path.read_bytes() for path in paths]
    with styled(), pytest.raises(ValueError, match="nonsense"):
        save_figure(no_data("why"), tmp_path / "figure", ["nonsense"])
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_grid_has_rows_of_different_lengths() -> None:
    with styled():
        figure, axes = grid([1, 3], 1.5)
    assert len(axes) == len(figure.axes) == 4


def test_colours_differ_and_read_on_white() -> None:
    for count in (1, 6, 7, 12):
        assert len(set(colours(count))) == len(set(shades(count))) == count
    for colour in OKABE_ITO:
        rgb = RGB(*bytes.fromhex(colour[1:]))
        assert contrast(rgb, WHITE) > 2, colour


def test_the_square_root_scale_is_one() -> None:
    with styled():
        figure, (axes,) = grid([1], 2)
        axes.set_ylim(0, 16)
        square_root(axes)
        figure.canvas.draw()
        places = axes.transData.transform([(0, y) for y in (0.0, 1.0, 4.0, 9.0, 16.0)])[:, 1]
    np.testing.assert_allclose(np.diff(places), np.diff(places)[0], rtol=1e-6)


def test_no_data_says_why() -> None:
    with styled():
        (text,) = no_data("nobody spoke").texts
    assert text.get_text() == "no data: nobody spoke"
