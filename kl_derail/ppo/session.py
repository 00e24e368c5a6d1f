"""A run in memory: opened anew, from another run's agent, or where it stopped."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from kl_derail.chat import (
    BasePolicy,
    Origin,
    Policy,
    Rollout,
    Stage,
    play,
    record,
    score_replies,
)
from kl_derail.config import as_mapping, save_resolved
from kl_derail.errors import UserError
from kl_derail.ppo import checkpoint
from kl_derail.ppo.agent import Agent
from kl_derail.ppo.checkpoint import Checkpoint, Progress
from kl_derail.ppo.folder import CONFIG, SUMMARY, RunFolder, existing_run
from kl_derail.ppo.plan import TrainOptions, is_done, may_change, run_id
from kl_derail.ppo.trackers import check_trackers
from kl_derail.ppo.update import make_optimiser
from kl_derail.reward import ReplyScorer
from kl_derail.setup import build_reward, build_stage
from kl_derail.transcripts import Episode, named_path, write_episodes


@dataclass
class Session:
    """Everything a run works with.

    Attributes:
        options: resolved.
        folder: on the disk.
        stage: base and scene.
        scorer: of replies.
        agent: being trained.
        optimiser: of the agent.
        progress: updates and tokens done.
        run_id: stands in every transcript.
    """

    options: TrainOptions
    folder: RunFolder
    stage: Stage
    scorer: ReplyScorer
    agent: Agent
    optimiser: torch.optim.Optimizer
    progress: Progress
    run_id: str

    def save(self) -> None:
        """Write a checkpoint."""
        made = Checkpoint(
            base_fingerprint=self.stage.base.fingerprint,
            progress=self.progress,
            agent=self.agent.state_dict(),
            optimiser=checkpoint.optimiser_tensors(self.optimiser),
            rewards=self.scorer.cache,
        )
        checkpoint.save_checkpoint(self.folder.path, made, keep=self.options.run.keep_checkpoints)

    def restore(self, found: Checkpoint, what: str) -> None:
        """Go on where a checkpoint, called `what` in messages, stands."""
        self.check_base(found, what)
        checkpoint.restore_agent(self.agent, found, what)
        checkpoint.restore_optimiser(self.optimiser, found.optimiser)
        self.scorer.restore(found.rewards)
        self.progress = found.progress

    def check_base(self, found: Checkpoint, what: str) -> None:
        """Raise UserError if a checkpoint belongs to another base."""
        base = self.stage.base
        if found.base_fingerprint != base.fingerprint:
            raise UserError(
                f"{what} was trained on the base {found.base_fingerprint[:12]}, this one is"
                f" {base.fingerprint[:12]} ({base.name}); bases must not be mixed"
            )

    def episodes(self, rollouts: Sequence[Rollout], policy: str) -> list[Episode]:
        """Scored and recorded episodes."""
        cut_off = self.options.reward.score_cut_off
        return [
            episode
            for played in rollouts
            for episode in record(
                played,
                self.stage,
                score_replies(played, self.stage.scene, self.scorer, cut_off=cut_off),
                Origin(self.run_id, policy),
            )
        ]

    def play(self, policy: Policy, *, budget: float, keep_samples: bool = False) -> list[Rollout]:
        """Play `eval_episodes` of a policy without training, under the run's accounting.

        Args:
            policy: who chooses the agent's tokens.
            budget: nats an episode.
            keep_samples: keep features and base log-probabilities in the rollouts.
        """
        run = self.options.run
        return list(
            play(
                self.stage,
                policy,
                run.eval_episodes,
                seed=run.seed,
                budget=budget,
                accounting=self.options.budget.accounting,
                chats=run.chats,
                keep_samples=keep_samples,
                top_k=run.top_k,
            )
        )

    def evaluate(
        self, policy: Policy, label: str, *, budget: float, file: str | None = None
    ) -> list[Episode]:
        """Play a policy and write its transcripts.

        Args:
            policy: who chooses the agent's tokens.
            label: what the transcripts call it ("agent", "base", "scripted:NAME").
            budget: nats an episode.
            file: name of the transcript file; None: the label.
        """
        episodes = self.episodes(self.play(policy, budget=budget), label)
        write_episodes(named_path(self.folder.path, file or label), episodes)
        return episodes


def open_session(options: TrainOptions) -> Session:
    """Open the run that the options describe.

    Raises:
        UserError: before anything is written, where the options cannot be carried out.
    """
    check_trackers(options.run.trackers)
    if options.run.resume is not None:
        return _resume(options, options.run.resume)
    folder = RunFolder(_output(options))
    folder.check_free(overwrite=options.run.overwrite)
    source = _source(options)
    session = _assemble(options, folder)
    if source is not None:
        what = f"init_from: {options.run.init_from}"
        session.check_base(source, what)
        checkpoint.restore_agent(session.agent, source, what)
    standardise = options.ppo.standardise and source is None
    rollouts = session.play(BasePolicy(), budget=0.0, keep_samples=standardise)
    if standardise:
        seen = [each.samples.view.features for each in rollouts if each.samples is not None]
        session.agent.standardise(torch.cat(seen))
    episodes = session.episodes(rollouts, "base")
    folder.create(overwrite=options.run.overwrite)
    write_episodes(named_path(folder.path, "base"), episodes)
    session.save()
    _save_options(options, folder)
    return session


def open_trained(options: TrainOptions, saved: TrainOptions, path: Path) -> Session:
    """A run's newest agent, to be played under options that may differ from those it was trained with.

    Args:
        options: for playing.
        saved: that the run was trained with; they name it.
        path: the run's folder.
    """
    found = checkpoint.load_newest(path)
    session = _assemble(options, existing_run(path, "run"))
    session.restore(found, f"run: {path}")
    session.run_id = run_id(saved, found.base_fingerprint)
    return session


def _resume(options: TrainOptions, path: Path) -> Session:
    folder = existing_run(path, "resume")
    _check_unchanged(options, folder)
    found, damage = checkpoint.newest_whole(path)
    for each in damage:
        print(
            f"kl-derail train: warning: {each}; going on from an older checkpoint", file=sys.stderr
        )
    if is_done(options.run, found.progress) and (path / SUMMARY).exists():
        more = "begin a new run with --init_from it"
        if "total_tokens" in may_change(options):
            more = "raise --total_tokens or --max_updates to go on"
        raise UserError(
            f"resume: {path} is complete after {found.progress.update} updates and"
            f" {found.progress.agent_tokens} agent tokens; {more}"
        )
    session = _assemble(options, folder)
    session.restore(found, f"resume: {path}")
    folder.cut_back(found.progress.update)
    _save_options(options, folder)
    return session


def _assemble(options: TrainOptions, folder: RunFolder) -> Session:
    stage = build_stage(options.base, options.scene, feature_layers=options.ppo.feature_layers)
    device = stage.base.model.device
    scorer = build_reward(options.reward, device)
    agent = make_agent(options, stage).to(device)
    return Session(
        options=options,
        folder=folder,
        stage=stage,
        scorer=scorer,
        agent=agent,
        optimiser=make_optimiser(agent, options.ppo),
        progress=Progress(),
        run_id=run_id(options, stage.base.fingerprint),
    )


def make_agent(options: TrainOptions, stage: Stage) -> Agent:
    """A fresh agent, the same for the same seed."""
    scale = (
        options.budget.budget if options.budget.scale_budget and options.budget.budget > 0 else 1.0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.run.seed)
        return Agent(
            stage.n_features,
            stage.base.vocabulary,
            budget_scale=scale,
            overspend=options.budget.overspend_target,
        )


def _save_options(options: TrainOptions, folder: RunFolder) -> None:
    """Write the configuration without what was meant for one command only: it goes with the run from now on."""
    run = dataclasses.replace(options.run, resume=None, overwrite=False)
    save_resolved(folder.path / CONFIG, *options._replace(run=run), command="train")


def _output(options: TrainOptions) -> Path:
    if options.run.output_dir is None:
        raise ValueError("resolve the options first")
    return options.run.output_dir


def _source(options: TrainOptions) -> Checkpoint | None:
    if options.run.init_from is None:
        return None
    return checkpoint.load_newest(existing_run(options.run.init_from, "init_from").path)


def _check_unchanged(options: TrainOptions, folder: RunFolder) -> None:
    """Refuse a resume under options that would have made another run."""
    saved = yaml.safe_load((folder.path / CONFIG).read_text(encoding="utf-8"))
    for name, value in as_mapping(*options).items():
        if name not in may_change(options) and name in saved and saved[name] != value:
            raise UserError(
                f"resume: {name} was {saved[name]} in {folder.path}, found {value}; it cannot change within a run"
            )
