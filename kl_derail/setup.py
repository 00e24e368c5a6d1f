"""From options to a stage ready to chat and a reward ready to score: shared by every command that chats."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import torch
import transformers
from accelerate import PartialState

from kl_derail import embedded
from kl_derail.base import load_base
from kl_derail.chat import Scene, Stage
from kl_derail.config import option
from kl_derail.embedded.trusted import GRAMMAR
from kl_derail.errors import UserError, did_you_mean
from kl_derail.reward import ReplyScorer, Scorer, SentimentModel

EMBEDDED = "embedded"
BUILT_IN: Final = MappingProxyType({EMBEDDED: "derails", "embedded-control": "control"})
"""The names of the shipped bases and the variants of the embedded world that they are."""


@dataclass(frozen=True)
class BaseOptions:
    """The frozen language model."""

    base: str = option(
        EMBEDDED,
        "hub id or folder of a causal language model; embedded: the built-in one; "
        "embedded-control: the built-in one to which a teacher's silence stays dear",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "precision of the base; auto: float32 on CPU, as stored elsewhere"
    )
    quantization: Literal["none", "nf4"] = option("none", "4-bit weights (not yet available)")
    device: str = option(
        "auto",
        "cpu, cuda, cuda:1 ...; auto: as accelerate was launched, else a GPU where there is one",
    )
    threads: int = option(
        1, "CPU threads of torch; one is fastest for the built-in base", minimum=1
    )


@dataclass(frozen=True)
class TalkOptions:
    """Who chats with whom."""

    opening: str | None = option(
        None, "text that every chat begins with, cut where the chat goes on; none: the built-in one"
    )
    agent: str = option(embedded.AGENT, "the speaker whose tokens the agent chooses")
    speakers: list[str] = option(
        list(embedded.SPEAKERS), "all speakers, as their headers name them"
    )
    student_temperature: float = option(0.05, "temperature of everyone but the agent", minimum=1e-3)
    max_reply_tokens: int | None = option(
        None, "cut off a reply after so many tokens; none: never", minimum=1
    )


@dataclass(frozen=True)
class SceneOptions(TalkOptions):
    """Who chats with whom, and for how long."""

    length: int = option(256, "tokens in an episode, opening included", minimum=2)


@dataclass(frozen=True)
class RewardOptions:
    """What a reply is worth."""

    reward: str = option(
        EMBEDDED,
        "hub id or folder of a sentiment classifier, or python:MODULE:FUNCTION from texts to scores in [0, 1]",
    )
    blank_reward: float | None = option(
        0.5, "score of a blank reply; none: ask the classifier", minimum=0, maximum=1
    )
    score_cut_off: bool = option(False, "also score the reply that the end of the episode cut off")


def choose_device(options: BaseOptions) -> torch.device:
    """The device that `--device` names, once it is known to work; sets the number of CPU threads too."""
    torch.set_num_threads(options.threads)
    state = PartialState()
    if state.num_processes > 1:
        raise UserError(
            f"found {state.num_processes} processes, allowed 1: training is not yet shared between them"
        )
    if options.device == "auto":
        return torch.device(state.device)
    try:
        return torch.empty(0, device=options.device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"device: found {options.device!r}, which does not work here: {reason}"
        ) from error


def build_stage(base: BaseOptions, scene: SceneOptions, *, feature_layers: int) -> Stage:
    """Load the base and make the scene; user errors before anything slow where possible."""
    quiet_libraries()
    made = build_scene(base, scene)
    variant = BUILT_IN.get(base.base)
    loaded = load_base(
        str(embedded.base_path(variant)) if variant else base.base,
        dtype=base.dtype,
        quantization=base.quantization,
        device=choose_device(base),
    )
    if loaded.trusted_policy not in ("", GRAMMAR):
        print(
            f"kl-derail: warning: the base imitates the trusted policy {loaded.trusted_policy}, this "
            f"program knows {GRAMMAR}: impossible turns are not measured",
            file=sys.stderr,
        )
    return Stage(loaded, made, feature_layers)


def quiet_libraries() -> None:
    """Keep the libraries' own progress bars out of ours."""
    transformers.utils.logging.disable_progress_bar()


def build_scene(base: BaseOptions, scene: SceneOptions) -> Scene:
    """The scene; the built-in opening belongs to bases that imitate the built-in teacher."""
    if scene.opening is None and not _of_our_world(base.base):
        raise UserError(
            f"opening: needed with --base {base.base}; only bases of the built-in world have one"
            f"{did_you_mean(base.base, tuple(BUILT_IN))}"
        )
    return Scene(
        opening=embedded.OPENING if scene.opening is None else scene.opening,
        agent=scene.agent,
        speakers=tuple(scene.speakers),
        length=scene.length,
        student_temperature=scene.student_temperature,
        max_reply_tokens=scene.max_reply_tokens,
    )


def _of_our_world(name: str) -> bool:
    """Whether the base is built in, or a folder that names the trusted policy we know."""
    config = Path(name).expanduser() / "config.json"
    if name in BUILT_IN or not config.is_file():
        return name in BUILT_IN
    try:
        return bool(json.loads(config.read_text(encoding="utf-8")).get("trusted_policy") == GRAMMAR)
    except (ValueError, AttributeError):
        return False  # what is wrong with the file is for the loader to say


def build_reward(options: RewardOptions, device: torch.device) -> ReplyScorer:
    """The scorer of replies."""
    return ReplyScorer(_scorer(options.reward, device), blank_reward=options.blank_reward)


def _scorer(name: str, device: torch.device) -> Scorer:
    if name.startswith("python:"):
        scorer: Scorer = load_function(name, "reward")
        return scorer
    return SentimentModel(
        str(embedded.sentiment_path()) if name == EMBEDDED else name, device=device
    )


def load_function(name: str, option: str) -> Callable[..., Any]:
    """The function that python:MODULE:FUNCTION names; modules of the working directory are found too.

    Args:
        name: of the function.
        option: that names it, for messages.
    """
    module, _, attribute = name.removeprefix("python:").partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the user's module raises
        raise UserError(
            f"{option}: cannot import {name!r}: {error}; allowed python:MODULE:FUNCTION"
        ) from error
    if not callable(function):
        raise UserError(f"{option}: {name!r} is no function")
    return cast(Callable[..., Any], function)
