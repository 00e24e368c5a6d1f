from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.data import OfflineData, collect, load, recorded, save
from kl_derail.hybrid.environments.bandit import random_bandit
from kl_derail.hybrid.environments.base import NO_STATE, Environment
from kl_derail.hybrid.environments.tabular import random_mdp
from kl_derail.hybrid.oracles.tabular import TabularOracle, no_bonus
from tests.hybrid import truth

MDP = truth.tiny_mdp(0, horizon=3)
BANDIT = random_bandit(np.random.default_rng(0), contexts=3, arms=4, dimension=2)
WORLDS = pytest.mark.parametrize("world", [MDP, BANDIT], ids=["mdp", "bandit"])


def some(world: Environment, n: int = 7, seed: int = 0) -> OfflineData:
    return collect(world, policies.uniform(world), n, np.random.default_rng(seed))


def same(one: OfflineData, other: OfflineData) -> bool:
    return list(one.steps()) == list(other.steps()) and list(one.episode) == list(other.episode)


def test_an_episode_is_a_path() -> None:
    data = some(MDP, 50)
    assert data.episodes == 50
    assert len(data) == 150
    np.testing.assert_array_equal(data.stage.reshape(50, 3), np.tile([0, 1, 2], (50, 1)))
    follows = data.stage[1:] > 0
    np.testing.assert_array_equal(data.next_state[:-1][follows], data.state[1:][follows])
    np.testing.assert_array_equal(data.reward, MDP.rewards[data.stage, data.state, data.action])


def test_frequencies_are_the_occupancy() -> None:
    policy = policies.softmax_values(MDP, 2.0)
    data = collect(MDP, policy, 4000, np.random.default_rng(0))
    counts = np.zeros(MDP.shape)
    np.add.at(counts, (data.stage, data.state, data.action), 1 / 4000)
    np.testing.assert_allclose(counts, MDP.occupancy(policy), atol=0.03)


def test_bandit_rewards_have_the_noise_said() -> None:
    data = some(BANDIT, 500)
    noise = data.reward - BANDIT.rewards[data.state, data.action]
    assert set(data.next_state) == {NO_STATE}
    assert -1 <= noise.min() < -0.9
    assert 0.9 < noise.max() <= 1


def test_behaviours_share_their_luck() -> None:
    one = collect(MDP, policies.optimal(MDP), 40, np.random.default_rng(5))
    other = collect(MDP, policies.uniform(MDP), 40, np.random.default_rng(5))
    np.testing.assert_array_equal(one.state[one.stage == 0], other.state[other.stage == 0])


@WORLDS
def test_no_data_is_data(world: Environment, tmp_path: Path) -> None:
    data = some(world, 0)
    assert (len(data), data.episodes) == (0, 0)
    save(data, tmp_path / "none.parquet")
    assert same(load(tmp_path / "none.parquet", world), data)


@pytest.mark.parametrize("n", [-1, -1000])
def test_negative_sizes_are_refused(n: int) -> None:
    with pytest.raises(UserError, match=f"^N0: a whole number >= 0 expected, found {n}$"):
        some(MDP, n)


@WORLDS
def test_files_give_back_what_was_saved(world: Environment, tmp_path: Path) -> None:
    data = some(world)
    save(data, tmp_path / "data.parquet")
    assert same(load(tmp_path / "data.parquet", world), data)


def test_columns_are_named_as_the_field_names_them(tmp_path: Path) -> None:
    save(some(MDP), tmp_path / "mdp.parquet")
    save(some(BANDIT), tmp_path / "bandit.parquet")
    mdp, bandit = (pq.read_schema(tmp_path / f"{name}.parquet").names for name in ("mdp", "bandit"))
    assert mdp == ["episode", "h", "state", "action", "reward", "next_state"]
    assert bandit == ["context", "action", "reward"]


@WORLDS
def test_merging_concatenates(world: Environment) -> None:
    one, other = some(world, 4, seed=1), some(world, 3, seed=2)
    both = one.merge(other)
    assert list(both.steps()) == [*one.steps(), *other.steps()]
    assert both.episodes == 7
    assert same(some(world, 0).merge(one), one)


def test_recorded_episodes_are_data() -> None:
    data = some(MDP)
    steps = list(data.steps())
    assert same(recorded(MDP, [steps[i : i + 3] for i in range(0, 21, 3)]), data)


