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
        budget = dataclasses.replace(budget, budget_ramp=0.0)
    return options._replace(run=run, budget=budget)


def budget_in_force(options: BudgetOptions, run: RunOptions, progress: Progress) -> float:
    """The budget in nats of the next update: a linear rise, then the full budget.

    >>> options, run = BudgetOptions(budget=20.0, budget_ramp=0.5), RunOptions(total_tokens=1000)
    >>> [budget_in_force(options, run, Progress(1, n)) for n in (0, 250, 500, 1000)]
    [0.0, 10.0, 20.0, 20.0]
    """
    if not options.budget_ramp:
        return options.budget
    return options.budget * min(1.0, _done(run, progress) / options.budget_ramp)


def is_done(options: RunOptions, progress: Progress) -> bool:
    """Whether a run has used up its tokens or its updates."""
    enough = options.max_updates is not None and progress.update >= options.max_updates
    return enough or progress.agent_tokens >= options.total_tokens


def rate_factor(options: PPOOptions, run: RunOptions, progress: Progress) -> float:
    """What the learning rates of the next update are multiplied by: 1, then a linear fall.

    >>> options, run = PPOOptions(lr_decay=0.5), RunOptions(total_tokens=1000)
    >>> [rate_factor(options, run, Progress(1, n)) for n in (0, 500, 750, 1000)]
    [1.0, 1.0, 0.5, 0.0]
    """
    if not options.lr_decay:
        return 1.0
    return min(1.0, (1.0 - _done(run, progress)) / options.lr_decay)


def _done(run: RunOptions, progress: Progress) -> float:
    """The share of a run that is behind it, in tokens and never by the clock."""
    return min(1.0, progress.agent_tokens / run.total_tokens)


def run_id(options: TrainOptions, fingerprint: str) -> str:
    """Twelve hexadecimal digits over all that shapes the run's numbers: equal runs have equal names."""
    free = may_change(options)
    shaping = {name: value for name, value in as_mapping(*options).items() if name not in free}
    text = json.dumps([shaping, fingerprint], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def may_change(options: TrainOptions) -> frozenset[str]:
    """Options that do not shape the numbers of a run, so that they may differ when it is resumed.

    A rising budget and falling learning rates depend on `total_tokens`; it may not change then.
    """
    bound = options.ppo.lr_decay or options.budget.budget_ramp
    return NOT_SHAPING | (frozenset() if bound else {"total_tokens"})


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
