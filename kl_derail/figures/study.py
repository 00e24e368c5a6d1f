"""The runs behind the figures: read, told apart, and grouped by what makes them comparable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import yaml

from kl_derail.errors import UserError
from kl_derail.inspect.literal import literal
from kl_derail.transcripts import EVALUATION, Episode
from kl_derail.transcripts.salvage import Warn, read_valid
from kl_derail.transcripts.store import FOLDER, find_files, read_info
from kl_derail.transcripts.training import read_metrics

CONFIG = "config.yaml"
UPDATE = re.compile(r"update-(\d+)\.parquet")


class Key(NamedTuple):
    """What the episodes of a group have in common.

    Attributes:
        base: name of the base model.
        policy: "agent", "base" or "scripted:NAME".
        budget: KL budget of an episode, nats; 0 for the base, inf without a limit.
        length: tokens of an episode.
        setting: in words, what else tells this group from others; usually empty.
    """

    base: str
    policy: str
    budget: float
    length: int
    setting: str = ""

    @property
    def player(self) -> str:
        """Who plays under which budget; safe to show.

        >>> Key("b", "agent", 20.0, 256).player
        'agent, 20 nats'
        """
        if self.policy == "base":
            return "base"
        if self.policy == "agent":
            return f"agent, {self.budget:g} nats"
        script = self.policy.partition(":")[2]
        return literal(f"script {shorten(repr(script), 40, placeholder='...')}")

    @property
    def label(self) -> str:
        """Player, length and setting, for a legend or over a panel.

        >>> Key("b", "agent", 20.0, 512, "trained at 256 tokens").label
        'agent, 20 nats, 512 tokens (trained at 256 tokens)'
        """
        name = f"{self.player}, {self.length} tokens"
        return f"{name} ({self.setting})" if self.setting else name


class Group(NamedTuple):
    """Comparable episodes by run; those of the base model count as one run.

    Attributes:
        key: what they have in common.
        runs: episodes by run id.
    """

    key: Key
    runs: Mapping[str, Sequence[Episode]]

    @property
    def episodes(self) -> list[Episode]:
        """Those of all runs."""
        return list(chain.from_iterable(self.runs.values()))


class Training(NamedTuple):
    """The course of one run.

    Attributes:
        key: base, budget and length that it trains for.
        name: its folder.
        entries: its metrics, one an update.
        updates: reads the episodes of an update, by its number; as many as can be read.
    """

    key: Key
    name: str
    entries: Sequence[Mapping[str, Any]]
    updates: Mapping[int, Callable[[], Sequence[Episode]]]


class Study(NamedTuple):
    """All that is drawn.

    Attributes:
        groups: evaluation episodes, sorted: bases by name, the base before its agents.
        trainings: one a run.
    """

    groups: Sequence[Group]
    trainings: Sequence[Training]

    @property
    def bases(self) -> list[str]:
        """Names of the base models."""
        keys = [each.key for each in self.groups] + [each.key for each in self.trainings]
        return sorted({key.base for key in keys})

    def of(self, bases: Iterable[str]) -> Study:
        """Only what belongs to these base models; UserError for an unknown one."""
        wanted = set(bases)
        for name in sorted(wanted - set(self.bases)):
            raise UserError(f"base: found {name}, allowed {', '.join(self.bases) or 'none'}")
        return Study(
            [each for each in self.groups if each.key.base in wanted],
            [each for each in self.trainings if each.key.base in wanted],
        )


class _Config(NamedTuple):
    """What is needed of the configuration of a run."""

    base: str
    budget: float
    length: int
    accounting: str


class _Run(NamedTuple):
    """A folder as it was found."""

    path: Path
    config: _Config
    entries: Sequence[Mapping[str, Any]]
    updates: Mapping[int, Callable[[], Sequence[Episode]]]
    episodes: Sequence[Episode]
    fingerprint: str

    @property
    def base(self) -> str:
        """The last two parts of the base's path or hub id."""
        return literal("/".join(Path(self.config.base).parts[-2:]))


def read_study(runs: Sequence[Path], warn: Warn) -> Study:
    """Everything that the figures need of these runs.

    An episode that stands in several files, or that two runs played alike with the same base, is
    taken once.

    Args:
        runs: folders of runs, finished or not.
        warn: is told in one line of each path that is no run, and is left out; and of each damaged
            transcript file: what is left out of it.

    Raises:
        UserError: none of the paths is a run, one is not there, or a configuration or metrics are no
            such thing.
    """
    found = [_read_run(path, warn) for path in _runs(_distinct(runs), warn)]
    names = _base_names(found)
    cells: dict[Key, dict[str, dict[tuple[Any, ...], Episode]]] = {}
    for run in found:
        for each in run.episodes:
            key, run_id = _key(each, run, names[run.path]), _origin(each)
            cells.setdefault(key, {}).setdefault(run_id, {}).setdefault(_identity(each), each)
    groups = [
        Group(key, {run_id: list(each.values()) for run_id, each in by_run.items()})
        for key, by_run in sorted(cells.items(), key=lambda cell: _order(cell[0]))
    ]
    trainings = [_training(run, names[run.path]) for run in found if run.entries or run.updates]
    return Study(groups, sorted(trainings, key=lambda each: (_order(each.key), each.name)))


