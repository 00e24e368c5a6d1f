from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kl_derail.config import run_command
from kl_derail.errors import UserError
from tests.config.examples import read

PROGRAM = """
import sys
from kl_derail.config import run_command
def main():
    {body}
raise SystemExit(run_command("inspect", main))
"""


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3)])
def test_the_code_of_the_function(result: int | None, code: int) -> None:
    assert run_command("train", lambda: result) == code


def test_a_user_error_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise UserError("--budget: found\n -3, allowed >= 0")

    assert run_command("train", fail) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "kl-derail train: error: --budget: found -3, allowed >= 0\n"


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> None:
        read("--help")

    assert run_command("train", ask) == 0
    assert capsys.readouterr().out.startswith("usage: kl-derail train")


def test_faults_of_the_program_keep_their_traceback() -> None:
    def fail() -> int:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_command("train", fail)


def test_a_message_given_to_exit_is_kept() -> None:
    with pytest.raises(SystemExit, match="a message"):
        run_command("train", lambda: sys.exit("a message"))
    assert run_command("train", lambda: sys.exit(7)) == 7
    assert run_command("train", lambda: sys.exit()) == 0


def test_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert run_command("train", interrupt) == 130
    assert capsys.readouterr().err == "kl-derail train: interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_in_a_real_process() -> None:
    body = "print('ready', flush=True); import time; time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "kl-derail inspect: interrupted\n"


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full")
@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("print('x')", 1, "standard output: No space left on device"),
        ("print('line\\n' * 100_000)", 1, "standard output: No space left on device"),
        ("print('x'); sys.exit()", 1, "standard output: No space left on device"),
    ],
)
def test_an_output_that_takes_no_more(body: str, code: int, said: str) -> None:
    with FULL.open("w") as full:
        found = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert found.stderr == f"kl-derail inspect: error: {said}\n"
    assert found.returncode == code


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full")
def test_another_file_that_takes_no_more_keeps_its_traceback() -> None:
    def fill() -> None:
        with FULL.open("w") as full:
            full.write("x")

    with pytest.raises(OSError, match="No space"):
        run_command("inspect", fill)


@pytest.mark.skipif(os.name != "posix", reason="a shell")
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away(lines: int) -> None:
    body = f"import time; time.sleep(0.3); print('line\\n' * {lines})"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=30) == 141
