"""Asks what the log does not hold, so many questions at a time, and logs each answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from rich.progress import Progress, TaskID

from kl_derail.errors import UserError
from kl_derail.judge.costs import Purse, most_tokens
from kl_derail.judge.judges import (
    Answer,
    Judge,
    MisshapenError,
    OtherModelError,
    Question,
    Request,
    TurnedAwayError,
)
from kl_derail.judge.records import AnswerLog, key_of
from kl_derail.plumbing.progress import progress_bar

TRIES = 6
"""How often a question is asked at most while what comes back is no answer at all."""

TURNED_AWAY = 6
"""So many questions may be turned away before the first is answered."""

SYNC_SECONDS = 1.0


class Pending(NamedTuple):
    """A question that no answer is known for.

    Attributes:
        key: of the request in the log.
        request: what the answer depends on.
        question: what is asked.
    """

    key: str
    request: Mapping[str, object]
    question: Question


def keyed(request: Request, questions: Sequence[Question]) -> list[Pending]:
    """Each question with its request and key, in the same order."""
    requests = [request(question) for question in questions]
    return [
        Pending(key_of(request), request, question)
        for request, question in zip(requests, questions, strict=True)
    ]


def unanswered(questions: Sequence[Pending], answers: Mapping[str, Answer]) -> list[Pending]:
    """The questions without an answer, the very same one only once."""
    return list({each.key: each for each in questions if each.key not in answers}.values())


def ask_all(
    judge: Judge, questions: Sequence[Pending], log: AnswerLog, purse: Purse, concurrency: int
) -> None:
    """Ask what the log does not hold, with a progress bar, until the purse holds nothing for the next question.

    A question that is turned away is no verdict; if all of the first ones are, the judge is of no use.

    Args:
        judge: whom.
        questions: all of them, in any number of comparisons.
        log: takes the answers, each as soon as it is there.
        purse: what may be spent.
        concurrency: questions at a time.

    Raises:
        UserError: the judge cannot be asked; what it answered before is in the log.
    """
    pending = unanswered(questions, log.answers)
    answers = any(each.key in log.answers for each in questions)
    with progress_bar() as bar:
        task = bar.add_task("judging", total=len(pending))
        asking = _Asking(judge, log, purse, bar, task, answers=answers)
        asyncio.run(asking.run(pending, concurrency))


class _Asking:
    """One round of questions; `answers` says whether the judge is known to give any."""

    def __init__(
        self,
        judge: Judge,
        log: AnswerLog,
        purse: Purse,
        bar: Progress,
        task: TaskID,
        *,
        answers: bool,
    ) -> None:
        self._judge, self._log, self._purse, self._bar, self._task = judge, log, purse, bar, task
        self._answers = answers
        self._turned_away: list[tuple[Pending, TurnedAwayError]] = []

    async def run(self, pending: Sequence[Pending], concurrency: int) -> None:
        """All of them; the first error ends the others."""
        syncing = asyncio.create_task(self._sync())
        rest = iter(pending)
        workers = [
            asyncio.create_task(self._work(rest)) for _ in range(min(concurrency, len(pending)))
        ]
        working: asyncio.Future[Any] = asyncio.gather(*workers)
        both: set[asyncio.Future[Any]] = {syncing, working}
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for each in ended:
                each.result()
        finally:
            await _cancelled([syncing, working, *workers])
            await self._judge.close()
        if self._turned_away:
            raise self._turned_away[0][1]

    async def _work(self, rest: Iterator[Pending]) -> None:
        """Ask one after the other, until one cannot be paid for.

        The others go on: their answers may turn out cheaper than feared, and leave enough.
        """
        for each in rest:
            try:
                answer = await self._answer(each)
            except TurnedAwayError as error:
                self._turn_away(each, error)
                continue
            if answer is None:
                return
            self._add(each, answer)

    def _turn_away(self, pending: Pending, error: TurnedAwayError) -> None:
        """Put the question aside until the judge is known to answer any."""
        self._turned_away.append((pending, error))
        if self._answers:
            self._add_turned_away()
        elif len(self._turned_away) >= TURNED_AWAY:
            raise error

    def _add_turned_away(self) -> None:
        while self._turned_away:
            pending, error = self._turned_away.pop()
            self._add(pending, error.answer)

    def _add(self, pending: Pending, answer: Answer) -> None:
        self._log.add(pending.key, pending.request, answer)
        spent = f" ${self._purse.spent:.2f}" if self._purse.is_known else ""
        self._bar.update(self._task, advance=1, description=f"judging{spent}")

    async def _answer(self, pending: Pending) -> Answer | None:
        """An answer, be it that none can be read; None where it cannot be paid for."""
        errors: list[MisshapenError] = []
        while len(errors) < TRIES:
            try:
                return await self._try(pending)
            except OtherModelError as error:
                if not self._answers:
                    raise UserError(f"model: {error}") from error
                errors.append(error)
            except MisshapenError as error:
                errors.append(error)
        if all(isinstance(each, OtherModelError) for each in errors):
            raise UserError(f"model: {TRIES} times in a row {errors[-1]}")
        return errors[-1].answer

    async def _try(self, pending: Pending) -> Answer | None:
        """Ask once; None where it cannot be paid for."""
        most = most_tokens(pending.request)
        if not self._purse.reserve(most):
            return None
        answer = None
        try:
            answer = await self._judge.answer(pending.question)
        except MisshapenError as error:
            answer = error.answer
            raise
        finally:
            self._purse.settle(most, answer)
        self._answers = True
        self._add_turned_away()
        return answer

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await asyncio.to_thread(self._log.sync)


async def _cancelled(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Returns once all of them have ended."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
