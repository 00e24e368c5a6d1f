"""The commands `train` and `rollout`."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from kl_derail.chat import BasePolicy, Policy, ScriptedPolicy
from kl_derail.config import option, parse, required
from kl_derail.errors import UserError
from kl_derail.ppo.agent import AgentPolicy
from kl_derail.ppo.folder import CONFIG, existing_run
from kl_derail.ppo.options import PRESETS
from kl_derail.ppo.plan import TrainOptions
from kl_derail.ppo.session import Session, open_trained
from kl_derail.ppo.trainer import train
from kl_derail.transcripts import Summary, named_path, summarise

TYPES = tuple(type(each) for each in TrainOptions())


def train_command(argv: Sequence[str]) -> int:
    """Parse the options and train."""
    train(parse_train(argv))
    return 0


def parse_train(argv: Sequence[str]) -> TrainOptions:
    """The options of a run; a resumed run begins with its own saved configuration."""
    given = TrainOptions(*parse(TYPES, argv, command="train", presets=PRESETS))
    if given.run.resume is None:
        return given
    for flag in ("config", "preset", "init_from", "overwrite"):
        if any(word.partition("=")[0].replace("-", "_") == f"__{flag}" for word in argv):
            raise UserError(f"resume, {flag}: choose one; a resumed run keeps what it began with")
    return read_options(given.run.resume, "resume", argv)


def read_options(run: Path, flag: str, argv: Sequence[str] = ()) -> TrainOptions:
    """The saved options of a run, which `flag` names, with the flags of a command on top."""
    saved = existing_run(run, flag).path / CONFIG
    return TrainOptions(
        *parse(TYPES, ["--config", str(saved), *argv], command="train", presets=PRESETS)
    )


@dataclass(frozen=True)
class RolloutOptions:
    """Evaluation transcripts of a trained agent, of its base, or of a scripted teacher."""

    run: Path = required("folder of the run", positional=True)
    policy: Literal["agent", "base", "script"] = option("agent", "who chooses the agent's tokens")
    script: str | None = option(
        None, "with --policy script: the text of every turn, speaker change included"
    )
    at_once: bool = option(
        False, "with --policy script: also cut short the turn that the opening left unfinished"
    )
    budget: float | None = option(
        None, "KL budget of an episode (nats); none: the run's", minimum=0
    )
    length: int | None = option(None, "tokens in an episode; none: the run's", minimum=2)
    episodes: int = option(128, "episodes to play", minimum=1, short="n")
    seed: int | None = option(None, "seed of the random streams; none: the run's", minimum=0)
    chats: int = option(64, "chats in lockstep", minimum=1)
    top_k: int = option(0, "likeliest tokens of base and policy to record at each step", minimum=0)
    name: str | None = option(None, "name of the transcript file; none: made from the options")
    overwrite: bool = option(False, "replace the transcript file")

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        if (self.policy == "script") != (self.script is not None):
            raise UserError("policy, script: --policy script needs --script TEXT, and only it does")
        if self.at_once and self.policy != "script":
            raise UserError("at_once: only --policy script has a script to begin at once")
        if self.policy != "agent" and self.budget is not None:
            raise UserError(
                f"budget: found {self.budget:g} with --policy {self.policy}, which obeys none"
            )
        if self.name is not None and (
            Path(self.name).name != self.name or self.name.startswith(".")
        ):
            raise UserError(f"name: found {self.name!r}, allowed a plain file name")


def rollout_command(argv: Sequence[str]) -> int:
    """Play a finished run's agent, its base or a script, and write the transcripts into the run."""
    (options,) = parse((RolloutOptions,), argv, command="rollout")
    saved = read_options(options.run, "run")
    file = options.name or _file_name(options, saved)
    target = named_path(options.run, file)
    if target.exists() and not options.overwrite:
        raise UserError(f"name: {target} exists; choose another --name or --overwrite it")
    session = open_trained(_played(options, saved), saved, options.run)
    policy, label, budget = _policy(options, session)
    found = session.evaluate(policy, label, budget=budget, file=file)
    sentence = _sentence(summarise(found), target)
    Console().print(sentence, highlight=False, soft_wrap=True)
    return 0


def _sentence(found: Summary, target: Path) -> str:
    """What the episodes came to, on one line."""
    turns = f"empty turns {_share(found.empty_turn_fraction)}"
    if found.impossible_turn_fraction is not None:
        turns += f", impossible ones {_share(found.impossible_turn_fraction)}"
    return (
        f"{found.n} episodes in {target}: reward {found.reward.mean:.2f}, silent "
        f"{found.silent_episode_fraction:.1%}, {turns}, KL mean {found.kl.mean:.3f}, "
        f"max {found.kl.max:.3f} nats"
    )


def _share(fraction: float) -> str:
    return "none" if math.isnan(fraction) else f"{fraction:.1%}"


def _played(options: RolloutOptions, saved: TrainOptions) -> TrainOptions:
    """The run's options, changed by the command's."""
    run = dataclasses.replace(
        saved.run,
        eval_episodes=options.episodes,
        chats=options.chats,
        top_k=options.top_k,
        seed=saved.run.seed if options.seed is None else options.seed,
    )
    length = saved.scene.length if options.length is None else options.length
    return saved._replace(run=run, scene=dataclasses.replace(saved.scene, length=length))


def _policy(options: RolloutOptions, session: Session) -> tuple[Policy, str, float]:
    """Who plays, what the transcripts call it, and what it may spend."""
    if options.policy == "base":
        return BasePolicy(), "base", 0.0
    if options.script is not None:
        if not re.search(rf"{session.stage.scene.header.pattern}$", options.script):
            raise UserError(
                f"script: {options.script!r} never hands on the word; it must end with a speaker change"
            )
        script = session.stage.tokens_of(options.script)
        return (
            ScriptedPolicy(script, at_once=options.at_once),
            f"scripted:{options.script.strip() or 'blank'}",
            float("inf"),
        )
    budget = session.options.budget.budget if options.budget is None else options.budget
    return AgentPolicy(session.agent), "agent", budget


def _file_name(options: RolloutOptions, saved: TrainOptions) -> str:
    budget = saved.budget.budget if options.budget is None else options.budget
    length = saved.scene.length if options.length is None else options.length
    seed = saved.run.seed if options.seed is None else options.seed
    what = f"agent-b{budget:g}" if options.policy == "agent" else options.policy
    if options.script is not None:
        said = hashlib.sha256(options.script.encode()).hexdigest()[:6]
        what = f"script-{said}-at-once" if options.at_once else f"script-{said}"
    return f"{what}-l{length}-n{options.episodes}-s{seed}"
