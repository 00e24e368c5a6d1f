"""Offline data: collected under a behaviour policy, kept as parquet, merged with online data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.environments.base import NO_STATE, Environment
from kl_derail.hybrid.policies import as_stochastic
from kl_derail.hybrid.sampling import cumulative, draw
from kl_derail.plumbing.writing import replacing

MDP_COLUMNS = {
    "episode": "episode",
    "h": "stage",
    "state": "state",
    "action": "action",
    "reward": "reward",
    "next_state": "next_state",
}
"""Column of the file to field, for MDPs."""

BANDIT_COLUMNS = {"context": "state", "action": "action", "reward": "reward"}
"""Column of the file to field, for bandits: a row is an episode."""

_METADATA = b"kl_derail.hybrid"


class Step(NamedTuple):
    """One step of an episode.

    Attributes:
        stage: h, from 0; 0 for bandits.
        state: or context.
        action: played.
        reward: realised.
        next_state: NO_STATE where the episode ended.
    """

    stage: int
    state: int
    action: int
    reward: float
    next_state: int


@dataclass(frozen=True, eq=False)
class OfflineData:
    """Steps in the order in which they were recorded; all columns [N].

    Attributes:
        shape: of a policy of the environment, (H, S, A) or (S, A).
        fingerprint: of the environment; None where it is not known, e.g. logs from elsewhere.
        episode: number of the episode, from 0, non-decreasing.
        stage: h, from 0; rises by one from step to step of an episode.
        state: or context.
        action: played.
        reward: realised.
        next_state: NO_STATE where the episode ended.

    Columns of any integer type are kept as int64, rewards as float64.

    Raises:
        UserError: columns of different lengths or of another kind, states or actions that the shape
            does not have, rewards that are not finite, episodes out of order, or steps of an episode
            of which one does not begin where the one before ended.
    """

    shape: tuple[int, ...]
    fingerprint: str | None
    episode: Ints
    stage: Ints
    state: Ints
    action: Ints
    reward: Floats
    next_state: Ints

    def __post_init__(self) -> None:
        _check_head(self.shape, self.fingerprint)
        horizon, (states, actions) = (self.shape[0] if len(self.shape) == 3 else 1), self.shape[-2:]
        object.__setattr__(self, "reward", _rewards(self.reward))
        steps = len(self.reward)
        limits = {
            "episode": (0, max(steps - 1, 0)),
            "stage": (0, horizon - 1),
            "state": (0, states - 1),
            "action": (0, actions - 1),
            "next_state": (NO_STATE, states - 1),
        }
        for name, (low, high) in limits.items():
            column = _whole_numbers(name, getattr(self, name), steps, low, high)
            object.__setattr__(self, name, column)
        if (np.diff(self.episode) < 0).any():
            raise UserError("offline data: episodes must stand in order")
        self._check_paths()

    def _check_paths(self) -> None:
        within = np.diff(self.episode) == 0
        broken = (np.diff(self.stage) != 1) | (self.next_state[:-1] != self.state[1:])
        if (within & broken).any():
            row = int(np.flatnonzero(within & broken)[0])
            raise UserError(
                f"offline data: row {row + 1} (h {self.stage[row + 1]}, state {self.state[row + 1]}) "
                f"does not follow row {row} of its episode (h {self.stage[row]}, next_state "
                f"{self.next_state[row]})"
            )

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def episodes(self) -> int:
        """N0, how many episodes there are."""
        return int(self.episode[-1]) + 1 if len(self) else 0

    def steps(self) -> Iterator[Step]:
        """The rows, one by one."""
        columns = (self.stage, self.state, self.action, self.reward, self.next_state)
        return map(Step._make, zip(*(column.tolist() for column in columns), strict=True))

    def merge(self, other: OfflineData) -> OfflineData:
        """These episodes, then the others.

        Raises:
            UserError: the two come from different environments.
        """
        self._check_same(other.shape, other.fingerprint)
        later = {"episode": other.episode + self.episodes}
        columns = {
            name: np.concatenate([getattr(self, name), later.get(name, getattr(other, name))])
            for name in MDP_COLUMNS.values()
        }
        return OfflineData(self.shape, self.fingerprint or other.fingerprint, **columns)

    def check_fits(self, environment: Environment) -> None:
        """UserError where the data come from another environment."""
        self._check_same(environment.shape, environment.fingerprint)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """UserError where policies of the environment have another shape."""
        if self.shape != shape:
            raise UserError(f"offline data of shape {self.shape} do not fit one of {shape}")

    def _check_same(self, shape: tuple[int, ...], fingerprint: str | None) -> None:
        self.check_shape(shape)
        if None not in (self.fingerprint, fingerprint) and self.fingerprint != fingerprint:
            raise UserError(
                f"offline data of environment {self.fingerprint} do not fit environment {fingerprint}"
            )


def recorded(environment: Environment, episodes: list[list[Step]]) -> OfflineData:
    """Episodes that were played in the environment, as data.

    >>> from kl_derail.hybrid.environments.tabular import random_mdp
    >>> recorded(random_mdp(np.random.default_rng(0)), [[Step(0, 1, 2, 0.5, 3)]]).episodes
    1
    """
    rows = [(number, *step) for number, steps in enumerate(episodes) for step in steps]
    episode, stage, state, action, reward, next_state = (
        zip(*rows, strict=True) if rows else [()] * 6
    )
    return OfflineData(
        environment.shape,
        environment.fingerprint,
        episode=np.array(episode, dtype=np.int64),
        stage=np.array(stage, dtype=np.int64),
        state=np.array(state, dtype=np.int64),
        action=np.array(action, dtype=np.int64),
        reward=np.array(reward, dtype=np.float64),
        next_state=np.array(next_state, dtype=np.int64),
    )


def collect(
    environment: Environment, policy: Floats | Ints, n: int, rng: np.random.Generator
) -> OfflineData:
    """Play n episodes by a behaviour policy.

    Every action takes one uniform number, also where the policy is deterministic, so that
    behaviours that share a seed share their luck: first state, then action and step in turn.

    Args:
        environment: to play in.
        policy: probabilities [H, S, A] or [S, A], or actions [H, S] or [S].
        n: episodes, N0 >= 0.
        rng: of all draws.

    Raises:
        UserError: n is negative, or the policy is none of this environment.
    """
    arrays.check_count("N0", n)
    cumulative_HSA = cumulative(as_stochastic(policy, environment.shape))
    if len(environment.shape) == 2:
        cumulative_HSA = cumulative_HSA[None]
    return recorded(environment, [_episode(environment, cumulative_HSA, rng) for _ in range(n)])


def _episode(
    environment: Environment, cumulative_HSA: Floats, rng: np.random.Generator
) -> list[Step]:
    state, steps = environment.reset(rng), list[Step]()
    for stage, cumulative_SA in enumerate(cumulative_HSA):
        action = draw(cumulative_SA[state], rng)
        reward, next_state = environment.step(stage, state, action, rng)
        steps.append(Step(stage, state, action, reward, next_state))
        if next_state == NO_STATE:
            break
        state = next_state
    return steps


def save(data: OfflineData, path: Path) -> None:
    """Write the data as parquet, with the shape and the fingerprint of their environment.

    Raises:
        UserError: the file cannot be written.
    """
    columns = _columns(data.shape)
    head = json.dumps({"shape": data.shape, "fingerprint": data.fingerprint})
    table = pa.table({column: getattr(data, field) for column, field in columns.items()})
    with replacing(path) as partial:
        pq.write_table(table.replace_schema_metadata({_METADATA: head}), partial)


def load(path: Path, environment: Environment) -> OfflineData:
    """Read data that were saved for this environment.

    Raises:
        UserError: no such data, broken data, or data of another environment.
    """
    try:
        table = pq.read_table(path)
        head = json.loads((table.schema.metadata or {})[_METADATA])
        data = _from_table(table, tuple(head["shape"]), head["fingerprint"])
        data.check_fits(environment)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as parquet ({error})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: no offline data of kl_derail.hybrid ({error})") from error
    return data


def _from_table(table: pa.Table, shape: tuple[int, ...], fingerprint: str | None) -> OfflineData:
    _check_head(shape, fingerprint)
    fields = {field: table.column(column).to_numpy() for column, field in _columns(shape).items()}
    if len(shape) == 2:
        rows = table.num_rows
        fields["episode"] = np.arange(rows)
        fields["stage"] = np.zeros(rows, dtype=np.int64)
        fields["next_state"] = np.full(rows, NO_STATE)
    return OfflineData(shape, fingerprint, **fields)


def _columns(shape: tuple[int, ...]) -> dict[str, str]:
    return MDP_COLUMNS if len(shape) == 3 else BANDIT_COLUMNS


def _check_head(shape: object, fingerprint: object) -> None:
    if not (
        isinstance(shape, tuple)
        and len(shape) in (2, 3)
        and all(isinstance(n, int | np.integer) and n > 0 for n in shape)
    ):
        raise UserError(f"offline data: shape (H, S, A) or (S, A) expected, found {shape!r}")
    if not isinstance(fingerprint, str | None):
        raise UserError(f"offline data: fingerprint: text or none expected, found {fingerprint!r}")


def _rewards(given: npt.ArrayLike) -> Floats:
    column = np.asarray(given)
    if column.dtype.kind not in "fiu":
        raise UserError(f"offline data: rewards must be numbers, found {column.dtype}")
    if column.ndim != 1:
        raise UserError(f"offline data: rewards must have one dimension, found {column.ndim}")
    if not np.isfinite(column).all():
        raise UserError("offline data: rewards must be finite")
    return column.astype(np.float64)


def _whole_numbers(name: str, given: npt.ArrayLike, steps: int, low: int, high: int) -> Ints:
    """The column as int64: in a type without signs, differences and products would wrap around."""
    column = np.asarray(given)
    if column.shape != (steps,):
        raise UserError(f"offline data: {name} has shape {column.shape}, rewards ({steps},)")
    if not np.issubdtype(column.dtype, np.integer):
        raise UserError(f"offline data: {name} must hold whole numbers, found {column.dtype}")
    if steps and not low <= int(column.min()) <= int(column.max()) <= high:
        found = f"{column.min()}..{column.max()}"
        raise UserError(f"offline data: {name} must lie in {low}..{high}, found {found}")
    return column.astype(np.int64)
