"""Figure 6 by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kl_derail.figures.panels import Choices
from kl_derail.figures.progress import BUDGET, KL, REWARD, STAGES, TOKENS, Row, draw, table
from kl_derail.figures.study import Study, read_study
from kl_derail.plumbing.style import styled
from tests.figures.factories import entry, quiet, talking, write_run


def read(*runs: Path) -> Study:
    return read_study(runs, pytest.fail)


def run(path: Path, updates: int = 2, recorded: tuple[int, ...] = (1, 2), **config: object) -> Path:
    files = {f"update-{each:06d}": [talking(update=each, nats=2.0)] for each in recorded}
    return write_run(path, files, [entry(each + 1) for each in range(updates)], **config)


def of(rows: list[Row], quantity: str) -> list[Row]:
    return [row for row in rows if row.quantity == quantity]


def test_table(tmp_path: Path) -> None:
    rows = table(read(run(tmp_path / "a"), run(tmp_path / "b")), Choices())
    assert len(of(rows, REWARD)) == len(of(rows, KL)) == 2 * 2 * 5
    assert [(row.run, row.update, row.value) for row in of(rows, BUDGET)] == [
        (str(tmp_path / name), update, 10.0) for name in "ab" for update in (1, 2)
    ]
    assert [row.value for row in of(rows, REWARD)[:5]] == [0, 1, 2, 3, 4]
    tokens = of(rows, TOKENS)
    share = 1 / talking().agent_tokens.sum()
    for row in tokens:
        assert row.value == pytest.approx(share if row.x < 2 else 0.0)
    assert {(row.update, row.episodes) for row in tokens} == {(1, 2), (2, 2)}


def test_missing_numbers_are_left_out(tmp_path: Path) -> None:
    metrics = [entry(1, budget=None, kl_q50=None, kl_q05=None), {"update": 2}]
    rows = table(read(write_run(tmp_path / "a", {}, metrics)), Choices())
    assert not of(rows, BUDGET)
    assert 0.5 not in {row.x for row in of(rows, KL)}
    assert {row.update for row in rows} == {1}
    with styled():
        assert draw(rows, Choices()).axes


def test_runs_of_one_name_stay_apart(tmp_path: Path) -> None:
    rows = table(read(run(tmp_path / "a" / "run"), run(tmp_path / "b" / "run")), Choices())
    with styled():
        figure = draw(rows, Choices())
    assert (
        len({line.get_color() for line in figure.axes[0].lines if line.get_linestyle() == "-"}) == 2
    )


def test_updates_that_most_runs_recorded(tmp_path: Path) -> None:
    rows = table(
        read(
            run(tmp_path / "a", recorded=(*range(10, 130, 10), 127)),
            run(tmp_path / "b", recorded=tuple(range(10, 130, 10))),
        ),
        Choices(),
    )
    updates = sorted({row.update for row in of(rows, TOKENS)})
    assert len(updates) == STAGES
    assert (updates[0], updates[-1]) == (10, 120)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_three_panels_a_group(tmp_path: Path, count: int) -> None:
    runs = [run(tmp_path / f"{each}", budget=float(each + 1)) for each in range(count)]
    with styled():
        figure = draw(table(read(*runs), Choices()), Choices())
    assert len(figure.axes) == 3 * count
    titled = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(titled) == count
    for place, axes in enumerate(titled):
        assert f"agent, {place + 1} nats" in axes.get_title(loc="left")
        median = [line for line in axes.lines if line.get_linestyle() == "-"]
        np.testing.assert_array_equal(median[0].get_ydata(), [2.0, 2.0])
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels.count("update") == 2 * count
    assert labels.count("x (nats)") == count


def test_no_transcripts_of_updates(tmp_path: Path) -> None:
    metrics_only = write_run(tmp_path / "a", {}, [entry(1)])
    with styled():
        figure = draw(table(read(metrics_only), Choices()), Choices())
    assert "no data" in figure.axes[2].texts[0].get_text()


def test_transcripts_without_metrics(tmp_path: Path) -> None:
    files = {"update-000001": [quiet(update=1)]}
    with styled():
        figure = draw(table(read(write_run(tmp_path / "a", files)), Choices()), Choices())
    assert len(figure.axes) == 3


def test_no_data(tmp_path: Path) -> None:
    rows = table(read(write_run(tmp_path / "a", {"agent": [quiet()]})), Choices())
    assert rows == []
    assert "no data: no run has metrics" in draw(rows, Choices()).texts[0].get_text()
