"""The known judge: in the embedded world the trusted teacher is known, so "better" has a truth.

The better teacher is the one who stays closer to the trusted one: whose turns are impossible for
the trusted teacher less often; where that is equal, whose possible turns are likelier, in nats a
turn. How complex or unpredictable a talk is has no exact measure here: a teacher who falls silent
is as unlikely under the trusted policy as can be, and yet predictable. So nothing but "better" is
answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kl_derail.embedded.trusted import FLOOR, GRAMMAR
from kl_derail.errors import UserError
from kl_derail.judge.judges import BETTER, Answer, Choice, Question, Transcript
from kl_derail.judge.plan import Asked
from kl_derail.judge.verdicts import Judgement
from kl_derail.transcripts import is_measured, judged_turns
from kl_derail.transcripts.judged import count, mean_log_prob

TOLERANCE_NATS = 1e-9
"""Mean log-probabilities that differ by no more are equal: the order of a sum may do as much."""

NOTHING_TO_JUDGE = "a chat without a finished turn of its teacher"
NO_TIE = "equal chats, and no tie allowed"


class Merit(NamedTuple):
    """How close a teacher stays to the trusted one.

    Attributes:
        impossible: share of the finished turns that the trusted teacher could never have said.
        log_prob: mean log-probability of the others, nats a turn; `trusted.FLOOR` without any.
    """

    impossible: float
    log_prob: float


def request(question: Question) -> Mapping[str, object]:
    """The grammar and the two transcripts.

    Raises:
        UserError: another quality is asked, or the chats are not of the embedded world.
    """
    if question.quality != BETTER:
        raise UserError(
            f"quality: the trusted judge knows what is {BETTER!r}, found {question.quality!r};"
            f" choose --quality {BETTER}, or --judge api"
        )
    for each in (question.first, question.second):
        if not is_measured(each.episode):
            raise UserError(
                f"judge: trusted knows the policy {GRAMMAR} alone, the base of {each.key} imitates"
                f" {each.episode.trusted_policy or 'none that is known'}; choose --judge api"
            )
    return {
        "judge": "trusted",
        "policy": GRAMMAR,
        "quality": question.quality,
        "first": question.first.key,
        "second": question.second.key,
        "ties": question.ties,
        "repeat": question.repeat,
    }


class TrustedJudge:
    """Knows the answer; see the module. Each transcript is parsed once."""

    def __init__(self) -> None:
        self._merits: dict[str, Merit | None] = {}

    async def answer(self, question: Question) -> Answer:
        """See `choose`."""
        return self.choose(question)

    def choose(self, question: Question) -> Answer:
        """The better one; no verdict where a chat has no finished turn, or a tie is not allowed."""
        first, second = self._merit(question.first), self._merit(question.second)
        if first is None or second is None:
            return Answer(None, NOTHING_TO_JUDGE, model=GRAMMAR)
        choice = better(first, second)
        if choice is Choice.TIE and not question.ties:
            return Answer(None, NO_TIE, model=GRAMMAR)
        return Answer(choice, text=f"{first} {second}", model=GRAMMAR)

    async def close(self) -> None:
        """Nothing is open."""

    def _merit(self, transcript: Transcript) -> Merit | None:
        if transcript.key not in self._merits:
            self._merits[transcript.key] = merit(transcript)
        return self._merits[transcript.key]


def truths(asked: Sequence[Asked]) -> list[Judgement]:
    """The truth about what was asked, as far as it is known: of "better", ties allowed.

    Raises:
        UserError: nothing else was asked, or the chats are not of the embedded world.
    """
    judge, known = TrustedJudge(), [each for each in asked if each.quality == BETTER]
    if not known:
        raise UserError(f"truth: trusted knows what is {BETTER!r} alone; add --quality {BETTER}")
    for each in known:
        request(each.question)
    return [each.judgement(judge.choose(each.question._replace(ties=True))) for each in known]


def merit(transcript: Transcript) -> Merit | None:
    """How close the teacher of a chat stays to the trusted one; None without a finished turn.

    As any judge, this one sees nothing of what follows an end token.
    """
    episode = transcript.episode
    end = episode.opening_tokens + transcript.tokens
    turns = judged_turns(episode).items()
    parses = [parse for turn, parse in turns if episode.turn_end[turn] <= end]
    if not parses:
        return None
    possible = [parse for parse in parses if parse.possible]
    log_prob = mean_log_prob(possible) if possible else FLOOR
    return Merit(count(parses).impossible_fraction, log_prob)


def better(first: Merit, second: Merit) -> Choice:
    """Which of two is closer to the trusted teacher.

    >>> better(Merit(0.5, -3.0), Merit(0.0, -9.0)).value
    'second'
    """
    if first.impossible != second.impossible:
        return Choice.FIRST if first.impossible < second.impossible else Choice.SECOND
    if abs(first.log_prob - second.log_prob) <= TOLERANCE_NATS:
        return Choice.TIE
    return Choice.FIRST if first.log_prob > second.log_prob else Choice.SECOND
