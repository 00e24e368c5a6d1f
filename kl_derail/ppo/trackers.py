"""Accelerate's trackers: tensorboard, wandb, trackio and the like, beside metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from kl_derail.errors import UserError, did_you_mean


def check_trackers(names: Sequence[str]) -> None:
    """Raise UserError for a tracker that does not exist or is not installed."""
    known = [str(name) for name in LOGGER_TYPE_TO_CLASS]
    installed = [str(name.value) for name in get_available_trackers()]
    for name in names:
        if name not in known:
            raise UserError(
                f"trackers: found {name!r}, allowed {', '.join(known)}{did_you_mean(name, known)}"
            )
        if name not in installed:
            raise UserError(f"trackers: {name} is not installed: pip install {name}")


def start_trackers(
    names: Sequence[str], folder: Path, settings: Mapping[str, Any]
) -> Accelerator | None:
    """Start the trackers; None if none were asked for."""
    if not names:
        return None
    accelerator = Accelerator(log_with=list(names), project_dir=folder)
    plain = {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in settings.items()
    }
    accelerator.init_trackers("kl_derail", config=plain)
    return accelerator
