"""How a command ends: an exit code, and one line on stderr for a mistake of the user or a full disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kl_derail.errors import EXIT_USER_ERROR, UserError

EXIT_NO_OUTPUT = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def run_command(command: str, function: Callable[[], int | None]) -> int:
    """Call `function` and return the exit code of the command.

    A UserError becomes one line on stderr and code 2, Ctrl-C code 130, a reader that went away
    (`| head`) code 141, a standard output that takes no more (`> /dev/full`) one line and code 1,
    `--help` code 0. Other exceptions are faults of the program and keep their traceback.

    >>> run_command("train", lambda: None)
    0
    """
    try:
        code = _code(command, function)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if not _output_fails():
            raise
        _discard_output()
        reason = error.strerror or error
        print(f"kl-derail {command}: error: standard output: {reason}", file=sys.stderr)
        return EXIT_NO_OUTPUT
    return code


def _code(command: str, function: Callable[[], int | None]) -> int:
    try:
        return function() or 0
    except UserError as error:
        print(f"kl-derail {command}: error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print(f"kl-derail {command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            raise
        return int(leaving.code or 0)


def _output_fails() -> bool:
    """Whether stdout takes not even a line break: unbuffered, it holds nothing that would tell."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _discard_output() -> None:
    """Let what stdout still holds go nowhere, or the interpreter fails on it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
