"""One PPO update: several epochs over the agent's recorded decisions; the base is not needed any more."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from kl_derail.budget import entropy
from kl_derail.chat import Samples, View, stream
from kl_derail.ppo.agent import Agent
from kl_derail.ppo.losses import clipped_surrogate, target_tracking, value_error
from kl_derail.ppo.options import PPOOptions

Rows: TypeAlias = Tensor | slice
PIECE_ELEMENTS = 2**19
"""Samples x vocabulary worked through at once: small enough for the processor's cache, large enough for a GPU."""


class Batch(NamedTuple):
    """All N decisions of an update, with what became of them.

    Attributes:
        samples: the decisions.
        advantage: [N] float32, normalised.
        target: [N] float32, what the critic should say.
    """

    samples: Samples
    advantage: Tensor
    target: Tensor

    @property
    def size(self) -> int:
        """N."""
        return len(self.advantage)

    def pick(self, rows: Rows) -> Batch:
        """The decisions numbered `rows`; a slice copies nothing."""
        view = View(*(column[rows] for column in self.samples.view))
        samples = Samples(view, *(column[rows] for column in self.samples[1:]))
        return Batch(samples, self.advantage[rows], self.target[rows])


@dataclass
class UpdateStats:
    """Means over the samples of the last epoch; gradient norms, before clipping, of its last minibatch."""

    policy_loss: float = math.nan
    value_loss: float = math.nan
    target_loss: float = math.nan
    entropy: float = math.nan
    clip_fraction: float = math.nan
    approx_kl: float = math.nan
    grad_norm_actor: float = math.nan
    grad_norm_critic: float = math.nan
    epochs: int = 0

    def as_dict(self) -> dict[str, float]:
        """For a line of the metrics."""
        return asdict(self)


class Terms(NamedTuple):
    """Sums over the samples of a piece; a differentiable loss and detached figures."""

    loss: Tensor
    figures: Tensor


FIGURES = ("policy_loss", "value_loss", "target_loss", "entropy", "clip_fraction", "approx_kl")


def make_optimiser(agent: Agent, options: PPOOptions) -> torch.optim.Adam:
    """Adam with a learning rate each for actor and critic."""
    groups = [
        {"params": list(agent.head.parameters()), "lr": options.lr_actor},
        {"params": list(agent.critic.parameters()), "lr": options.lr_critic},
    ]
    return torch.optim.Adam(groups, eps=options.adam_epsilon)


def set_rates(optimiser: torch.optim.Optimizer, options: PPOOptions, factor: float) -> None:
    """Learning rates for the next update: the options' times a factor."""
    for group, rate in zip(
        optimiser.param_groups, (options.lr_actor, options.lr_critic), strict=True
    ):
        group["lr"] = rate * factor


def update(
    agent: Agent,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    options: PPOOptions,
    *,
    key: tuple[int, ...],
) -> UpdateStats:
    """Improve the agent on a batch of decisions.

    Args:
        agent: changed in place.
        optimiser: its state too.
        batch: the decisions.
        options: epochs, minibatch size, coefficients.
        key: of the random stream that orders the samples.

    Returns:
        Figures of the update.
    """
    stats = UpdateStats()
    piece = max(1, PIECE_ELEMENTS // batch.samples.view.log_base.shape[1])
    for epoch in range(options.epochs):
        figures = torch.zeros(len(FIGURES), dtype=torch.float64)
        for pieces in minibatches(batch.size, options.minibatch, piece, (*key, epoch)):
            figures += _step(agent, optimiser, batch, pieces, options, stats)
        for name, value in zip(FIGURES, (figures / batch.size).tolist(), strict=True):
            setattr(stats, name, value)
        stats.epochs = epoch + 1
        if options.stop_approx_kl is not None and stats.approx_kl > options.stop_approx_kl:
            break
    return stats


def minibatches(samples: int, size: int, piece: int, key: tuple[int, ...]) -> list[list[Rows]]:
    """Minibatches in random order, each as the pieces in which it is worked through.

    Where all samples fit into one minibatch their order does not matter, and pieces are plain slices.

    >>> minibatches(5, 8, 2, (0,))
    [[slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]]
    """
    if samples <= size:
        return [[slice(start, min(start + piece, samples)) for start in range(0, samples, piece)]]
    order = torch.from_numpy(stream(*key).permutation(samples))
    return [list(rows.split(piece)) for rows in order.split(size)]


def _step(
    agent: Agent,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    pieces: list[Rows],
    options: PPOOptions,
    stats: UpdateStats,
) -> Tensor:
    """One step of the optimiser; the minibatch is worked through in pieces and its gradient summed."""
    optimiser.zero_grad(set_to_none=True)
    figures = torch.zeros(len(FIGURES), dtype=torch.float64)
    samples = sum(_count(rows) for rows in pieces)
    for rows in pieces:
        terms = loss_terms(agent, batch.pick(rows), options)
        (terms.loss / samples).backward()
        figures += terms.figures.cpu()
    stats.grad_norm_actor = _clip(agent.head, options.grad_norm_actor)
    stats.grad_norm_critic = _clip(agent.critic, options.grad_norm_critic)
    optimiser.step()
    return figures


def _count(rows: Rows) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def loss_terms(agent: Agent, batch: Batch, options: PPOOptions) -> Terms:
    """The loss of some decisions, summed over them, and its parts in the order of `FIGURES`."""
    samples = batch.samples
    output = agent(samples.view, samples.alpha)
    log_probs = output.mixture.log_probs
    chosen = log_probs.gather(1, samples.token[:, None]).squeeze(1)
    surrogate = clipped_surrogate(chosen, samples.log_prob, batch.advantage, options.clip)
    spread = entropy(log_probs)
    tracking = target_tracking(output.mixture.kl.squeeze(1), output.kl_target)
    error = value_error(agent.value(samples.view), batch.target)
    loss = (
        surrogate.loss
        - options.entropy_coefficient * spread
        + options.target_coefficient * tracking
        + options.value_coefficient * error
    )
    parts = (surrogate.loss, error, tracking, spread, surrogate.clipped, surrogate.approx_kl)
    figures = torch.stack([part.detach().double().sum() for part in parts])
    return Terms(loss.sum(), figures)


def _clip(module: torch.nn.Module, limit: float | None) -> float:
    """Clip the gradient's norm; returns the norm before."""
    return float(
        torch.nn.utils.clip_grad_norm_(module.parameters(), math.inf if limit is None else limit)
    )
