"""The log of all questions and answers: one line each, appended, searched by what was asked.

The first line says what the file is. A line goes to the system in one piece before its answer counts, so
killing the process loses nothing but a line it was writing, which the next run cuts off; once a
second, and at the end, lines are also forced onto the disk, against a failure of the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from filelock import FileLock, Timeout

from kl_derail.errors import UserError
from kl_derail.judge.judges import Answer, Choice

HEADER = b'{"kl_derail": "answers of a judge", "version": 1}\n'


def key_of(request: Mapping[str, object]) -> str:
    """The name of a request in the log: a hash of its content.

    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})
    True
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class AnswerLog:
    """The answers there are, by key, and the file that they are appended to.

    Args:
        path: of the file.
        answers: those that it holds.
        file: open for appending, without a buffer; an empty one gets its first line.
    """

    def __init__(self, path: Path, answers: dict[str, Answer], file: FileIO) -> None:
        self.answers = answers
        self._path = path
        self._file = file
        self._end = self._synced = file.tell()
        if not self._end:
            self._append(HEADER)

    def add(self, key: str, request: Mapping[str, object], answer: Answer) -> None:
        """Append an answer; when this returns, killing the process no longer loses it."""
        line = {"key": key, "answer": answer._asdict(), "request": request}
        with _blamed_on(self._path):
            self._append(json.dumps(line).encode() + b"\n")
        self.answers[key] = answer

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        end = self._end
        if self._synced < end:
            with _blamed_on(self._path):
                os.fsync(self._file.fileno())
            self._synced = end

    def _append(self, line: bytes) -> None:
        """All of the line, or, as on a full disk, nothing of it."""
        left = memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += len(line)


@contextmanager
def open_log(path: Path) -> Iterator[AnswerLog]:
    """The log at `path`, for this process alone; what another left half written is cut off.

    Raises:
        UserError: it cannot be written, is no such log, is damaged, or another process writes it.
    """
    with ExitStack() as stack:
        with _blamed_on(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(path))
            answers, whole = _read(path)
            file = stack.enter_context(path.open("ab", buffering=0))
            file.truncate(whole)
            file.seek(whole)
            log = AnswerLog(path, answers, file)
        stack.callback(log.sync)
        yield log


def read_answers(path: Path) -> dict[str, Answer]:
    """The answers that a log holds, none if there is no such file; it is left as it is."""
    with _blamed_on(path):
        return _read(path)[0]


@contextmanager
def _blamed_on(path: Path) -> Iterator[None]:
    """What the system refuses inside becomes one line about the log."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be used as a log ({error.strerror or error})") from error


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(f"{path}: another process is writing this log") from error
    try:
        yield
    finally:
        lock.release()


def _read(path: Path) -> tuple[dict[str, Answer], int]:
    """The answers by key, and how many bytes are whole lines; of two to one question, the first."""
    if not path.exists():
        return {}, 0
    answers: dict[str, Answer] = {}
    with path.open("rb") as file:
        if not HEADER.startswith(header := file.readline()):
            raise UserError(f"{path}: is no log of a judge's answers")
        whole = len(header) if header == HEADER else 0
        for number, line in enumerate(file, start=2):
            if not line.endswith(b"\n"):
                break
            key, answer = _parse(path, number, line)
            answers.setdefault(key, answer)
            whole += len(line)
    return answers, whole


def _parse(path: Path, number: int, line: bytes) -> tuple[str, Answer]:
    try:
        found = json.loads(line)
        answer = Answer(**found["answer"])
        choice = None if answer.choice is None else Choice(answer.choice)
        return str(found["key"]), answer._replace(choice=choice)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}, line {number}: is no answer of a judge; the log is damaged"
        ) from error
