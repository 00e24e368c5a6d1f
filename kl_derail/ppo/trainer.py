"""Training: play, update, log, until the tokens are used up. One loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from kl_derail.inspect import print_closing_screen, save_closing_screen
from kl_derail.ppo.agent import AgentPolicy
from kl_derail.ppo.checkpoint import FOLDER as CHECKPOINTS
from kl_derail.ppo.checkpoint import Progress
from kl_derail.ppo.collect import Collector
from kl_derail.ppo.folder import PICTURE, SUMMARY
from kl_derail.ppo.plan import TrainOptions, budget_in_force, is_done, rate_factor, resolve
from kl_derail.ppo.report import Reporter
from kl_derail.ppo.session import Session, open_session
from kl_derail.ppo.stopwatch import Stopwatch
from kl_derail.ppo.update import set_rates, update
from kl_derail.transcripts import (
    Episode,
    named_path,
    read_episodes,
    summarise,
    update_path,
    write_episodes,
)
from kl_derail.transcripts.store import FOLDER as TRANSCRIPTS
from kl_derail.transcripts.training import METRICS


def train(options: TrainOptions, console: Console | None = None) -> Path:
    """Train an agent, or go on with a run; returns the run's folder.

    Args:
        options: of the run.
        console: where the closing screen is printed; None: standard output.

    Raises:
        UserError: options that cannot be carried out; nothing written before is lost.
    """
    session = open_session(resolve(options))
    watch = Stopwatch()
    collector = make_collector(session, watch)
    with Reporter(session) as report:
        while not is_done(session.options.run, session.progress):
            report(one_update(session, collector, watch))
    finish(session, console or Console())
    return session.folder.path


def make_collector(session: Session, watch: Stopwatch) -> Collector:
    """What plays the session's agent."""
    options = session.options
    return Collector(
        session.stage,
        session.agent,
        session.scorer,
        options.reward,
        options.ppo,
        options.run,
        session.run_id,
        watch,
    )


def one_update(session: Session, collector: Collector, watch: Stopwatch) -> dict[str, Any]:
    """Play, improve, write; returns the line of the metrics."""
    options, before = session.options, session.progress
    budget = budget_in_force(options.budget, options.run, before)
    factor = rate_factor(options.ppo, options.run, before)
    number = before.update + 1
    with watch("total"):
        collected = collector.collect(number, budget, options.budget.accounting)
        with watch("update"):
            set_rates(session.optimiser, options.ppo, factor)
            key = (options.run.seed, number)
            stats = update(session.agent, session.optimiser, collected.batch, options.ppo, key=key)
        session.progress = Progress(number, before.agent_tokens + collected.batch.size)
    entry = {
        "update": number,
        "agent_tokens": session.progress.agent_tokens,
        "learning_rate_factor": factor,
        "explained_variance": collected.explained_variance,
        **summarise(collected.episodes).as_dict(),
        **stats.as_dict(),
        **timings(watch.take(), collected.episodes),
    }
    with watch("write"):
        write(session, entry, collected.episodes)
    return entry


def write(session: Session, entry: dict[str, Any], episodes: list[Episode]) -> None:
    """Log, transcripts and checkpoint, where they are due.

    The checkpoint comes last: whatever it says is done stands in the log already, and what the log says beyond it is
    cut back on resuming. Its time is counted in the next line.
    """
    run, progress = session.options.run, session.progress
    last = is_done(run, progress)
    session.folder.append_metrics(entry)
    if last or progress.update % run.transcripts_every == 0:
        write_episodes(update_path(session.folder.path, progress.update), episodes)
    if last or progress.update % run.checkpoint_every == 0:
        session.save()


def timings(seconds: dict[str, float], episodes: list[Episode]) -> dict[str, float]:
    """Milliseconds a part, and tokens a second of rollout and reward; never compared between runs."""
    tokens = sum(each.length - each.opening_tokens for each in episodes)
    playing = seconds.get("rollout", 0.0) + seconds.get("reward", 0.0)
    parts = {f"time_{part}_ms": 1000 * value for part, value in sorted(seconds.items())}
    return {**parts, "time_tokens_per_second": tokens / playing if playing else 0.0}


def finish(session: Session, console: Console) -> None:
    """Play the trained agent at its full budget; write and show what the run came to."""
    budget = session.options.budget.budget
    path = session.folder.path
    before = read_episodes(named_path(path, "base"))
    after = session.evaluate(AgentPolicy(session.agent), "agent", budget=budget)
    files = {
        "run": path,
        "curves": path / METRICS,
        "transcripts": path / TRANSCRIPTS,
        "checkpoints": path / CHECKPOINTS,
        "summary": path / SUMMARY,
        "picture": path / PICTURE,
    }
    save_closing_screen(path / PICTURE, before, after, title=f"kl_derail: {path.name}")
    session.folder.write_summary(
        {
            "run_id": session.run_id,
            "base_fingerprint": session.stage.base.fingerprint,
            "trusted_policy": session.stage.base.trusted_policy,
            "updates": session.progress.update,
            "agent_tokens": session.progress.agent_tokens,
            "base": summarise(before).as_dict(),
            "agent": summarise(after).as_dict(),
        }
    )
    print_closing_screen(console, before, after, files)