def test_data_of_another_environment_are_refused(tmp_path: Path) -> None:
    twin, larger = truth.tiny_mdp(1, horizon=3), truth.tiny_mdp(0, horizon=4)
    data, path = some(MDP), tmp_path / "data.parquet"
    save(data, path)
    with pytest.raises(UserError, match=f"{MDP.fingerprint} do not fit .* {twin.fingerprint}$"):
        data.check_fits(twin)
    with pytest.raises(UserError, match=rf"^{path}: .*\(3, 2, 3\) do not fit .*\(4, 2, 3\)$"):
        load(path, larger)
    with pytest.raises(UserError, match="do not fit"):
        data.merge(some(twin))
    replace(data, fingerprint=None).check_fits(twin)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": np.full(21, 2)}, r"state must lie in 0\.\.1, found 2\.\.2"),
        ({"action": np.full(21, -1)}, r"action must lie in 0\.\.2, found -1\.\.-1"),
        ({"stage": np.full(21, 3)}, r"stage must lie in 0\.\.2, found 3\.\.3"),
        ({"reward": np.full(21, np.inf)}, "rewards must be finite"),
        ({"action": np.zeros(20, dtype=int)}, r"action has shape \(20,\), rewards \(21,\)"),
        ({"episode": np.arange(21)[::-1]}, "episodes must stand in order"),
        ({"action": np.zeros(21)}, "action must hold whole numbers, found float64"),
        ({"action": np.zeros(21, dtype=bool)}, "action must hold whole numbers, found bool"),
        ({"state": np.full(21, "a")}, "state must hold whole numbers, found <U1"),
        (
            {"next_state": np.full(21, 2**64 - 1, dtype=np.uint64)},
            r"next_state must lie in -1\.\.1, found 18446744073709551615\.\.18446744073709551615",
        ),
        ({"reward": np.full(21, "a")}, "rewards must be numbers, found <U1"),
        ({"reward": np.full(21, 1j)}, "rewards must be numbers, found complex128"),
        ({"reward": np.zeros((21, 1))}, "rewards must have one dimension, found 2"),
        ({"episode": np.array([2, 1, 0], np.uint8).repeat(7)}, "episodes must stand in order"),
        ({"stage": np.tile([0, 2, 1], 7)}, r"row 1 \(h 2, state .\) does not follow row 0 .*"),
        ({"stage": np.tile([2, 1, 0], 7)}, r"row 1 \(h 1, state .\) does not follow row 0 .*"),
        (
            {"next_state": np.full(21, NO_STATE)},
            r"row 1 .* does not follow row 0 .* next_state -1\)",
        ),
        ({"shape": "HSA"}, r"shape \(H, S, A\) or \(S, A\) expected, found 'HSA'"),
        ({"shape": (3, 2.5, 3)}, r"shape .* expected, found \(3, 2\.5, 3\)"),
        ({"shape": (3, 0, 3)}, r"shape .* expected, found \(3, 0, 3\)"),
        ({"shape": (6,)}, r"shape .* expected, found \(6,\)"),
        ({"fingerprint": 3}, "fingerprint: text or none expected, found 3"),
    ],
)
def test_impossible_columns_are_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^offline data: {message}$"):
        replace(some(MDP), **change)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int32])
def test_columns_of_any_integer_type_count_alike(dtype: type) -> None:
    """100 states x 3 actions: row numbers do not fit into the type of a column."""
    mdp = random_mdp(np.random.default_rng(0), horizon=2, states=100, actions=3)
    data = some(mdp, 50)
    names = ["episode", "stage", "state", "action", "next_state"]
    small = replace(data, **{name: getattr(data, name).astype(dtype) for name in names})
    assert same(small, data)
    learnt = [
        TabularOracle(mdp.shape, no_bonus, rewards=mdp.rewards).learn(d) for d in (small, data)
    ]
    np.testing.assert_array_equal(*(each.action_values(1, 0) for each in learnt))
    np.testing.assert_array_equal(*(each.counts.visits for each in learnt))
    assert same(small.merge(small), data.merge(data))
    assert all(getattr(small, name).dtype == np.int64 for name in names)


HEADS = [
    b"\xff\xfe",
    b"5",
    b"[1]",
    b"[" * 100_000,
    b'{"shape": 5, "fingerprint": null}',
    b'{"shape": "abc", "fingerprint": null}',
    b'{"shape": [3, "2", 3], "fingerprint": null}',
    b'{"shape": [], "fingerprint": null}',
    b'{"shape": [3, 2, 3], "fingerprint": 7}',
    b'{"shape": [3, 2, 3]}',
]


@pytest.mark.parametrize("head", HEADS)
def test_broken_metadata_are_one_line(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    save(some(MDP), path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"kl_derail.hybrid": head}), path)
    with pytest.raises(UserError, match=f"^{path}: ") as caught:
        load(path, MDP)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_data_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("episode,h\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for name in ("missing", "text", "other"):
        path = tmp_path / f"{name}.parquet"
        with pytest.raises(UserError, match=f"^{path}: ") as caught:
            load(path, MDP)
        assert "\n" not in str(caught.value)


def test_a_file_without_a_column_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    save(some(MDP), path)
    pq.write_table(pq.read_table(path).drop_columns(["action"]), path)
    with pytest.raises(UserError, match=f"^{path}: .*action"):
        load(path, MDP)
