import io
import json

import numpy as np
import pytest
from rich.console import Console

from kl_derail.hybrid.experiment import folder, log, summary
from kl_derail.plumbing.statistics import t_interval
from tests.hybrid.experiment.test_log import curve


def test_endings_are_means_over_trials_at_the_last_checkpoint():
    gaps = [np.array([1.0, 0.5, 0.2]), np.array([1.0, 0.5, 0.4])]
    curves = [curve(trial, gap=gap) for trial, gap in enumerate(gaps)]
    (row,) = summary.endings(curves)
    assert row.final == t_interval([0.2, 0.4])
    assert row.mean == t_interval([1 / 3, 1 / 3])
    assert row.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(("world", "unit"), [("tabular", "episodes"), ("bandit", "steps")])
def test_bandits_have_steps(tmp_path, world, unit):
    record = {"format": 1, "settings": {"world": world}, "note": ""}
    (tmp_path / folder.RECORD).write_text(json.dumps(record))
    log.append(tmp_path, 0, [curve()])
    assert summary.ending_table(tmp_path).title == f"{tmp_path.name}: 1 trials of 5 {unit}"


def test_regret_has_no_running_mean():
    curves = [curve(t, gap=None, gap_mean=None, regret=np.arange(3.0)) for t in range(2)]
    (row,) = summary.endings(curves)
    assert row.final.estimate == 2
    assert row.mean is None


@pytest.mark.parametrize(("trials", "shown"), [(1, "0.2 "), (2, "0.3 ± 1.3")])
def test_the_table_says_what_it_is_of(tmp_path, trials, shown):
    record = {"format": 1, "settings": {}, "note": "synthetic [stand-in]"}
    (tmp_path / folder.RECORD).write_text(json.dumps(record))
    for trial, last in zip(range(trials), (0.2, 0.4), strict=False):
        log.append(tmp_path, trial, [curve(trial, gap=np.array([1.0, 0.5, last]))])
    console = Console(width=100, file=io.StringIO())
    console.print(summary.ending_table(tmp_path))
    text = console.file.getvalue()
    assert f"{tmp_path.name}: {trials} trials of 5 episodes" in text
    assert shown in text
    assert "nan" not in text
    assert "synthetic [stand-in]" in text
