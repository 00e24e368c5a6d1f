"""Two dataclasses with every kind of field, and a command that reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional

from kl_derail.config import option, parse
from kl_derail.errors import UserError

PRESETS = {
    "published": {"accounting": "realised", "lr": 2e-5, "chats": 32},
    "quick": {"chats": 4},
}


@dataclass(frozen=True)
class Train:
    """Training of the agent."""

    budget: float = option(20.0, "total KL budget (nats)", minimum=0)
    chats: int = option(64, "chats in lockstep, 5 % more than one", minimum=1, maximum=4096)
    lr: float = option(1e-3, "learning rate", above=0)
    share: float = option(0.5, "share", minimum=0, below=1)
    patience: float = option(float("inf"), "patience (updates)", minimum=0, finite=False)
    ramp_tokens: int | None = option(None, "tokens until the full budget")
    accounting: Literal["expected", "realised"] = option("expected", "what a step is charged")
    bits: Literal[4, 8] | None = option(None, "bits of a weight")
    any_number: float = 0.0

    def __post_init__(self) -> None:
        if self.ramp_tokens and not self.budget:
            raise UserError("ramp_tokens: a budget of 0 cannot rise; leave ramp_tokens out")


@dataclass
class Output:
    folder: Path = field(default=Path("runs/x"), metadata={"help": "folder of the run"})
    init_from: Optional[Path] = None  # noqa: UP045
    student_name: str = "Student"
    note: str | None = None
    resume: bool = option(True, "go on where a checkpoint stands")
    plots: bool | None = None
    trackers: list[Literal["tensorboard", "wandb"]] = option([], "who is told")
    words: list[str] = option(["a"], "some words")
    levels: tuple[float, ...] = option((0.25, 0.75), "quantiles", minimum=0, maximum=1)


def read(*argv: str) -> tuple[Train, Output]:
    return parse((Train, Output), argv, command="train", presets=PRESETS)


def value(name: str, *argv: str) -> object:
    """The value of one option after parsing."""
    for config in read(*argv):
        if hasattr(config, name):
            return getattr(config, name)
    raise AssertionError(name)