def _distinct(runs: Sequence[Path]) -> list[Path]:
    return list({path.resolve(): path for path in reversed(runs)}.values())[::-1]


def _runs(paths: Sequence[Path], warn: Warn) -> list[Path]:
    """Those that are runs: a pattern such as `runs/*` may find other things too."""
    others = {path: why for path in paths if (why := _no_run(path))}
    for path, why in others.items():
        if len(others) == len(paths) or not path.exists():
            raise UserError(f"run: {why}")
    for why in others.values():
        warn(f"left out: {why}")
    return [path for path in paths if path not in others]


def _no_run(path: Path) -> str:
    """Why this is no run; empty if it is one."""
    if not path.is_dir():
        return f"{path} is no folder of a run"
    known = (path / CONFIG).is_file()
    return "" if known else f"{path} is no run of kl_derail: there is no {CONFIG} in it"


def _read_run(path: Path, warn: Warn) -> _Run:
    files = find_files(path) if any((path / FOLDER).glob("*.parquet")) else []
    updates = {int(name[1]): file for file in files if (name := UPDATE.fullmatch(file.name))}
    others = [file for file in files if file not in updates.values()]
    episodes = [each for file in others for each in _readable(file, warn)]
    return _Run(
        path,
        _read_config(path / CONFIG),
        read_metrics(path),
        {update: partial(_readable, updates[update], warn) for update in sorted(updates)},
        [each for each in episodes if each.update == EVALUATION],
        _fingerprint([*others, *updates.values()]),
    )


def _fingerprint(files: Iterable[Path]) -> str:
    """Of the base that these files were sampled against; empty where none says."""
    for file in files:
        with suppress(UserError):
            return read_info(file).base_fingerprint
    return ""


def _readable(file: Path, warn: Warn) -> list[Episode]:
    """What can be read of a file; one line to `warn` if that is not all."""
    try:
        return read_valid(file, warn)
    except UserError as error:
        warn(f"left out: {error}")
        return []


def _read_config(path: Path) -> _Config:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Config(
            str(config["base"]),
            float(config["budget"]),
            int(config["length"]),
            str(config["accounting"]),
        )
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: not the configuration of a run: {reason}") from error


def _base_names(runs: Sequence[_Run]) -> dict[Path, str]:
    """A name for the base of each run: what the first of its runs calls it.

    Different bases that are called the same get their fingerprints too.
    """
    called: dict[str, str] = {}
    for run in runs:
        called.setdefault(run.fingerprint or run.base, run.base)
    shared = Counter(called.values())
    names = {
        each: f"{name} {each[:6]}" if shared[name] > 1 else name for each, name in called.items()
    }
    return {run.path: names[run.fingerprint or run.base] for run in runs}


def _key(episode: Episode, run: _Run, base: str) -> Key:
    setting = _setting(episode, run.config) if episode.policy == "agent" else ""
    return Key(base, episode.policy, episode.budget, episode.length, setting)


def _setting(episode: Episode, config: _Config) -> str:
    """What of the agent's training and accounting the rest of the key does not say."""
    trained = [] if config.budget == episode.budget else [f"{config.budget:g} nats"]
    trained += [] if config.length == episode.length else [f"{config.length} tokens"]
    said = [f"trained at {', '.join(trained)}"] if trained else []
    return ", ".join([*said, *_accounting(episode.accounting)])


def _accounting(accounting: str) -> list[str]:
    return [] if accounting == "expected" else [f"{accounting} accounting"]


def _origin(episode: Episode) -> str:
    """Whose episodes they are: a run's, or those of the base model, whoever played it."""
    return episode.base_fingerprint if episode.policy == "base" else episode.run_id


def _identity(episode: Episode) -> tuple[Any, ...]:
    """Equal for one chat that stands in two files; the base says the same in two runs of one seed."""
    chat = episode.token_id.tobytes() if episode.policy == "base" else b""
    return episode.seed, episode.episode, chat


def _training(run: _Run, base: str) -> Training:
    config = run.config
    setting = ", ".join(_accounting(config.accounting))
    key = Key(base, "agent", config.budget, config.length, setting)
    return Training(key, str(run.path), run.entries, run.updates)


def _order(key: Key) -> tuple[Any, ...]:
    """By base; the base model first, then agents by budget, scripts last."""
    kind = {"base": 0, "agent": 1}.get(key.policy, 2)
    return key.base, kind, key.budget, key.policy, key.length, key.setting
