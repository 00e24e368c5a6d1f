"""Trained runs as far as prices can speak of them: the same base and setting, under the budget of their training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kl_derail.chat import Stage
from kl_derail.errors import UserError
from kl_derail.pricing.predict import Outcome, outcome
from kl_derail.transcripts import EVALUATION, Episode, find_files, read_episodes
from kl_derail.transcripts.store import FOLDER

CONFIG = "config.yaml"
"""The options of a run, which its folder holds beside its transcripts."""

ACCOUNTING = "expected"
"""The accounting of budgets that prices speak of: exact KL."""


class Setting(NamedTuple):
    """What a price holds for, its length apart.

    Attributes:
        base_fingerprint: of the base model.
        opening: token ids that every chat begins with.
        agent: name of the agent's speaker.
        speakers: names of all speakers.
        student_temperature: of everyone but the agent.
        max_reply_tokens: where a reply is cut off; None: never.
    """

    base_fingerprint: str
    opening: tuple[int, ...]
    agent: str
    speakers: tuple[str, ...]
    student_temperature: float
    max_reply_tokens: int | None


def setting_of(stage: Stage) -> Setting:
    """The setting of the chats that are played on a stage."""
    scene = stage.scene
    return Setting(
        stage.base.fingerprint,
        tuple(stage.opening),
        scene.agent,
        tuple(scene.speakers),
        scene.student_temperature,
        scene.max_reply_tokens,
    )


class Trained(NamedTuple):
    """One trained agent at one length.

    Attributes:
        run: folder of the run.
        file: its transcript file.
        base_fingerprint: of the base model.
        length: tokens of an episode.
        trained_length: tokens of an episode in training; None where the run does not say.
        budget: nats.
        learned: from the agent's evaluation episodes.
    """

    run: str
    file: str
    base_fingerprint: str
    length: int
    trained_length: int | None
    budget: float
    learned: Outcome


def read_runs(runs: Iterable[Path], setting: Setting, lengths: Collection[int]) -> list[Trained]:
    """The evaluations of trained agents that prices of this setting and these lengths can be held against.

    Of the evaluations of one agent at one length, the largest counts. Those under another budget than that of
    the training are left out: what an agent does with nats it never had is no outcome of training.

    Args:
        runs: run folders, folders of transcripts, or files.
        setting: of the prices.
        lengths: of the prices, tokens.

    Raises:
        UserError: a run without such an evaluation, or of another setting.
    """
    return [each for run in dict.fromkeys(runs) for each in _read_run(run, setting, lengths)]


def _read_run(run: Path, setting: Setting, lengths: Collection[int]) -> list[Trained]:
    best: dict[tuple[int, float], Trained] = {}
    for path in find_files(run):
        for each in _evaluations(run, path, setting, lengths):
            key = (each.length, each.budget)
            if key not in best or each.learned.silent.n > best[key].learned.silent.n:
                best[key] = each
    if not best:
        raise UserError(
            f"runs: {run}: no evaluation of its agent under the budget of its training,"
            f" at a length that is priced: {', '.join(map(str, lengths))} tokens"
        )
    return list(best.values())


def _evaluations(
    run: Path, path: Path, setting: Setting, lengths: Collection[int]
) -> list[Trained]:
    """What one file says of the agent, by length and budget."""
    trained = _read_config(path)
    groups: dict[tuple[int, float], list[Episode]] = {}
    for episode in read_episodes(path, update=EVALUATION):
        budget = trained.get("budget")
        as_trained = budget is None or math.isclose(budget, episode.budget)
        if episode.policy == "agent" and episode.length in lengths and as_trained:
            _check_episode(episode, setting, path)
            groups.setdefault((episode.length, episode.budget), []).append(episode)
    if groups:
        _check_config(trained, setting, path)
    return [
        Trained(
            str(run),
            path.stem,
            setting.base_fingerprint,
            length,
            trained.get("length"),
            budget,
            outcome(episodes),
        )
        for (length, budget), episodes in groups.items()
    ]


def _check_episode(episode: Episode, setting: Setting, path: Path) -> None:
    """Refuse an episode of another base, opening, cast or accounting."""
    pairs = {
        "base model": (episode.base_fingerprint[:12], setting.base_fingerprint[:12]),
        "agent": (episode.agent, setting.agent),
        "speakers": (episode.speakers, setting.speakers),
        "accounting": (episode.accounting, ACCOUNTING),
    }
    for name, (found, priced) in pairs.items():
        _check_same(path, f"episode {episode.episode}: {name}", found, priced)
    if tuple(episode.token_id[: episode.opening_tokens].tolist()) != setting.opening:
        raise UserError(
            f"runs: {path}: episode {episode.episode}: begins with another opening than the priced chats"
        )


def _check_config(trained: Mapping[str, Any], setting: Setting, path: Path) -> None:
    """Refuse a run whose student is another; transcripts do not say."""
    for name in ("student_temperature", "max_reply_tokens"):
        if name in trained:
            _check_same(path, name, trained[name], getattr(setting, name))


def _check_same(path: Path, name: str, found: object, priced: object) -> None:
    if found != priced:
        raise UserError(f"runs: {path}: {name}: found {found!r}, priced {priced!r}")


NUMBERS = {"budget": float, "length": int, "student_temperature": float, "max_reply_tokens": int}
"""The options of a run that count here, and their types."""


def _read_config(transcript: Path) -> dict[str, Any]:
    """`NUMBERS` of the run that a transcript belongs to, as far as its configuration gives them."""
    in_run = transcript.parent.name == FOLDER
    path = (transcript.parent.parent if in_run else transcript.parent) / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise TypeError("it is no mapping")
        given: Sequence[str] = [name for name in NUMBERS if name in config]
        return {
            name: None if config[name] is None else NUMBERS[name](config[name]) for name in given
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"runs: {path}: not the configuration of a run: {error}") from error
