"""`kl-derail inspect`: every screen and file of a small run, and one line for every mistake."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kl_derail.cli import main
from kl_derail.inspect import command
from kl_derail.inspect.command import InspectOptions, PipeConsole, inspect_command
from kl_derail.transcripts import named_path, write_episodes
from tests.inspect.factories import one_token_a_turn
from tests.inspect.sets import HOSTILE, bases, make_run, talk
from tests.test_bad_input import refused


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def show(run: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command on the run and returns what it printed, lines without their trailing spaces."""

    def show(*words: str) -> list[str]:
        assert main(["inspect", str(run), *words]) == 0
        found = capsys.readouterr()
        assert found.err == ""
        return [line.rstrip() for line in found.out.splitlines()]

    return show


def test_the_list(show: Any) -> None:
    lines = show("--sort", "kl")
    assert lines[0] == "run agent"
    assert [line.split()[0] for line in lines[3:6]] == ["2", "0", "1"]
    assert lines[-1] == "--name: also base, update-000003, update-000012"


def test_the_list_cut(show: Any) -> None:
    assert [line.split()[0] for line in show("--sort", "kl", "-n", "1")[3:5] if line] == ["2"]


def test_another_file(show: Any) -> None:
    assert show("--name", "base")[0] == "run base"
    assert show("--update", "3")[0] == "run update-000003"


def test_a_chat_and_its_turns(show: Any) -> None:
    lines = show("--episode", "1")
    assert lines[1].startswith("agent, episode 1: budget 10 nats, KL 1.75,")
    assert "0.50 1.50 Teacher: Hello.⏎⏎" in lines
    assert "          Student: Hi.⏎⏎ +0.75" in lines
    assert any(line.startswith("left: nats before the turn") for line in lines)
    assert any(line.split()[:4] == ["0", "Teacher", "5", "1.50"] for line in lines)
    assert any(line.split()[:3] == ["sum", "15", "1.75"] for line in lines)


def test_a_chat_folded(show: Any) -> None:
    whole, folded = (show("--episode", "2", *words) for words in ((), ("--fold",)))
    assert any("… 17 more silent exchanges" in line for line in folded)
    assert len(whole) == len(folded) + 2 * 17 - 1


def test_compared(show: Any) -> None:
    lines = show("--compare", "base")
    assert "agent, n=3" in lines[0]
    assert "run agent" in lines
    assert "run base" in lines


def test_figures_are_of_all_episodes_whatever_is_listed(show: Any) -> None:
    whole = show("--compare", "base")
    cut = show("--compare", "base", "--sort", "kl", "-n", "1")
    end = whole.index("run agent")
    assert cut[:end] == whole[:end]
    assert [len(lines) for lines in (whole, cut)] == [len(cut) + 2 + 2, len(cut)]


