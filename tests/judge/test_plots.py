"""What the figure shows, read off its artists."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from kl_derail.judge.plots import A_COLOUR, B_COLOUR, figure_of
from kl_derail.judge.tables import rows_of
from kl_derail.plumbing.style import DPI, GREY, save_figure, styled
from tests.judge.judgements import answers


def test_a_point_a_comparison_in_the_colour_of_its_verdict() -> None:
    judgements = [
        *answers(["aa"] * 40, comparison="x vs z"),
        *answers(["bb"] * 40, comparison="y vs z"),
        *answers(["aa", "bb"] * 20, comparison="x vs y"),
        *answers(["??"] * 3, comparison="x vs w"),
        *answers(["tt"] * 30, comparison="x vs z", quality="kinder"),
    ]
    rows = rows_of(judgements, seed=0)
    with styled():
        first, second = figure_of(rows).axes
    points = [bars.lines[0] for bars in first.containers]
    assert [(float(p.get_xdata()[0]), p.get_ydata()[0]) for p in points] == [
        (1, 0),
        (0, 1),
        (0.5, 2),
    ]
    assert [to_hex(p.get_color()) for p in points] == [A_COLOUR, B_COLOUR, GREY]
    bar = first.containers[0].lines[2][0].get_segments()[0]
    assert bar[:, 0].tolist() == pytest.approx([rows[0].wilson_low, rows[0].wilson_high])
    assert [each.get_text() for each in first.get_yticklabels()] == [
        "x vs z",
        "y vs z",
        "x vs y",
    ]
    assert [each.get_text() for each in first.texts] == ["n = 40"] * 3
    assert [each.get_text() for each in second.texts] == ["n = 30"]
    assert second.get_title(loc="left") == "kinder"
    assert len(second.containers) == 1


@pytest.mark.parametrize(
    "label",
    [
        "embedded-b20-l256-s0 agent-256 vs embedded-b20-l256-s0 base-256",
        "W" * 120,
        "a word or two of it " * 6,
    ],
)
@pytest.mark.parametrize("qualities", [1, 2, 3])
@pytest.mark.parametrize("comparisons", [1, 4])
@pytest.mark.filterwarnings("error")
def test_everything_lies_within_the_figure(
    tmp_path: Path, label: str, qualities: int, comparisons: int
) -> None:
    judgements = [
        each
        for quality in range(qualities)
        for comparison in range(comparisons)
        for each in answers(
            ["aa"] * 30, comparison=f"{comparison} {label}", quality=f"{quality} {label}"
        )
    ]
    with styled():
        figure = figure_of(rows_of(judgements, seed=0))
        save_figure(figure, tmp_path / "judge", ("png",))
        figure.set_dpi(DPI)  # as it was saved
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts = [*figure.texts, *(each for axes in figure.axes for each in axes.texts)]
        boxes = [each.get_window_extent(renderer) for each in texts]
        boxes += [axes.get_tightbbox(renderer) for axes in figure.axes]
        width, height = figure.canvas.get_width_height()
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
    for axes in figure.axes:
        assert axes.bbox.width > width / 6  # there is room left for what is drawn
        ticks = [each.get_window_extent(renderer) for each in axes.get_yticklabels()]
        assert all(one.y0 >= other.y1 - 1 for one, other in pairwise(ticks))
    for one, other in pairwise(figure.axes):
        assert not one.get_tightbbox(renderer).overlaps(other.get_tightbbox(renderer))
    named = [axes for axes in figure.axes if axes.yaxis.get_tick_params()["labelleft"]]
    assert named == figure.axes[::2]


def test_the_caption_names_the_colours() -> None:
    with styled():
        figure = figure_of(rows_of(answers(["aa"]), seed=0))
    words = " ".join(each.get_text() for each in figure.texts) + str(figure.get_supxlabel())
    assert "orange: B" in " ".join(words.split())
    assert "red" not in words


def test_nothing_readable() -> None:
    with styled():
        figure = figure_of(rows_of(answers(["??"]), seed=0))
    assert not figure.axes
    assert "no data" in figure.texts[0].get_text()
