"""The log of answers: appended, cut where it is torn, one writer at a time."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.judge.judges import Answer, Choice
from kl_derail.judge.records import HEADER, key_of, open_log, read_answers

ANSWERS = {
    "a": Answer(Choice.FIRST, "", '{"verdict": "first"}', 100, 7, "gpt"),
    "b": Answer(None, "refused", "No.\u2028\x00\U0001f600"),
    "c": Answer(Choice.TIE),
}


def write(path: Path, answers: dict[str, Answer]) -> None:
    with open_log(path) as log:
        for key, answer in answers.items():
            log.add(key, {"q": key}, answer)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.jsonl"
    write(path, ANSWERS)
    assert read_answers(path) == ANSWERS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["request"]["q"] for line in lines[1:]] == ["a", "b", "c"]
    assert read_answers(path)["a"].choice is Choice.FIRST


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    write(tmp_path / "log", {"a": ANSWERS["a"]})
    first = (tmp_path / "log").read_bytes()
    with open_log(tmp_path / "log") as log:
        assert log.answers == {"a": ANSWERS["a"]}
        log.add("b", {}, ANSWERS["b"])
        assert read_answers(tmp_path / "log")["b"] == ANSWERS["b"]  # there before it is closed
    assert (tmp_path / "log").read_bytes().startswith(first)


def test_no_log_holds_no_answers(tmp_path: Path) -> None:
    assert read_answers(tmp_path / "none") == {}
    assert not list(tmp_path.iterdir())


def test_torn_at_any_byte(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, ANSWERS)
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for length in sorted({*range(0, len(whole), 9), *range(len(HEADER) + 2), *ends}):
        path.write_bytes(whole[:length])
        kept = max(sum(end <= length for end in ends) - 1, 0)
        with open_log(path) as log:
            assert list(log.answers) == ["a", "b", "c"][:kept]
        write(path, dict([*ANSWERS.items()][kept:]))
        assert path.read_bytes() == whole


def test_reading_leaves_a_torn_line_alone(tmp_path: Path) -> None:
    write(tmp_path / "log", ANSWERS)
    torn = (tmp_path / "log").read_bytes()[:-5]
    (tmp_path / "log").write_bytes(torn)
    assert list(read_answers(tmp_path / "log")) == ["a", "b"]
    assert (tmp_path / "log").read_bytes() == torn


@pytest.mark.parametrize("content", [b"notes\n", b"\n", b"{}", HEADER[:-1] + b" \n", b"\x00" * 9])
def test_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no log of a judge's answers"), open_log(path):
        pass
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line", ["", "x", "[]", '{"key": "a"}', '{"key": "a", "answer": {"choice": "A"}}']
)
def test_damage_in_the_middle_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    write(path, ANSWERS)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], line.encode(), *lines[2:]]))
    with pytest.raises(UserError, match=r"log, line 3: is no answer"), open_log(path):
        pass


def test_the_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with open_log(path) as log:
        with pytest.raises(UserError, match="another process is writing"), open_log(path):
            pass
        log.add("a", {}, ANSWERS["a"])
    write(path, {"b": ANSWERS["b"]})
    assert list(read_answers(path)) == ["a", "b"]


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used as a log"), open_log(tmp_path):
        pass


def test_an_error_of_the_reader_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), open_log(tmp_path / "log"):
        raise ConnectionError


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, len(HEADER), len(HEADER) + 30, 400])
def test_a_full_disk_is_one_line_and_tears_nothing(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    with room_for(size), pytest.raises(UserError, match="cannot be used as a log"):
        write(path, {str(number): ANSWERS["a"] for number in range(9)})
    assert path.stat().st_size <= size
    assert b"\n" in path.read_bytes()[-1:] or not path.stat().st_size
    assert len(read_answers(path)) < 9
    write(path, ANSWERS)
    assert read_answers(path).items() >= ANSWERS.items()


def test_room_that_comes_back_is_used(tmp_path: Path) -> None:
    """The line that found no room leaves nothing behind that the next would be joined to."""
    with open_log(tmp_path / "log") as log:
        with room_for(len(HEADER) + 30), pytest.raises(UserError):
            log.add("a", {}, ANSWERS["a"])
        log.add("b", {}, ANSWERS["b"])
    assert read_answers(tmp_path / "log") == {"b": ANSWERS["b"]}


def test_what_could_not_be_forced_is_forced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fails(number: int) -> None:
        calls.append(number)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with open_log(tmp_path / "log") as log:
        log.add("a", {}, ANSWERS["a"])
        with pytest.raises(UserError, match="Input/output error"):
            log.sync()
        log.sync()
        log.sync()
        assert len(calls) == 2


values = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
requests = st.dictionaries(st.text(max_size=2), values, max_size=3)


@settings(max_examples=50)
@given(requests, requests)
def test_keys_tell_requests_apart(one: dict[str, object], other: dict[str, object]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key_of(one) == key_of(other)) is same
    assert key_of(dict(reversed(one.items()))) == key_of(one)
