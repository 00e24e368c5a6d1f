"""What a scripted teacher says: functions from the chat so far to the text of his next turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from kl_derail.errors import UserError, did_you_mean
from kl_derail.setup import load_function

SENTENCE = "Please go on."
"""What `repeat` says where it is given no sentence."""

PRAISES = ("Very good.", "Well done.", "That is right.", "I am proud of you.")
"""What `praise` says, one after the other."""


class Line(NamedTuple):
    """One finished turn of a chat.

    Attributes:
        speaker: name; empty for text before the first header.
        text: what was said, without the white space around it.
        scripted: whether the behaviour said it.
    """

    speaker: str
    text: str
    scripted: bool


class Behaviour(Protocol):
    """Any function from the turns so far, the first one first, to the text of the teacher's next turn."""

    def __call__(self, history: Sequence[Line], /) -> str:
        """The text of the turn, without header and speaker change; empty to say nothing."""


def silent(history: Sequence[Line]) -> str:
    """Say nothing."""
    return ""


def copy(history: Sequence[Line]) -> str:
    """Say what was said last.

    >>> copy([Line("Teacher", "Why?", False), Line("Student", "Because.", False)])
    'Because.'
    """
    return history[-1].text if history else ""


def praise(history: Sequence[Line]) -> str:
    """Praise, whatever was said."""
    return in_turn(PRAISES)(history)


def in_turn(texts: Sequence[str]) -> Behaviour:
    """Say one text after the other, and begin again after the last.

    >>> in_turn(["Yes.", "No."])([Line("Teacher", "Yes.", True), Line("Student", "Oh.", False)])
    'No.'
    """
    return lambda history: texts[sum(line.scripted for line in history) % len(texts)]


def _repeat(sentence: str) -> Behaviour:
    return in_turn([sentence or SENTENCE])


def _file(name: str) -> Behaviour:
    """The lines of a text file, blank ones included: they are silent turns."""
    if not name:
        raise UserError("behaviour: found 'file:' without a name, allowed file:PATH")
    try:
        text = Path(name).expanduser().read_bytes().decode("utf-8-sig")
    except (OSError, RuntimeError, ValueError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        reason = getattr(error, "strerror", None) or reason
        raise UserError(f"behaviour: cannot read {name!r}: {reason}") from error
    if "\0" in text:
        raise UserError(f"behaviour: {name!r} is no text file: it holds a NUL character")
    if not text:
        raise UserError(f"behaviour: {name!r} holds no line")
    return in_turn(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))


def _python(name: str) -> Behaviour:
    try:
        return _checked(load_function(f"python:{name}", "behaviour"), name)
    except SystemExit as error:
        raise UserError(f"behaviour: cannot import python:{name}: {error!r}") from error


def _checked(function: Behaviour, name: str) -> Behaviour:
    """The user's function, its faults told in one line."""

    def call(history: Sequence[Line]) -> str:
        try:
            said = function(history)
        except (Exception, SystemExit) as error:  # whatever the user's function raises
            raise UserError(f"behaviour: python:{name} failed: {error!r}") from error
        if not isinstance(said, str):
            raise UserError(f"behaviour: python:{name} gave {said!r}, expected a text")
        _check_unicode(said, f"python:{name} gave")
        return said

    return call


def _check_unicode(text: str, source: str) -> None:
    """Refuse lone surrogates, which bytes that are not UTF-8 leave behind: nothing can say them."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"behaviour: {source} {text!r}, which is no Unicode text") from error


PLAIN: dict[str, Behaviour] = {"silent": silent, "copy": copy, "praise": praise}
"""Behaviours that need no argument."""

MADE: dict[str, Callable[[str], Behaviour]] = {"repeat": _repeat, "file": _file, "python": _python}
"""Behaviours made from the text after the colon: `repeat:TEXT`, `file:PATH`, `python:MODULE:FUNCTION`."""


def behaviour(name: str) -> Behaviour:
    """The behaviour that a user names.

    Raises:
        UserError: there is none of that name, or it cannot be made.

    >>> behaviour("repeat:Go on.")([])
    'Go on.'
    """
    _check_unicode(name, "found")
    kind, _, argument = name.partition(":")
    if kind in MADE:
        return MADE[kind](argument.strip())
    if name in PLAIN:
        return PLAIN[name]
    allowed = [*PLAIN, "repeat:TEXT", "file:PATH", "python:MODULE:FUNCTION"]
    raise UserError(
        f"behaviour: found {name!r}, allowed {', '.join(allowed)}{did_you_mean(kind, [*PLAIN, *MADE])}"
    )
