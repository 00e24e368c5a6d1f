"""The environment of an experiment, from the arrays beside its log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from kl_derail.errors import UserError
from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.concentrability.recorded import Reference, Visits
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.experiment import behaviours
from kl_derail.hybrid.experiment.folder import (
    ENVIRONMENT,
    RECORD,
    environment_fingerprint,
    read_record,
)
from kl_derail.hybrid.policies import softmax_rewards, softmax_values


class Recorded(NamedTuple):
    """A world known by recorded episodes.

    Attributes:
        reference: model learnt from all of them.
        occupancies: [2, S, A] visits an episode of both behaviours.
        optimal: episodes of the model's optimal policy.
        behaviours: episodes of both behaviours.
    """

    reference: Reference
    occupancies: Floats
    optimal: Visits
    behaviours: tuple[Visits, Visits]


Finite = TabularMDP | LinearBandit | ArmsBandit
World = Finite | Recorded
Arrays = Mapping[str, npt.NDArray[Any]]

TABULAR = {"transitions", "rewards", "initial"}
LINEAR = {"features", "theta", "contexts", "noise"}
ARMS = {"users", "items", "contexts", "noise"}
RECORDED = {"occupancies", *Reference._fields, *Visits._fields}


def read_world(folder: Path) -> World | None:
    """The environment that the arrays beside a log stand for; None where they are none of these.

    Raises:
        UserError: the file is broken, or not the one that the experiment was begun with.
    """
    path = folder / ENVIRONMENT
    if not path.is_file():
        return None
    try:
        arrays = load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from error
    _check_fingerprint(folder, arrays)
    return _world(arrays)


def _check_fingerprint(folder: Path, arrays: Arrays) -> None:
    record = read_record(folder) if (folder / RECORD).is_file() else {}
    if "fingerprint" not in record:
        return
    found = environment_fingerprint(str(record["settings"].get("world")), arrays)
    if found != record["fingerprint"]:
        raise UserError(
            f"{folder / ENVIRONMENT}: found fingerprint {found}, {RECORD} was begun with "
            f"{record['fingerprint']}; remove the file and run the experiment again to restore it"
        )


def _world(arrays: Arrays) -> World | None:
    def some(names: set[str]) -> dict[str, Any]:
        return {name: arrays[name] for name in names}

    if arrays.keys() >= TABULAR:
        return TabularMDP(**some(TABULAR))
    if arrays.keys() >= LINEAR:
        return LinearBandit(**{**some(LINEAR), "noise": arrays["noise"].item()})
    if arrays.keys() >= ARMS:
        return ArmsBandit(**{**some(ARMS), "noise": arrays["noise"].item()})
    return _recorded(arrays) if arrays.keys() >= RECORDED else None


def _recorded(arrays: Arrays) -> Recorded:
    model = {name: arrays[name] for name in Reference._fields}
    reference = Reference(**{**model, "discount": arrays["discount"].item()})
    optimal, first, second = (
        Visits(arrays["states"][place], arrays["actions"][place], arrays["lengths"][place] - 1)
        for place in range(3)
    )
    return Recorded(reference, np.asarray(arrays["occupancies"]), optimal, (first, second))


def policy(world: Finite, spelt: str) -> Floats:
    """The offline policy of that spelling.

    Raises:
        UserError: another spelling.
    """
    if isinstance(world, TabularMDP):
        return behaviours.policy(world, spelt, softmax_values)
    return behaviours.policy(world, spelt, softmax_rewards)
