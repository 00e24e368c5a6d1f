"""Runs on the disk made by hand, and groups of episodes without any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kl_derail.figures.study import Group, Key, Study
from kl_derail.transcripts import EVALUATION, Episode, named_path, write_episodes
from tests.inspect.factories import TALK, silent
from tests.transcripts.factories import make_episode

CONFIG = {"base": "here/models/tiny", "budget": 10.0, "length": 59, "accounting": "expected"}


def quiet(number: int = 0, **columns: Any) -> Episode:
    """An evaluation episode of an agent that is silent for 8 turns of 0.25 nats."""
    return silent(8, opening_turns=1, **{"update": EVALUATION, "episode": number, **columns})


def talking(number: int = 0, nats: float = 0.0, **columns: Any) -> Episode:
    """An evaluation episode without an empty turn."""
    columns = {"update": EVALUATION, "episode": number, **columns}
    return make_episode(
        TALK * 2, opening_turns=1, turn_kl={2: nats}, turn_reward={3: 0.5}, **columns
    )


def base_episode(number: int = 0, **columns: Any) -> Episode:
    """An evaluation episode of the base."""
    return talking(number, policy="base", budget=0.0, **columns)


def entry(update: int, **changes: float | None) -> dict[str, Any]:
    """The metrics of an update."""
    levels = ("q05", "q25", "q50", "q75", "q95")
    quantiles = {
        f"{name}_{level}": float(place)
        for name in ("reward", "kl")
        for place, level in enumerate(levels)
    }
    return {"update": update, "n": 4, "budget": 10.0, **quantiles, **changes}


def write_run(
    path: Path,
    files: Mapping[str, Sequence[Episode]],
    metrics: Sequence[Mapping[str, Any]] = (),
    **config: Any,
) -> Path:
    """A run folder with these transcripts, by name."""
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.dump({**CONFIG, **config}))
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in metrics))
    for name, episodes in files.items():
        write_episodes(named_path(path, name), episodes)
    return path


def key(policy: str = "agent", budget: float = 10.0, length: int = 64, **changes: Any) -> Key:
    """A key of the base "tiny"."""
    return Key(**{"base": "tiny", "policy": policy, "budget": budget, "length": length, **changes})


def study(*groups: tuple[Key, Mapping[str, Sequence[Episode]]]) -> Study:
    """Groups without the course of any training."""
    return Study([Group(*each) for each in groups], [])
