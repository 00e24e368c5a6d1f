"""The command `train`."""

from __future__ import annotations

from collections.abc import Sequence

from kl_derail.config import parse
from kl_derail.errors import UserError
from kl_derail.ppo.folder import CONFIG, existing_run
from kl_derail.ppo.options import PRESETS
from kl_derail.ppo.plan import TrainOptions
from kl_derail.ppo.trainer import train

TYPES = tuple(type(each) for each in TrainOptions())


def train_command(argv: Sequence[str]) -> int:
    """Parse the options and train."""
    train(parse_train(argv))
    return 0


def parse_train(argv: Sequence[str]) -> TrainOptions:
    """The options of a run; a resumed run begins with its own saved configuration."""
    options = TrainOptions(*parse(TYPES, argv, command="train", presets=PRESETS))
    if options.run.resume is None:
        return options
    if any(word.partition("=")[0] == "--config" for word in argv):
        raise UserError("resume, config: choose one; a resumed run keeps its own configuration")
    run = existing_run(options.run.resume, "resume")
    saved = ["--config", str(run.path / CONFIG)]
    return TrainOptions(*parse(TYPES, [*saved, *argv], command="train", presets=PRESETS))