def test_two_chats_side_by_side(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    lines = show("--episode", "1", "--compare", "base")
    assert lines[0].split() == ["run", "agent", "run", "base"]
    assert sum(line.count("Student: Hi.") for line in lines) == 2


def test_other_bases_are_said_to_be_other(show: Any, tmp_path: Path) -> None:
    other = write_episodes(tmp_path / "other.parquet", [talk(base_fingerprint="base-2")])
    assert show("--compare", str(other))[-1].endswith("different base models.")


def test_files(run: Path, show: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    names = {"html": "a.html", "latex": "a.tex", "jsonl": "a.jsonl"}
    words = [word for flag, name in names.items() for word in (f"--{flag}", str(folder / name))]
    lines = show(*words, "--sort", "kl", "-n", "2")
    assert lines == [f"2 episodes in {folder / name}" for name in names.values()]
    assert sorted(each.name for each in folder.iterdir()) == ["a.html", "a.jsonl", "a.tex"]
    found = [json.loads(line) for line in (folder / "a.jsonl").read_text().splitlines()]
    assert [each["episode"] for each in found] == [2, 0]


def test_files_of_a_comparison(show: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.tex"
    assert show("--compare", "base", "--latex", str(path)) == [f"6 episodes in {path}"]
    assert path.read_text().count(r"\subsection*") == 2


def test_overwrite(show: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    assert show("--jsonl", str(path), "--overwrite")
    assert path.read_text() != "old"


WRONG = {
    "nothing": ("", "run", "required"),
    "no such folder": ("{root}/gone", "gone", "no such file or folder"),
    "an empty folder": ("{root}/empty", "empty", "holds no transcripts"),
    "a foreign file": ("{root}/file.txt", "file.txt", "not a whole transcript file"),
    "an unknown name": ("{root}/run --name agnet", "agnet", "did you mean agent?"),
    "an unknown update": ("{root}/run --update 4", "update: {root}/run: found 4", "3, 12"),
    "an unknown episode": ("{root}/run --episode 99", "episode: found 99", "0 to 2"),
    "an unknown order": ("{root}/run --sort size", "sort", "empty"),
    "two choices": ("{root}/run --name base --update 3", "name, update", "choose one"),
    "nothing to compare": ("{root}/run --compare gone", "compare: {root}/run: found gone", "allowed agent, base"),
    "a file that is there": ("{root}/run --html {root}/file.txt", "html", "--overwrite"),
    "a folder in the way": ("{root}/run --html {root}/empty --overwrite", "html", "folder"),
    "a file for a folder": ("{root}/run --latex {root}/file.txt/a.tex", "a.tex", "cannot be written"),
    "two sets in one log": ("{root}/run --jsonl {root}/a --compare base", "jsonl, compare", "one set"),
    "one file for two": ("{root}/run --html {root}/x --latex {root}/empty/../x", "html, latex: both name {root}/x"),
    "a device": ("{root}/run --html /dev/null --overwrite", "html: /dev/null", "no regular file"),
    "a page on standard output": ("{root}/run --html -", "html: only jsonl"),
    "a set against itself": ("{root}/run --name base --compare base", "compare: found base", "itself"),
    "the default against itself": ("{root}/run --compare {root}/run/transcripts/agent.parquet", "itself"),
    "another set without the name": ("{root}/run --name agent --compare {root}/other",
        "compare: name: {root}/other: found agent, allowed base"),
    "another set without the update": ("{root}/run --update 3 --compare {root}/other",
        "compare: update: {root}/other: found 3"),
    "another set without the episode": ("{root}/run --episode 2 --compare {root}/other",
        "compare: episode: found 2, {root}/other/transcripts/base.parquet holds"),
    "a fold of a list": ("{root}/run --fold", "fold: ", "--episode"),
    "a fold in a file": ("{root}/run --fold --episode 1 --html {root}/x", "fold: ", "no file"),
    "an order of one": ("{root}/run --sort kl --episode 1", "sort, episode: choose one"),
    "the first of one": ("{root}/run -n 1 --episode 1", "first, episode: choose one"),
    "nothing to overwrite": ("{root}/run --overwrite", "overwrite: there is nothing to write"),
    "twice": ("{root}/run -n 1 --first 2", "--first is given twice"),
    "a log of no format": ("{root}/run --inspect_log {root}/a.txt", "a.txt", ".eval or .json"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes(case: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = run.parent
    (root / "empty").mkdir()
    (root / "file.txt").write_text("no parquet")
    write_episodes(named_path(root / "other", "base"), bases()[:1])
    text, *expected = WRONG[case]
    error = refused("inspect", [word.format(root=root) for word in text.split()], root, capsys)
    assert all(part.format(root=root) in error for part in expected), error


def test_damage_is_said_in_one_line_and_the_rest_is_shown(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = named_path(run, "agent")
    file.write_bytes(file.read_bytes()[:-100])
    assert main(["inspect", str(run)]) == 0
    found = capsys.readouterr()
    assert found.err.count("\n") == 1
    assert found.err.startswith(f"kl-derail inspect: warning: {file}: not a whole transcript file")
    assert found.out.startswith("run update-000012")


def test_hostile_text_on_every_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = one_token_a_turn(HOSTILE)
    path, other = (
        write_episodes(tmp_path / f"\x1b]0;{name}\x07.parquet", [evil]) for name in ("evil", "twin")
    )
    for words in ([], ["--episode", "0"], ["--compare", str(other)]):
        assert inspect_command([str(path), *words]) == 0
        assert not set(capsys.readouterr().out) & set("\x1b\x00\x07\t\r\u202e\u200b\ufeff")


def test_hostile_text_in_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "\x1b[31mred")]) == 2
    assert "\\x1b[31mred" in capsys.readouterr().err


def environment(**changes: str) -> dict[str, str]:
    keep = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")
    }
    return {**keep, **changes}


def test_no_colour_and_an_old_encoding_when_piped(run: Path) -> None:
    words = [sys.executable, "-m", "kl_derail.cli", "inspect", str(run), "--episode", "2", "--fold"]
    env = environment(PYTHONIOENCODING="cp1252", NO_COLOR="1")
    found = subprocess.run(words, capture_output=True, env=env, check=True)
    assert b"\x1b" not in found.stdout
    text = found.stdout.decode("cp1252")
    assert "Teacher: Hello.$$" in text
    assert found.stderr == b""


def test_what_is_piped_is_not_narrowed(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = show("--compare", "base")
    monkeypatch.setenv("COLUMNS", "40")
    assert show("--compare", "base") == wide


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_an_output_that_takes_no_more(run: Path) -> None:
    words = [sys.executable, "-m", "kl_derail.cli", "inspect", str(run)]
    for extra in ([], ["--jsonl", "-"]):
        with Path("/dev/full").open("w") as full:
            found = subprocess.run(
                [*words, *extra], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert found.returncode == 1
        assert found.stderr.startswith(b"kl-derail inspect: error: standard output: ")
        assert found.stderr.count(b"\n") == 1


def test_jsonl_on_standard_output(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page, file = tmp_path / "a.html", tmp_path / "a.jsonl"
    assert main(["inspect", str(run), "--jsonl", str(file)]) == 0
    capsys.readouterr()
    assert main(["inspect", str(run), "--jsonl", "-", "--html", str(page)]) == 0
    found = capsys.readouterr()
    assert found.out == file.read_text(encoding="utf-8")
    assert found.err == f"3 episodes in {page}\n"
    assert not (tmp_path / "-").exists()


def test_a_reader_that_goes_away(run: Path) -> None:
    words = [sys.executable, "-m", "kl_derail.cli", "inspect", str(run)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_the_console_lets_a_broken_pipe_through() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        PipeConsole(file=Gone()).print("x")


@pytest.mark.parametrize(
    ("words", "paged"), [([], 1), (["--no_pager"], 0), (["--pager", "false"], 0)]
)
def test_paged_on_a_terminal_only(
    words: list[str], paged: int, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []
    monkeypatch.setattr(PipeConsole, "is_terminal", True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.pager.SystemPager.show", lambda self, text: pages.append(text))
    monkeypatch.delenv("LESS", raising=False)
    assert inspect_command([str(run), *words]) == 0
    assert len(pages) == paged
    assert all("run agent" in page for page in pages)


def test_options_name_the_files_they_write() -> None:
    assert set(command.FILES) <= set(InspectOptions.__dataclass_fields__)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from kl_derail.cli import main; main(['inspect', '--help']);"
        "print(*(n for n in ('torch', 'datasets', 'scipy', 'inspect_ai') if n in sys.modules), 'none')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "none"
