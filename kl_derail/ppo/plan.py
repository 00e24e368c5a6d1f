"""The plan of a run: all options, and what follows from them as it goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from kl_derail.config import as_mapping
from kl_derail.ppo.checkpoint import Progress
from kl_derail.ppo.options import BudgetOptions, PPOOptions, RunOptions
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions


class TrainOptions(NamedTuple):
    """All options of a training run."""

    base: BaseOptions = BaseOptions()
    scene: SceneOptions = SceneOptions()
    reward: RewardOptions = RewardOptions()
    budget: BudgetOptions = BudgetOptions()
    ppo: PPOOptions = PPOOptions()
    run: RunOptions = RunOptions()


def resolve(options: TrainOptions) -> TrainOptions:
    """Fill in what depends on other options, so that the saved configuration says everything."""
    run = options.run
    if run.output_dir is None:
        name = f"{Path(options.base.base).name}-b{options.budget.budget:g}-l{options.scene.length}-s{run.seed}"
        run = dataclasses.replace(run, output_dir=run.resume or Path("runs") / name)
    budget = options.budget
    if run.init_from is not None:
        budget = dataclasses.replace(budget, ramp_tokens=0)
    return options._replace(run=run, budget=budget)


def budget_in_force(options: BudgetOptions, agent_tokens: int) -> float:
    """The budget in nats after so many agent tokens: a linear rise, then the full budget.

    >>> budget_in_force(BudgetOptions(budget=20.0, ramp_tokens=1000), 250)
    5.0
    """
    risen = agent_tokens / options.ramp_tokens if options.ramp_tokens else 1.0
    return options.budget * min(1.0, risen)


def is_done(options: RunOptions, progress: Progress) -> bool:
    """Whether a run has used up its tokens or its updates."""
    enough = options.max_updates is not None and progress.update >= options.max_updates
    return enough or progress.agent_tokens >= options.total_tokens


def rate_factor(ppo: PPOOptions, run: RunOptions, progress: Progress) -> float:
    """What the learning rates are multiplied by; depends on tokens, never on the clock."""
    left = 1 - progress.agent_tokens / run.total_tokens
    return max(left, 0.0) if ppo.lr_schedule == "linear" else 1.0


def run_id(options: TrainOptions, fingerprint: str) -> str:
    """Twelve hexadecimal digits over all that shapes the run's numbers: equal runs have equal names."""
    free = may_change(options.ppo)
    shaping = {name: value for name, value in as_mapping(*options).items() if name not in free}
    text = json.dumps([shaping, fingerprint], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def may_change(ppo: PPOOptions) -> frozenset[str]:
    """Options that do not shape the numbers of a run, so that they may differ when it is resumed.

    Under a linear schedule the learning rates depend on `total_tokens`; it may not change then.
    """
    return NOT_SHAPING | ({"total_tokens"} if ppo.lr_schedule == "constant" else frozenset())


NOT_SHAPING = frozenset(
    {
        "checkpoint_every",
        "keep_checkpoints",
        "max_updates",
        "output_dir",
        "overwrite",
        "resume",
        "top_k",
        "trackers",
        "transcripts_every",
    }
)
"""Options of how long a run goes on, and of what it writes where."""
