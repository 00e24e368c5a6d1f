"""How a command ends: an exit code, and one line on stderr for a mistake of the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kl_derail.errors import EXIT_USER_ERROR, UserError

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def run_command(command: str, function: Callable[[], int | None]) -> int:
    """Call `function` and return the exit code of the command.

    A UserError becomes one line on stderr and code 2, Ctrl-C code 130, a reader that went away
    (`| head`) code 141, `--help` code 0. Other exceptions are faults of the program and keep their
    traceback.

    >>> run_command("train", lambda: None)
    0
    """
    try:
        code = function() or 0
        sys.stdout.flush()
    except UserError as error:
        print(f"kl-derail {command}: error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print(f"kl-derail {command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            raise
        return int(leaving.code or 0)
    return code
