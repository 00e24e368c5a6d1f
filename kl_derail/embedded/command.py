"""The command `embedded`."""

from __future__ import annotations

from collections.abc import Sequence

from kl_derail.config import parse
from kl_derail.embedded.build import EmbeddedBuildConfig, build
from kl_derail.errors import UserError, did_you_mean

ACTIONS = ("build",)


def embedded_command(argv: Sequence[str]) -> int:
    """`embedded build`: make corpus, tokenizers, base and classifier anew."""
    action = argv[0] if argv else "nothing"
    if action not in ACTIONS:
        raise UserError(
            f"found {action}, allowed {', '.join(ACTIONS)}{did_you_mean(action, ACTIONS)}"
        )
    (config,) = parse((EmbeddedBuildConfig,), argv[1:], command="embedded build")
    built = build(config)
    print(f"wrote {built.base} and {built.sentiment} (corpus {built.corpus_sha256[:12]})")
    return 0
