"""The one exception that stands for a mistake of the user, not of the program."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_USER_ERROR = 2


class UserError(ValueError):
    """A mistake the user can mend: one clear line, no traceback, exit code 2.

    The message says what is wrong, where (file, key or flag), the value found and the values allowed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """The hint that follows an unknown name: its nearest valid neighbour, or nothing.

    >>> did_you_mean("bugdet", ["budget", "length"])
    ' (did you mean budget?)'
    >>> did_you_mean("zzz", ["budget", "length"])
    ''
    """
    near = difflib.get_close_matches(found, list(allowed), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
