"""Play the agent and lay out its decisions for an update."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.budget import Accounting
from kl_derail.chat import (
    Draw,
    Origin,
    Rewards,
    Rollout,
    Samples,
    Stage,
    View,
    record,
    rollout,
    score_replies,
)
from kl_derail.ppo.agent import Agent, AgentPolicy
from kl_derail.ppo.options import PPOOptions, RunOptions
from kl_derail.ppo.returns import explained_variance, generalised_advantages, normalise
from kl_derail.ppo.stopwatch import Stopwatch
from kl_derail.ppo.update import Batch
from kl_derail.reward import ReplyScorer
from kl_derail.setup import RewardOptions
from kl_derail.transcripts import Episode

VALUE_PIECE = 8192
"""Decisions whose values are computed at once."""


class Collected(NamedTuple):
    """What an update is made of.

    Attributes:
        batch: the agent's decisions.
        episodes: the same, as the log will hold them.
        explained_variance: of the critic before the update.
    """

    batch: Batch
    episodes: list[Episode]
    explained_variance: float


@dataclass
class Collector:
    """Plays whole episodes with the agent.

    Args:
        stage: base and scene.
        agent: as it stands at the time.
        scorer: of replies.
        reward: whether cut-off replies count.
        ppo: discount and lambda.
        run: seed, chats, tokens an update needs.
        run_id: stands in each episode.
        watch: where the time went.
    """

    stage: Stage
    agent: Agent
    scorer: ReplyScorer
    reward: RewardOptions
    ppo: PPOOptions
    run: RunOptions
    run_id: str
    watch: Stopwatch = field(default_factory=Stopwatch)

    def collect(self, update: int, budget: float, accounting: Accounting) -> Collected:
        """Play batches of chats until the agent has chosen enough tokens for an update."""
        waves: list[Wave] = []
        while not waves or sum(wave.batch.size for wave in waves) < self.run.update_tokens:
            first = len(waves) * self.run.chats
            draw = Draw(
                self.run.seed, update, range(first, first + self.run.chats), budget, accounting
            )
            waves.append(self._wave(draw))
        batch = _join([wave.batch for wave in waves])
        explained = explained_variance(torch.cat([wave.value for wave in waves]), batch.target)
        batch = batch._replace(advantage=normalise(batch.advantage))
        return Collected(batch, [each for wave in waves for each in wave.episodes], explained)

    def _wave(self, draw: Draw) -> Wave:
        with self.watch("rollout"):
            played = rollout(
                self.stage, AgentPolicy(self.agent), draw, keep_samples=True, top_k=self.run.top_k
            )
        with self.watch("reward"):
            rewards = score_replies(
                played, self.stage.scene, self.scorer, cut_off=self.reward.score_cut_off
            )
        with self.watch("advantages"):
            wave_value, dense = self._values(played)
            batch = self._batch(played, rewards, dense)
        with self.watch("record"):
            value = torch.where(played.steps.agent, dense, torch.nan)
            episodes = record(played, self.stage, rewards, Origin(self.run_id, "agent"), value)
        return Wave(batch, wave_value, episodes)

    @torch.inference_mode()
    def _values(self, played: Rollout) -> tuple[Tensor, Tensor]:
        """The critic's values, [N] and spread to [steps, B]."""
        view = _samples(played).view
        pieces = zip(*(column.split(VALUE_PIECE) for column in view), strict=True)
        value = torch.cat([self.agent.value(View(*piece)) for piece in pieces])
        dense = torch.zeros(played.steps.token.shape)
        dense[_samples(played).step.cpu(), view.chats.cpu()] = value.cpu()
        return value, dense

    def _batch(self, played: Rollout, rewards: Rewards, value: Tensor) -> Batch:
        found = generalised_advantages(
            rewards.received,
            played.steps.agent,
            value,
            gamma=self.ppo.gamma,
            lam=self.ppo.gae_lambda,
        )
        samples = _samples(played)
        step, chat, device = samples.step.cpu(), samples.view.chats.cpu(), samples.step.device
        return Batch(samples, *(column[step, chat].to(device) for column in found))


class Wave(NamedTuple):
    """One batch of chats: decisions, the critic's values of them [N], episodes."""

    batch: Batch
    value: Tensor
    episodes: list[Episode]


def _samples(played: Rollout) -> Samples:
    if played.samples is None:
        raise ValueError("this rollout kept no samples")
    return played.samples


def _join(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    view = View(*map(torch.cat, zip(*(batch.samples.view for batch in batches), strict=True)))
    rest = map(torch.cat, zip(*(batch.samples[1:] for batch in batches), strict=True))
    ends = map(torch.cat, zip(*(batch[1:] for batch in batches), strict=True))
    return Batch(Samples(view, *rest), *ends)
