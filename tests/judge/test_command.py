"""`kl-derail judge` from the flags to the tables, over real HTTP, killed and resumed."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.command import joined, judge_command
from kl_derail.transcripts import Episode, named_path, write_episodes
from tests.judge.endpoint import Asked, Endpoint, Reply, endpoint, failure, says, verdict
from tests.transcripts.factories import make_episode

EPISODES = 40
BETTER = ["--quality", "better"]


def episodes(policy: str, first: int, **columns: object) -> list[Episode]:
    """Chats of the same length that say their worth, from `first` on."""
    return [
        make_episode(
            [
                ("Teacher", " Hello."),
                ("Student", " Hi."),
                ("Teacher", f" So my worth is {first + each}."),
            ],
            opening_turns=3,
            policy=policy,
            episode=each,
            update=-1,
            **columns,
        )
        for each in range(EPISODES)
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose agent's worths lie 20 above those of its base."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_episodes(named_path(folder, "base"), episodes("base", 100))
    write_episodes(named_path(folder, "agent"), episodes("agent", 120))
    return folder


def honest(asked: Asked) -> Reply:
    """The greater worth is better, after a pause; equal ones are."""
    first, second = map(
        int, re.findall(r"my worth is (\d+)\.$", asked.body["messages"][1]["content"], re.M)
    )
    word = "tie" if first == second else "first" if first > second else "second"
    return verdict(word)._replace(delay=0.01)


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with endpoint(honest) as found:
        yield found


def flags(run: Path, server: Endpoint, out: Path, *more: str) -> list[str]:
    named = ["--a", str(run), "--b", "base", "--out", str(out), "--base_url", server.url]
    pairs = [] if "--pairs" in more else ["--pairs", "30"]
    return [*named, *pairs, *more]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_the_flags_to_the_tables(run: Path, server: Endpoint, tmp_path: Path, capsys) -> None:
    words = flags(
        run, server, tmp_path, "--quality", "better", "--quality", "more complex/unpredictable"
    )
    assert judge_command(words) == 0
    assert len(server.asked) == 30 * 2 * 2
    found = rows(tmp_path / "judgements.csv")
    assert len(found) == 120
    assert {each["comparison"] for each in found} == {"run agent vs run base"}
    assert {each["quality"] for each in found} == {"better", "more complex/unpredictable"}
    assert {each["a"].split("/")[1] for each in found} == {"agent"}
    assert len({each["a"] for each in found}) == 30
    assert "better" in capsys.readouterr().out
    before = (tmp_path / "judgements.csv").read_bytes()
    assert judge_command(words) == 0
    assert len(server.asked) == 120  # nothing is asked, or paid for, twice
    assert (tmp_path / "judgements.csv").read_bytes() == before


def test_several_comparisons_in_one_command(run: Path, server: Endpoint, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_episodes(named_path(other, "agent"), episodes("agent", 300, run_id="other"))
    words = ["--a", str(run), "--b", "base", "--a", str(other), "--b", str(run), *BETTER]
    labels = ["--label", "agent vs base", "--label", "other vs agent"]
    words += [*labels, "--pairs", "20", "--out", str(tmp_path), "--base_url", server.url]
    assert judge_command(words) == 0
    found = rows(tmp_path / "judgements.csv")
    assert [each["comparison"] for each in found] == ["agent vs base"] * 40 + [
        "other vs agent"
    ] * 40
    assert {each["verdict"] for each in found[40:]} == {"a"}
    assert {each["b"].split("/")[1] for each in found[40:]} == {"agent"}
    with pytest.raises(UserError, match="found 1, allowed 2, one for each --a"):
        judge_command([*words[:4], *words[4:6], *words[8:]])


def test_options_from_a_file(run: Path, server: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(
        f"a: ['{run}']\nb: [base]\nquality: [kinder]\npairs: 3\nbase_url: {server.url}\n"
    )
    assert judge_command(["--config", str(file), "--out", str(tmp_path), "--pairs", "2"]) == 0
    assert {each["quality"] for each in rows(tmp_path / "judgements.csv")} == {"kinder"}
    assert len(server.asked) == 4


def test_without_a_key_nothing_is_read_or_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    words = ["--a", str(tmp_path / "missing"), "--b", "base", "--out", str(tmp_path / "out")]
    with pytest.raises(UserError, match="OPENAI_API_KEY: this environment variable holds no key"):
        judge_command(words)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_asks_and_writes_nothing(
    run: Path, server: Endpoint, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    words = [
        "--a",
        str(run),
        "--b",
        "base",
        "--pairs",
        "30",
        "--out",
        str(tmp_path / "out"),
        "--dry_run",
    ]
    assert judge_command(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("120 questions, 120 of them not answered yet")
    assert re.search(r"about \d+ tokens to read, 960 to write \(4 characters a token; an", said)
    assert re.search(r"cost: about \$0\.0\d", said)
    assert judge_command([*words, "--model", "other"]) == 0
    assert "cost: unknown" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    judge_command(flags(run, server, tmp_path / "out", *BETTER))
    judge_command(flags(run, server, tmp_path / "out", "--dry_run"))
    assert "120 questions, 60 of them not answered yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"--pairs": "41"}, "pairs: found 41, allowed at most 40: A holds 40 .* and B 40"),
        ({"--b": "agent"}, "a, b: both are .*agent.parquet; compare two sources"),
        ({"--b": "bass"}, "found bass, allowed agent, base"),
        (
            {"--judge": "trusted", "--quality": "better"},
            "base of run/agent/.* imitates none that is known",
        ),
    ],
)
def test_refused_before_anything_is_asked(
    run: Path, server: Endpoint, tmp_path: Path, words: dict[str, str], message: str
) -> None:
    named = {"--a": str(run), "--b": "base", "--pairs": "30", "--out": str(tmp_path / "out")}
    named |= {"--base_url": server.url, **words}
    with pytest.raises(UserError, match=message):
        judge_command([word for pair in named.items() for word in pair])
    assert not server.asked
    assert not (tmp_path / "out").exists()


def test_the_money_ends(run: Path, server: Endpoint, tmp_path: Path) -> None:
    prices = ["--price_in", "10", "--price_out", "0"]
    words = flags(
        run, server, tmp_path, *BETTER, *prices, "--max_cost", "0.06", "--concurrency", "4"
    )
    with pytest.raises(
        UserError, match=r"max_cost: spent \$0\.0\d+, .* could pass \$0.06; \d+ of 60 are left"
    ):
        judge_command(words)
    assert 0 < len(server.asked) <= 60  # each is charged 100 tokens: $0.001
    assert not (tmp_path / "judgements.csv").exists()
    asked = len(server.asked)
    assert judge_command(flags(run, server, tmp_path, *BETTER)) == 0
    assert len(server.asked) == 60
    assert asked < 60


def test_a_folder_that_cannot_take_the_tables_costs_nothing(
    run: Path, server: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/none")):
        log = ["--log", str(tmp_path / "log.jsonl")]
        with pytest.raises(UserError, match=r"out: .* cannot be written"):
            judge_command(flags(run, server, out, *BETTER, *log))
    assert not server.asked


def test_the_trusted_judge_does_not_ask_what_an_endpoint_costs(run: Path, tmp_path: Path) -> None:
    words = ["--a", str(run), "--b", "base", *BETTER, "--out", str(tmp_path)]
    words += ["--judge", "trusted", "--pairs", "3", "--max_cost", "1", "--model", "other"]
    with pytest.raises(UserError, match="imitates none that is known"):  # and not max_cost
        judge_command(words)


def test_why_answers_are_unreadable_is_said(run: Path, tmp_path: Path, capsys) -> None:
    def reply(asked: Asked) -> Reply:
        worths = re.findall(r"my worth is (\d+)", asked.body["messages"][1]["content"])
        if "121" in worths:
            return says(None, refusal="No.")
        return failure(400, "too long") if "122" in worths else honest(asked)

    with endpoint(reply) as server:
        judge_command(flags(run, server, tmp_path, *BETTER, "--pairs", "40"))
    said = capsys.readouterr().err
    assert re.search(r"8 of 80 answers are unreadable: 4 (refused|turned away), 4 ", said)


def test_no_agreement_is_left_from_a_run_with_a_truth(
    run: Path, server: Endpoint, tmp_path: Path
) -> None:
    for name in ("agreement.csv", "agreement.md", "notes.md"):
        (tmp_path / name).write_text("old")
    judge_command(flags(run, server, tmp_path, *BETTER))
    assert not list(tmp_path.glob("agreement.*"))
    assert (tmp_path / "notes.md").exists()


def test_nothing_of_the_key_is_written(
    run: Path, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "sk-do-not-tell")
    judge_command(flags(run, server, tmp_path, *BETTER, "--api_key_env", "SECRET"))
    assert server.asked[0].headers["authorization"] == "Bearer sk-do-not-tell"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"sk-do-not" in path.read_bytes() for path in files)


def test_the_log_serves_other_commands(run: Path, server: Endpoint, tmp_path: Path) -> None:
    log = ["--log", str(tmp_path / "log.jsonl")]
    judge_command(flags(run, server, tmp_path / "one", *BETTER, *log))
    judge_command(flags(run, server, tmp_path / "two", *BETTER, *log, "--label", "other"))
    assert len(server.asked) == 60
    (tmp_path / "log.jsonl").write_text("notes\n")
    with pytest.raises(UserError, match=r"log.jsonl: is no log of a judge's answers"):
        judge_command(flags(run, server, tmp_path / "one", *BETTER, *log))


def test_joined_leaves_the_rest_alone() -> None:
    words = [
        "--b=x",
        "--dry_run",
        "--a",
        "1",
        "2",
        "--no_x",
        "--a",
        "3",
        "--seed=4",
        "--end-token",
        "e",
    ]
    assert joined(words, ["a", "b", "end_token"]) == [
        "--dry_run", "--no_x", "--seed=4", "--b", "x", "--a", "1", "2", "3", "--end_token", "e",
    ]  # fmt: skip


def _start(words: list[str], **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kl_derail.cli", "judge", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def _wait_for(log: Path, lines: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and not (log.exists() and log.read_bytes().count(b"\n") >= lines):
        time.sleep(0.002)


@pytest.mark.processes
def test_killed_at_random_and_resumed_gives_the_same_table(run: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    with endpoint(honest) as server:
        whole = flags(run, server, tmp_path / "whole", *BETTER, "--concurrency", "4")
        assert judge_command(whole) == 0
        asked = len(server.asked)
        words = flags(run, server, tmp_path / "killed", *BETTER, "--concurrency", "4")
        log = tmp_path / "killed" / "answers.jsonl"
        for stop, ending in zip(sorted(rng.sample(range(2, 55), 3)), (9, 15, 9), strict=True):
            process = _start(words)
            _wait_for(log, stop)
            process.send_signal(ending)
            process.communicate(timeout=60)
            assert process.returncode == (-9 if ending == 9 else 130)
        torn = log.read_bytes()
        log.write_bytes(torn[:-7])  # as if the last kill had met it while it was writing
        assert judge_command(words) == 0
        lost = 3 * 4 + 1  # questions under way at each kill, and the torn one
        assert len(server.asked) - asked <= 60 + lost
    for name in ("judgements.csv", "table.csv", "table.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    keys = [json.loads(line)["key"] for line in log.read_text().splitlines()[1:]]
    assert len(set(keys)) == len(keys) == 60


@pytest.mark.processes
def test_ended_although_ctrl_c_is_ignored(run: Path, tmp_path: Path) -> None:
    """As a shell has it for what it runs in the background."""
    with endpoint(lambda asked: honest(asked)._replace(delay=0.2)) as server:
        words = flags(run, server, tmp_path, *BETTER, "--concurrency", "2")
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = _start(words)
        finally:
            signal.signal(signal.SIGINT, before)
        _wait_for(tmp_path / "answers.jsonl", 4)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        asked = len(server.asked)
    assert process.returncode == 130, output
    assert asked < 60
    assert "Traceback" not in output.decode()
    assert (tmp_path / "answers.jsonl").read_bytes().endswith(b"\n")


@pytest.mark.processes
def test_a_terminal_that_knows_ascii_alone(run: Path, server: Endpoint, tmp_path: Path) -> None:
    words = flags(run, server, tmp_path, *BETTER, "--pairs", "3", "--label", "caf\u00e9 vs \u8a9e")
    process = _start(words, PYTHONIOENCODING="ascii")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert b"caf? vs ??" in output


@pytest.mark.processes
def test_ctrl_c_says_so_and_keeps_the_log(run: Path, tmp_path: Path) -> None:
    with endpoint(lambda asked: honest(asked)._replace(delay=0.2)) as server:
        words = flags(run, server, tmp_path, *BETTER, "--concurrency", "2")
        process = _start(words)
        _wait_for(tmp_path / "answers.jsonl", 4)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.decode().strip().endswith("kl-derail judge: interrupted")
    assert "Traceback" not in output.decode()
    log = (tmp_path / "answers.jsonl").read_text()
    assert log.endswith("\n")
    assert log.count("\n") >= 4
