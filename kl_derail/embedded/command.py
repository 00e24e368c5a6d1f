"""The command `embedded`."""

from __future__ import annotations

from collections.abc import Sequence

import transformers

from kl_derail.config import parse
from kl_derail.embedded.build import EmbeddedBuildConfig, build
from kl_derail.errors import UserError, did_you_mean

ACTIONS = ("build",)


def embedded_command(argv: Sequence[str]) -> int:
    """`embedded build`: make corpus, tokenizers, base and classifier anew."""
    action = argv[0] if argv else "nothing"
    if action in ("-h", "--help"):
        print(f"usage: kl-derail embedded {{{','.join(ACTIONS)}}} [--help] [options]")
        return 0
    if action not in ACTIONS:
        raise UserError(
            f"found {action}, allowed {', '.join(ACTIONS)}{did_you_mean(action, ACTIONS)}"
        )
    (config,) = parse((EmbeddedBuildConfig,), argv[1:], command="embedded build")
    transformers.utils.logging.disable_progress_bar()  # ours says how long it takes
    built = build(config)
    print("wrote", " and ".join(str(path) for path in (built.base, built.sentiment) if path))
    return 0
