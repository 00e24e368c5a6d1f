import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.hybrid.experiment import log
from kl_derail.hybrid.experiment.log import TrialCurve, checkpoints


def curve(trial=0, **changes):
    grid = np.array([1, 2, 5])
    values = np.array([0.5, 0.25, 1 / 3])
    whole = TrialCurve(
        "rho1", "optimal", 10, "suboptimality", trial, grid, values, values, None, values, 0.1
    )
    return whole._replace(**changes)


@given(st.integers(1, 10**6))
def test_checkpoints_rise_from_the_first_episode_to_the_last(episodes):
    found = checkpoints(episodes)
    assert found[0] == 1
    assert found[-1] == episodes
    assert (np.diff(found) > 0).all()
    assert len(found) <= log.CHECKPOINTS


def test_checkpoints_are_dense_at_the_start_and_everywhere_seen():
    found = checkpoints(20_000)
    assert len(found) > 250
    np.testing.assert_array_equal(found[:10], np.arange(1, 11))
    assert np.diff(found).max() < 20_000 / 100


def test_the_log_gives_back_what_was_appended(tmp_path):
    regret = np.array([1.0, 2.0, 3.0])
    second = curve(3, method="online", objective="regret", gap=None, gap_mean=None, regret=regret)
    log.append(tmp_path, 3, [curve(3), second])
    log.append(tmp_path, 1, [curve(1)])
    found = log.read_log(tmp_path)
    assert log.trials_done(tmp_path) == [1, 3]
    assert [(each.trial, each.method) for each in found] == [
        (1, "rho1"),
        (3, "rho1"),
        (3, "online"),
    ]
    for expected, got in zip([curve(1), curve(3), second], found, strict=True):
        for name, value in expected._asdict().items():
            np.testing.assert_array_equal(getattr(got, name), value)


def test_partial_files_are_no_trials(tmp_path):
    log.append(tmp_path, 0, [curve()])
    (tmp_path / log.LOG / ".trial-00001.parquet.77.partial").write_bytes(b"half")
    assert log.trials_done(tmp_path) == [0]
    assert len(log.read_log(tmp_path)) == 1


def test_a_folder_without_a_log_and_files_that_are_none_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"found no log/trial-\*\.parquet"):
        log.read_log(tmp_path)
    broken = tmp_path / log.LOG / "trial-00000.parquet"
    broken.parent.mkdir()
    broken.write_text("not parquet")
    with pytest.raises(UserError, match=r"trial-00000\.parquet: cannot be read"):
        log.read_log(tmp_path)
    pq.write_table(pa.table({"a": [1]}), broken)
    with pytest.raises(UserError, match="other columns"):
        log.read_log(tmp_path)
