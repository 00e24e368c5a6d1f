"""The command `embedded`."""

from __future__ import annotations

from collections.abc import Sequence

import transformers

from kl_derail.config import parse
from kl_derail.embedded.build import (
    EmbeddedBuildConfig,
    EmbeddedMeasureConfig,
    build,
    measure_again,
)
from kl_derail.errors import UserError, did_you_mean

ACTIONS = ("build", "measure")


def embedded_command(argv: Sequence[str]) -> int:
    """`embedded build`: make corpus, tokenizers, base and classifier anew; `embedded measure`: a base's card."""
    action = argv[0] if argv else "nothing"
    if action in ("-h", "--help"):
        print(f"usage: kl-derail embedded {{{','.join(ACTIONS)}}} [--help] [options]")
        return 0
    if action not in ACTIONS:
        raise UserError(
            f"found {action}, allowed {', '.join(ACTIONS)}{did_you_mean(action, ACTIONS)}"
        )
    transformers.utils.logging.disable_progress_bar()  # ours says how long it takes
    return _build(argv[1:]) if action == "build" else _measure(argv[1:])


def _build(argv: Sequence[str]) -> int:
    (config,) = parse((EmbeddedBuildConfig,), argv, command="embedded build")
    built = build(config)
    print("wrote", " and ".join(str(path) for path in (built.base, built.sentiment) if path))
    return 0


def _measure(argv: Sequence[str]) -> int:
    (config,) = parse((EmbeddedMeasureConfig,), argv, command="embedded measure")
    measure_again(config)
    print(f"wrote {config.base / 'README.md'}")
    return 0
