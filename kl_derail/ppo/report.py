"""What a person sees while a run trains, and what trackers are told."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kl_derail.config import as_mapping
from kl_derail.ppo.folder import TRACKERS
from kl_derail.ppo.session import Session
from kl_derail.ppo.trackers import start_trackers

LIVE = (
    "[bold]{reward_mean:5.2f}[/] reward  {silent_episode_fraction:4.0%} silent  {empty} empty  "
    "{kl_mean:5.2f}/{budget:.2f} nats  {time_tokens_per_second:,.0f} tokens/s"
)
"""The figures that matter while one waits."""


class Reporter:
    """Progress bar on a terminal, a line now and then elsewhere, trackers on request.

    Args:
        session: the run.
        console: where to print.
        every: updates between lines where there is no terminal.
    """

    def __init__(
        self, session: Session, *, console: Console | None = None, every: int = 10
    ) -> None:
        self._session = session
        self._console = console or Console(stderr=True)
        self._every = every
        self._progress = Progress(
            TextColumn("update {task.fields[update]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[live]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Reporter:
        run, done = self._session.options.run, self._session.progress
        self._task = self._progress.add_task(
            "", total=run.total_tokens, completed=done.agent_tokens, update=done.update, live=""
        )
        self._tracking = start_trackers(
            run.trackers, self._session.folder.path / TRACKERS, as_mapping(*self._session.options)
        )
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        if self._tracking is not None:
            self._tracking.end_training()

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Show a line of the metrics."""
        empty = entry["empty_turn_fraction"]
        live = LIVE.format(**entry, empty="   -" if empty is None else f"{empty:4.0%}")
        self._progress.update(
            self._task, completed=entry["agent_tokens"], update=entry["update"], live=live
        )
        if not self._console.is_terminal and entry["update"] % self._every == 0:
            self._console.print(
                f"update {entry['update']:4d}  {live}", highlight=False, soft_wrap=True
            )
        if self._tracking is not None:
            numbers = {name: value for name, value in entry.items() if value is not None}
            self._tracking.log(numbers, step=entry["update"])
