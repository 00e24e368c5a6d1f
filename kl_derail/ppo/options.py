"""The options of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kl_derail.config import option
from kl_derail.errors import UserError

PRESETS: Mapping[str, Mapping[str, object]] = {
    "published": {
        "accounting": "realised",
        "overspend_target": True,
        "scale_budget": False,
        "lr_decay": 0.0,
        "standardise": False,
        "lr_actor": 2e-5,
        "lr_critic": 1e-4,
        "epochs": 8,
        "minibatch": 8192,
        "chats": 64,
        "update_tokens": 8000,
        "total_tokens": 3_000_000,
        "budget_ramp": 1.0,
    }
}
"""`published`: the settings of study A (Cohen et al., 2025) where they differ from our defaults."""


@dataclass(frozen=True)
class PPOOptions:
    """Proximal policy optimisation."""

    lr_actor: float = option(2e-3, "learning rate of the actor", above=0)
    lr_critic: float = option(1e-3, "learning rate of the critic", above=0)
    lr_decay: float = option(
        0.4,
        "last share of total_tokens over which the learning rates fall to 0; 0: they never do",
        minimum=0,
        maximum=1,
    )
    adam_epsilon: float = option(1e-5, "epsilon of Adam", above=0)
    epochs: int = option(4, "passes over the samples of an update", minimum=1)
    minibatch: int = option(2048, "samples of one step of the optimiser", minimum=1)
    clip: float = option(0.1, "clip of the probability ratio", above=0)
    entropy_coefficient: float = option(1e-4, "weight of the entropy bonus", minimum=0)
    value_coefficient: float = option(0.5, "weight of the critic's squared error", minimum=0)
    target_coefficient: float = option(1.0, "weight of (KL achieved - KL target)^2", minimum=0)
    grad_norm_actor: float | None = option(
        0.1, "largest gradient norm of the actor; none: no limit", above=0
    )
    grad_norm_critic: float | None = option(
        None, "largest gradient norm of the critic; none: no limit", above=0
    )
    gamma: float = option(1.0, "discount a decision of the agent", above=0, maximum=1)
    gae_lambda: float = option(1.0, "GAE lambda; 1 is Monte Carlo", minimum=0, maximum=1)
    stop_approx_kl: float | None = option(
        None,
        "stop an update's epochs once old and new policy are this far apart (nats a token)",
        above=0,
    )
    standardise: bool = option(True, "standardise the features by the base's own rollouts")
    feature_layers: int = option(
        3, "how many of the base's last hidden layers the agent sees", minimum=1
    )


@dataclass(frozen=True)
class BudgetOptions:
    """What the agent may spend."""

    budget: float = option(20.0, "total KL budget of an episode (nats)", minimum=0)
    accounting: Literal["expected", "realised"] = option(
        "expected",
        "charge the exact KL of each step (never overspends) or the realised log-ratio (published)",
    )
    overspend_target: bool = option(
        False,
        "KL target f x left + 1e-6 as published, which can exceed what is left; ours never does",
    )
    scale_budget: bool = option(
        True, "show the agent the budget left as a fraction of the budget; off: in nats"
    )
    budget_ramp: float = option(
        0.15,
        "first share of total_tokens over which the budget rises from 0 to full; 0: full at once"
        " (and always after --init_from)",
        minimum=0,
        maximum=1,
    )

    def __post_init__(self) -> None:
        """Refuse a promise that cannot be kept."""
        if self.overspend_target and self.accounting == "expected":
            raise UserError(
                "overspend_target: needs --accounting realised; with expected accounting no step may overspend"
            )


@dataclass(frozen=True)
class RunOptions:
    """Length, output and survival of a run."""

    output_dir: Path | None = option(
        None, "folder of the run; none: runs/BASE-bBUDGET-lLENGTH-sSEED"
    )
    overwrite: bool = option(False, "replace the run that output_dir holds")
    seed: int = option(0, "seed of every random stream", minimum=0)
    chats: int = option(64, "chats in lockstep", minimum=1)
    update_tokens: int = option(
        0,
        "agent tokens an update needs; more batches of chats are played until there are enough",
        minimum=0,
    )
    total_tokens: int = option(400_000, "agent tokens after which training ends", minimum=1)
    max_updates: int | None = option(None, "end after so many updates in any case", minimum=1)
    resume: Path | None = option(
        None, "run to go on with, exactly where its newest checkpoint stands"
    )
    init_from: Path | None = option(
        None, "run whose final agent this one starts with (fresh optimiser)"
    )
    checkpoint_every: int = option(10, "updates between checkpoints", minimum=1)
    keep_checkpoints: int = option(2, "newest checkpoints to keep", minimum=1)
    transcripts_every: int = option(
        10, "updates between transcripts; the last is always written", minimum=1
    )
    top_k: int = option(0, "likeliest tokens of base and policy to record at each step", minimum=0)
    eval_episodes: int = option(
        128, "episodes of the base before, and of the agent after training", minimum=1
    )
    trackers: list[str] = option(
        [], "accelerate trackers besides metrics.jsonl: tensorboard, wandb, trackio ..."
    )
