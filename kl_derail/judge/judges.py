"""What a judge is: who asks it, in which words, and what it may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from kl_derail.errors import UserError
from kl_derail.transcripts import Episode

BETTER = "better"
COMPLEX = "more complex/unpredictable"
QUALITIES = (BETTER, COMPLEX)
"""The two qualities that the study asks about."""


class Transcript(NamedTuple):
    """One chat as a judge sees it.

    Attributes:
        key: names run, policy and episode, and ends in a hash of the content.
        opening: the text that all chats of a comparison have in common.
        text: what was said after it, up to the end token.
        tokens: of `text`.
        episode: where it comes from.
    """

    key: str
    opening: str
    text: str
    tokens: int
    episode: Episode


class Choice(StrEnum):
    """What a judge may say of two chats."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


class Question(NamedTuple):
    """Two chats in the order in which they are shown, and what is asked about them.

    Attributes:
        quality: as in "which teacher is better?"
        first: the chat that is shown first.
        second: the other.
        ties: whether "neither" is an answer.
        repeat: which of several askings of the very same question.
    """

    quality: str
    first: Transcript
    second: Transcript
    ties: bool
    repeat: int


class Answer(NamedTuple):
    """What came back.

    Attributes:
        choice: None where the answer is no verdict.
        reason: why it is none, else empty.
        text: what the judge wrote, as it stands.
        tokens_in: tokens of the question, as the judge counts them; None where it does not say.
        tokens_out: tokens of the answer, likewise.
        model: the name under which the judge answered.
    """

    choice: Choice | None
    reason: str = ""
    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""


class MisshapenError(Exception):
    """A response that is no answer at all, and may be one when asked again.

    Args:
        answer: what is recorded once nobody asks again; its `reason` says what is wrong.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class OtherModelError(MisshapenError):
    """The answer of another model than the one that was asked."""


class TurnedAwayError(UserError):
    """The judge does not take this question, as one that is too long; others it may take.

    Args:
        message: the line for the user, should it take none.
        answer: what is recorded if it takes others; its `reason` says why not this one.
    """

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


Request = Callable[[Question], Mapping[str, object]]
"""All that the answer to a question depends on, as JSON: what is logged, and what the log is searched by.

It raises UserError where the judge does not answer such a question.
"""


class Judge(Protocol):
    """Anything that says which of two teachers is the better one."""

    async def answer(self, question: Question) -> Answer:
        """Ask once.

        Raises:
            MisshapenError: what came back is no answer.
            TurnedAwayError: this question is not taken.
            UserError: this judge cannot be asked, now or at all.
        """
        ...

    async def close(self) -> None:
        """Give back what asking took, such as connections."""
        ...
