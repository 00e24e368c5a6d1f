"""Episodes as a log of Inspect AI, for `inspect view` and its tools.

Needs the package `inspect-ai`. Each episode is a sample, each turn a message: the agent's are the
assistant's, all others the user's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kl_derail import __version__
from kl_derail.errors import UserError
from kl_derail.inspect.tables import TurnRow, turn_rows
from kl_derail.plumbing.writing import replacing
from kl_derail.transcripts import (
    Episode,
    empty_turn_fraction,
    is_empty,
    is_silent,
    spent,
    total_reward,
)

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore
    from inspect_ai.model import ChatMessage

FORMATS: dict[str, Literal["eval", "json"]] = {".eval": "eval", ".json": "json"}
"""The log's formats by the suffix of its file."""

INSTALL = "pip install inspect-ai"


def check_inspect_log(path: Path) -> None:
    """UserError unless a log can be written there: another suffix, or `inspect-ai` is missing."""
    if path.suffix not in FORMATS:
        raise UserError(
            f"inspect_log: found {path.name}, allowed a name that ends in {' or '.join(FORMATS)}"
        )
    try:
        import inspect_ai  # noqa: F401
    except ImportError as error:
        raise UserError(f"inspect_log: needs the package inspect-ai: {INSTALL}") from error


def write_inspect_log(path: Path, episodes: Sequence[Episode], *, name: str) -> Path:
    """Write a log, replacing the file at once.

    Args:
        path: ends in .eval or .json.
        episodes: at least one, all of one run and one policy.
        name: of the set of episodes; the log's task.

    Raises:
        UserError: see `check_inspect_log`.
    """
    check_inspect_log(path)
    from inspect_ai.log import write_eval_log

    with replacing(path) as partial:
        write_eval_log(inspect_log(episodes, name=name), partial, FORMATS[path.suffix])
    return path


def inspect_log(episodes: Sequence[Episode], *, name: str) -> EvalLog:
    """The log of at least one episode, its means over samples included."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalResults, EvalSpec, EvalStats
    from inspect_ai.viewer import ViewerConfig

    first, samples = episodes[0], [sample(each) for each in episodes]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=now,
            task=name,
            run_id=first.run_id,
            eval_id=f"{first.run_id}-{name}",
            task_id=f"{first.run_id}-{name}",
            dataset=EvalDataset(
                name=name, samples=len(samples), sample_ids=[str(each.id) for each in samples]
            ),
            model=f"kl_derail/{first.policy}",
            config=EvalConfig(),
            viewer=ViewerConfig(
                trust_content=False
            ),  # model text is shown as it is, never rendered
            packages={"kl_derail": __version__},
            metadata={"run_id": first.run_id, "base_fingerprint": first.base_fingerprint},
        ),
        results=EvalResults(
            total_samples=len(samples), completed_samples=len(samples), scores=_means(samples)
        ),
        stats=EvalStats(started_at=now, completed_at=now),
        samples=samples,
    )


def sample(episode: Episode) -> EvalSample:
    """One episode: its messages, its scores, and what it was played under."""
    from inspect_ai.log import EvalSample

    update = "" if episode.update < 0 else f"update {episode.update:06d} "
    return EvalSample(
        id=f"{update}episode {episode.episode:04d}",
        epoch=1,
        input="".join(episode.token_text[: episode.opening_tokens]),
        target="",
        messages=[message(episode, row) for row in turn_rows(episode)],
        scores=_scores(episode),
        metadata=_metadata(episode),
    )


def message(episode: Episode, row: TurnRow) -> ChatMessage:
    """One turn; what is known of it stands in the message's metadata, KL and log-ratio in nats."""
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser

    turn = row.turn
    metadata = {
        "turn": turn.index,
        "speaker": turn.speaker,
        "tokens": turn.tokens,
        "opening": turn.in_opening,
        "complete": turn.complete,
        "empty": is_empty(turn),
        "kl": turn.kl,
        "log_ratio": turn.log_ratio,
        "reward": _finite(turn.reward),
        "budget_left": _finite(row.budget_left),
        "impossible": "" if row.verdict is None else row.verdict.reason,
    }
    known = {name: value for name, value in metadata.items() if value not in (None, "")}
    kind = ChatMessageAssistant if turn.speaker == episode.agent else ChatMessageUser
    source: Literal["input", "generate"] = "input" if turn.in_opening else "generate"
    return kind(id=f"turn{turn.index}", content=turn.text, source=source, metadata=known)


def _scores(episode: Episode) -> dict[str, Any]:
    """What the episode came to; without the share of empty turns where it has no turn."""
    from inspect_ai.scorer import Score

    nats = spent(episode)
    values = {
        "reward": total_reward(episode),
        "kl": nats.expected,
        "log_ratio": nats.realised,
        "silent": float(is_silent(episode)),
        "empty_fraction": empty_turn_fraction(episode),
    }
    return {name: Score(value=value) for name, value in values.items() if not math.isnan(value)}


def _metadata(episode: Episode) -> dict[str, Any]:
    names = ("run_id", "base_fingerprint", "policy", "update", "episode", "seed", "accounting")
    return {
        **{name: getattr(episode, name) for name in names},
        "budget": _finite(episode.budget),
        "length": episode.length,
        "opening_tokens": episode.opening_tokens,
        "agent": episode.agent,
    }


def _means(samples: Sequence[EvalSample]) -> list[EvalScore]:
    """The mean of each score over the samples that have it."""
    from inspect_ai.log import EvalMetric, EvalScore

    found: dict[str, list[float]] = {}
    for each in samples:
        for name, score in (each.scores or {}).items():
            found.setdefault(name, []).append(score.as_float())
    return [
        EvalScore(
            name=name,
            scorer=name,
            scored_samples=len(values),
            unscored_samples=len(samples) - len(values),
            metrics={"mean": EvalMetric(name="mean", value=math.fsum(values) / len(values))},
        )
        for name, values in found.items()
    ]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
