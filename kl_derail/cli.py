"""`kl-derail COMMAND`: each command parses its options and hands them down."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from kl_derail import __version__
from kl_derail.config import run_command
from kl_derail.errors import UserError, did_you_mean


def train(argv: Sequence[str]) -> int:
    """Train an agent under a hard KL budget."""
    from kl_derail.ppo.command import train_command

    return train_command(argv)


def rollout(argv: Sequence[str]) -> int:
    """Play a trained agent, its base or a script, and write transcripts."""
    from kl_derail.ppo.command import rollout_command

    return rollout_command(argv)


def inspect(argv: Sequence[str]) -> int:
    """Show what an agent did, and where it paid for it; write it as HTML, LaTeX, JSONL."""
    from kl_derail.inspect.command import inspect_command

    return inspect_command(argv)


def figures(argv: Sequence[str]) -> int:
    """Draw the study's figures for any runs: PNG, PDF and tables."""
    from kl_derail.figures.command import figures_command

    return figures_command(argv)


def price(argv: Sequence[str]) -> int:
    """Say how many nats a base charges for a behaviour, without training."""
    from kl_derail.pricing.command import price_command

    return price_command(argv)


def judge(argv: Sequence[str]) -> int:
    """Ask a language model which of two teachers is better."""
    from kl_derail.judge.command import judge_command

    return judge_command(argv)


def embedded(argv: Sequence[str]) -> int:
    """Make the built-in world anew: `embedded build`."""
    from kl_derail.embedded.command import embedded_command

    return embedded_command(argv)


def hybrid(argv: Sequence[str]) -> int:
    """Run hybrid offline-and-online RL: `hybrid run WORLD`, `hybrid figures FOLDER...`."""
    from kl_derail.hybrid.command import hybrid_command

    return hybrid_command(argv)


def theory(argv: Sequence[str]) -> int:
    """Check the study's theorems on classes and trees small enough to enumerate."""
    from kl_derail.theory.command import theory_command

    return theory_command(argv)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "rollout": rollout,
    "inspect": inspect,
    "figures": figures,
    "price": price,
    "judge": judge,
    "theory": theory,
    "embedded": embedded,
    "hybrid": hybrid,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code (2: a mistake of the user)."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words else "--help"
    return run_command(name, lambda: _dispatch(name, words[1:]))


def _dispatch(name: str, rest: Sequence[str]) -> int:
    if name in {"--help", "-h"}:
        print(usage())
        return 0
    if name == "--version":
        print(f"kl_derail {__version__}")
        return 0
    if name not in COMMANDS:
        raise UserError(
            f"there is no such command, allowed {', '.join(COMMANDS)}{did_you_mean(name, COMMANDS)}"
        )
    return COMMANDS[name](rest)


def usage() -> str:
    """The commands, a line each."""
    lines = [f"  {name:10}{function.__doc__}" for name, function in COMMANDS.items()]
    return "\n".join(["usage: kl-derail COMMAND [--help] [options]", "", *lines])


if __name__ == "__main__":
    raise SystemExit(main())
