import dataclasses
import json

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid.experiment import folder, log
from kl_derail.hybrid.experiment.tabular import WORLD, TabularOptions
from kl_derail.hybrid.experiment.worlds import Method
from tests.hybrid.compiled import agreement
from tests.hybrid.experiment.test_log import curve

OPTIONS = TabularOptions(horizon=2, states=2, actions=2)
METHODS = (Method("online", "hybrid", "", 0), Method("rho1", "hybrid", "optimal", 5))
EXPERIMENT = agreement.experiment(WORLD, "tabular", "regret", 10, methods=METHODS, options=OPTIONS)


def test_a_record_says_all_that_the_numbers_depend_on(tmp_path):
    built = WORLD.build(OPTIONS)
    folder.prepare(tmp_path, EXPERIMENT, built)
    found = folder.read_record(tmp_path)
    assert found["settings"]["methods"][1] == ["rho1", "hybrid", "optimal", 5]
    assert found["settings"]["states"] == 2
    arrays = folder.load_arrays(tmp_path / folder.ENVIRONMENT, tuple(built.arrays))
    for name, array in built.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_the_logged_environment_can_be_given_back(tmp_path):
    folder.prepare(tmp_path, EXPERIMENT, WORLD.build(OPTIONS))
    again = WORLD.build(TabularOptions(environment=tmp_path / folder.ENVIRONMENT))
    assert again.environment.fingerprint == WORLD.build(OPTIONS).environment.fingerprint


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"episodes": 11}, "episodes: 10, asked for 11"),
        ({"seed": 1}, "seed: 0, asked for 1"),
        ({"bonus": "valid"}, 'bonus: "published", asked for "valid"'),
        ({"methods": METHODS[:1]}, "methods"),
        ({"options": dataclasses.replace(OPTIONS, states=3)}, "states: 2, asked for 3"),
    ],
)
def test_another_experiment_is_refused_and_the_setting_is_named(tmp_path, changes, line):
    folder.prepare(tmp_path, EXPERIMENT, WORLD.build(OPTIONS))
    before = (tmp_path / folder.RECORD).read_bytes()
    other = dataclasses.replace(EXPERIMENT, **changes)
    with pytest.raises(UserError, match=line):
        folder.prepare(tmp_path, other, WORLD.build(other.options))
    assert (tmp_path / folder.RECORD).read_bytes() == before


def test_another_environment_under_the_same_settings_is_refused(tmp_path):
    built = WORLD.build(OPTIONS)
    folder.prepare(tmp_path, EXPERIMENT, built)
    arrays = {**built.arrays, "rewards": 1 - built.arrays["rewards"]}
    with pytest.raises(UserError, match="begun with fingerprint"):
        folder.prepare(tmp_path, EXPERIMENT, built._replace(arrays=arrays))


def test_trials_without_a_record_are_refused(tmp_path):
    log.append(tmp_path, 0, [curve()])
    with pytest.raises(UserError, match=r"found trials in log but no experiment\.json"):
        folder.prepare(tmp_path, EXPERIMENT, WORLD.build(OPTIONS))
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_lost_environment_is_written_again(tmp_path):
    built = WORLD.build(OPTIONS)
    folder.prepare(tmp_path, EXPERIMENT, built)
    path = tmp_path / folder.ENVIRONMENT
    before = path.read_bytes()
    path.unlink()
    folder.prepare(tmp_path, EXPERIMENT, built)
    assert path.read_bytes() == before


def test_what_a_killed_begin_left_is_no_environment_of_ours(tmp_path):
    (tmp_path / folder.ENVIRONMENT).write_text("of another experiment")
    built = WORLD.build(OPTIONS)
    folder.prepare(tmp_path, EXPERIMENT, built)
    folder.load_arrays(tmp_path / folder.ENVIRONMENT, tuple(built.arrays))


def test_the_environment_can_be_read_by_whom_the_record_can(tmp_path):
    folder.prepare(tmp_path, EXPERIMENT, WORLD.build(OPTIONS))
    modes = {(tmp_path / name).stat().st_mode for name in (folder.ENVIRONMENT, folder.RECORD)}
    assert len(modes) == 1


def test_where_an_environment_comes_from_is_not_compared(tmp_path):
    path = tmp_path / "mdp.npz"
    np.savez(path, **WORLD.build(OPTIONS).arrays)
    spelt = [TabularOptions(environment=each) for each in (path, tmp_path / "." / "mdp.npz")]
    spelt.append(TabularOptions(environment=path.parent / ".." / tmp_path.name / "mdp.npz"))
    for options in spelt:
        same = dataclasses.replace(EXPERIMENT, options=options)
        folder.prepare(tmp_path / "out", same, WORLD.build(options))
    np.savez(path, **{**WORLD.build(OPTIONS).arrays, "rewards": np.ones((2, 2, 2))})
    with pytest.raises(UserError, match="begun with fingerprint"):
        folder.prepare(tmp_path / "out", same, WORLD.build(options))


def test_arrays_are_read_from_npz_and_never_unpickled(tmp_path):
    path = tmp_path / "mdp.npz"
    np.savez(path, rewards=np.ones(2), other=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="cannot be read"):
        folder.load_arrays(path, ("rewards",))
    np.savez(path, rewards=np.ones(2, dtype=np.float32))
    assert folder.load_arrays(path, ("rewards",))["rewards"].dtype == np.float64
    with pytest.raises(UserError, match=r"no array 'initial'; needed are rewards, initial"):
        folder.load_arrays(path, ("rewards", "initial"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"1 2 3\n", "not a zip file"), (b"PK\x05\x06" + bytes(18), "no array 'rewards'")],
)
def test_text_named_npz_is_one_line_without_a_word_of_pickles(tmp_path, content, message):
    path = tmp_path / "mdp.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        folder.load_arrays(path, ("rewards",))
    assert "pickle" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_complex_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "mdp.npz", rewards=np.array([1j]))
    with pytest.raises(UserError, match="rewards holds complex numbers"):
        folder.load_arrays(tmp_path / "mdp.npz", ("rewards",))


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"settings": 3}), "\xff"])
def test_a_broken_record_is_one_line(tmp_path, text):
    (tmp_path / folder.RECORD).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"experiment\.json: cannot be read"):
        folder.read_record(tmp_path)
