"""Whole runs: they are repeatable, they can be resumed, they keep the budget."""

import json
import re

import numpy as np
import pytest
import safetensors.torch
import torch

from kl_derail.cli import main
from kl_derail.embedded import OPENING, trusted
from kl_derail.embedded.lesson import Turn
from kl_derail.embedded.trusted import GRAMMAR
from kl_derail.errors import UserError
from kl_derail.ppo import trainer
from kl_derail.ppo.checkpoint import list_checkpoints, load_newest
from kl_derail.ppo.command import parse_train
from kl_derail.ppo.compare import differences, untimed
from kl_derail.ppo.folder import RunFolder
from kl_derail.ppo.session import Session
from kl_derail.ppo.trainer import train
from kl_derail.transcripts import read_episodes
from tests.models import copy_embedded


def log_of(run):
    """The metrics without what the clock says."""
    return [untimed(line) for line in RunFolder(run).read_metrics()]


def test_small_runs_have_something_to_learn_from(finished_run):
    assert log_of(finished_run)[0]["reward_mean"] > 0.2


def test_equal_seeds_give_equal_runs_and_other_seeds_do_not(small_run):
    one = small_run("one", "--max_updates", "2")
    assert differences(one, small_run("two", "--max_updates", "2")) == []
    assert log_of(one) != log_of(small_run("three", "--max_updates", "2", "--seed", "1"))


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_an_interrupted_run_goes_on_to_the_bit(small_run, tmp_path, monkeypatch, stop):
    whole = small_run("whole", "--max_updates", "4")
    real = trainer.one_update

    def dies(session, *rest):
        if session.progress.update == stop:
            raise KeyboardInterrupt
        return real(session, *rest)

    monkeypatch.setattr(trainer, "one_update", dies)
    with pytest.raises(KeyboardInterrupt):
        small_run("broken", "--max_updates", "4", "--checkpoint_every", "2")
    monkeypatch.undo()
    train(parse_train(["--resume", str(tmp_path / "broken"), "--checkpoint_every", "1"]))
    assert differences(whole, tmp_path / "broken") == []


@pytest.mark.parametrize("point", ["append_metrics", "save"])
def test_a_run_that_dies_while_it_writes_goes_on_to_the_bit(
    small_run, tmp_path, monkeypatch, point
):
    whole = small_run("whole", "--max_updates", "3")
    owner = RunFolder if point == "append_metrics" else Session
    real, calls = getattr(owner, point), []

    def dies(*words):
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*words)

    monkeypatch.setattr(owner, point, dies)
    with pytest.raises(KeyboardInterrupt):
        small_run("broken", "--max_updates", "3")
    monkeypatch.undo()
    train(parse_train(["--resume", str(tmp_path / "broken")]))
    assert differences(whole, tmp_path / "broken") == []


def test_what_was_written_after_the_checkpoint_is_written_again(small_run, tmp_path):
    """Killed between log and checkpoint, in the middle of a line: nothing stands twice."""
    whole = small_run("whole", "--max_updates", "3")
    broken = small_run("broken", "--max_updates", "3")
    (broken / "summary.json").unlink()
    for folder in list_checkpoints(broken)[1:]:
        (folder / "manifest.json").write_bytes(b"{")
    with (broken / "metrics.jsonl").open("a") as file:
        file.write('{"update": 4, "agent_')
    train(parse_train(["--resume", str(broken)]))
    assert differences(whole, broken) == []


def test_no_episode_of_a_run_spends_more_than_its_budget(small_run):
    run = small_run(
        "run", "--max_updates", "3", "--budget", "3", "--lr_actor", "0.2", "--budget_ramp", "0"
    )
    spent = [(each.kl.sum(), each.budget) for each in read_episodes(run)]
    assert max(kl for kl, _ in spent) > 0.1
    assert all(kl <= budget + 1e-9 * 72 for kl, budget in spent)


@pytest.mark.parametrize("preset", ["default", "published"])
def test_what_is_left_of_the_budget_follows_the_accounting(small_run, preset):
    """Recomputed from the log: the exact KL is charged, or the log-ratio as published."""
    published = ["--preset", "published", "--chats", "8", "--update_tokens", "0"]
    run = small_run("run", "--budget", "2", "--budget_ramp", "0", "--lr_actor", "0.1",
                    "--max_updates", "2", *(published if preset == "published" else []))  # fmt: skip
    for each in read_episodes(run, update=2):
        left = each.budget_left[each.agent_tokens]
        cost = (each.log_ratio if preset == "published" else each.kl)[each.agent_tokens]
        assert left[0] == each.budget == 2
        np.testing.assert_array_equal(left[1:], np.maximum(left[:-1] - cost[:-1], 0))
        assert each.accounting == ("realised" if preset == "published" else "expected")


def test_the_ramp_begins_at_zero_and_ends_at_the_full_budget(small_run):
    run = small_run("run", "--budget", "5", "--max_updates", "4")
    budgets = [line["budget"] for line in log_of(run)]
    assert budgets[0] == 0
    assert budgets == sorted(budgets)
    assert budgets[-1] == 5


def test_a_budget_of_zero_leaves_the_base_alone(small_run):
    run = small_run("run", "--budget", "0", "--max_updates", "2")
    agent, base = (read_episodes(run / "transcripts" / f"{n}.parquet") for n in ("agent", "base"))
    assert all(np.array_equal(a.token_id, b.token_id) for a, b in zip(agent, base, strict=True))


def test_length_transfer_keeps_weights_and_units_and_has_no_ramp(small_run, tmp_path):
    first = small_run("first", "--max_updates", "2")
    second = small_run("second", "--init_from", str(first), "--length", "96", "--max_updates", "1",
                       "--lr_actor", "1e-12")  # fmt: skip
    source, made = load_newest(first), load_newest(second)
    torch.testing.assert_close(made.agent["head.linear.weight"], source.agent["head.linear.weight"])
    assert torch.equal(made.agent["head.mean"], source.agent["head.mean"])
    assert [line["budget"] for line in log_of(second)] == [20]
    assert {each.length for each in read_episodes(second)} == {96}


def test_a_run_that_is_complete_says_so(finished_run):
    with pytest.raises(UserError, match="is complete after 2 updates"):
        train(parse_train(["--resume", str(finished_run)]))


def test_a_finished_run_can_be_made_longer(small_run):
    whole = small_run("whole", "--max_updates", "3")
    grown = small_run("grown", "--max_updates", "1")
    train(parse_train(["--resume", str(grown), "--max_updates", "3"]))
    assert differences(whole, grown) == []


def test_an_option_that_shaped_the_run_cannot_change(finished_run):
    with pytest.raises(UserError, match=r"budget was 20\.0 .* found 10\.0"):
        train(parse_train(["--resume", str(finished_run), "--budget", "10"]))


def test_a_run_holds_what_the_readme_says(finished_run):
    files = {
        str(path.relative_to(finished_run)) for path in finished_run.rglob("*") if path.is_file()
    }
    assert {"config.yaml", "metrics.jsonl", "summary.json", "closing.svg"} <= files
    assert {"transcripts/base.parquet", "transcripts/agent.parquet"} <= files
    assert "transcripts/update-000002.parquet" in files
    summary = json.loads((finished_run / "summary.json").read_text())
    assert summary["updates"] == 2
    assert summary["agent"]["n"] == 8


@pytest.mark.parametrize("name", [GRAMMAR, "tutoring-0", None])
def test_a_run_reports_impossible_turns_beside_those_of_the_base(small_run, tmp_path, name, capsys):
    """Each share recomputed from the transcripts, turn by turn, out of their words alone."""
    base = copy_embedded(tmp_path / "base", name)
    words = ("--base", str(base), "--opening", OPENING, "--length", "120", "--max_updates", "1")
    run = small_run("run", *words)
    screen = " ".join(capsys.readouterr().out.split())
    found = {"base": {}, "agent": {}, **json.loads((run / "summary.json").read_text())}
    found["update-000001"] = log_of(run)[0]
    for file in ("base", "agent", "update-000001"):
        if name != GRAMMAR:
            assert "impossible_turn_fraction" not in found[file]
            continue
        marks = impossible_marks(read_episodes(run / "transcripts" / f"{file}.parquet"))
        assert len(marks) >= 8
        assert found[file]["impossible_turn_fraction"] == sum(marks) / len(marks)
    assert found["trusted_policy"] == (name or "")
    assert ("The trusted teacher could never have said" in screen) == (name == GRAMMAR)
    assert ("impossible agent turns" in screen) == (name == GRAMMAR)
    main(["rollout", str(run), "-n", "2"])
    assert (", impossible ones " in capsys.readouterr().out) == (name == GRAMMAR)


def impossible_marks(episodes):
    """For each finished turn that ends after the opening: whether the trusted teacher rules it out."""
    return [
        not trusted.parse([Turn(*each) for each in before], now[1]).possible
        for episode in episodes
        for *before, now in starts(
            re.findall(r"(Teacher|Student): ?(.*?)\n+(?=\w+:)", episode.text)
        )
        if now[0] == "Teacher" and len(before) >= 2
    ]


def starts(turns):
    return [turns[:end] for end in range(1, len(turns) + 1)]


def test_an_update_reads_as_many_chats_as_it_needs(small_run):
    few = small_run("few", "--max_updates", "1")
    many = small_run("many", "--max_updates", "1", "--update_tokens", "900")
    assert log_of(few)[0]["n"] == 8
    line = log_of(many)[0]
    assert line["n"] > 8
    assert line["agent_tokens"] >= 900


def test_checkpoints_hold_no_pickles(finished_run):
    for file in finished_run.rglob("*"):
        assert file.is_dir() or file.suffix in {
            ".safetensors",
            ".json",
            ".jsonl",
            ".svg",
            ".yaml",
            ".parquet",
        }
    newest = list_checkpoints(finished_run)[-1]
    assert safetensors.torch.load_file(newest / "agent.safetensors")


def test_an_overwritten_run_can_be_resumed_and_repeated(small_run, tmp_path):
    run = small_run("run", "--max_updates", "1")
    small_run("run", "--max_updates", "1", "--overwrite", "--seed", "5")
    train(parse_train(["--resume", str(run), "--max_updates", "2"]))
    words = ["--config", str(run / "config.yaml"), "--output_dir", str(tmp_path / "again")]
    assert differences(run, train(parse_train(words))) == []


def test_a_published_run_ends_even_if_it_wants_to_overspend(small_run, monkeypatch):
    """Evaluated under its own accounting: under expected accounting its target would exceed what is left."""
    real = trainer.open_session

    def spends_at_once(options):
        session = real(options)
        session.agent.head.linear.bias.data[0] = 5.0
        session.agent.head.linear.weight.data[1:].normal_(
            generator=torch.Generator().manual_seed(0)
        )
        return session

    monkeypatch.setattr(trainer, "open_session", spends_at_once)
    run = small_run("run", "--preset", "published", "--chats", "8", "--update_tokens", "0",
                    "--budget_ramp", "0", "--max_updates", "1")  # fmt: skip
    assert {each.accounting for each in read_episodes(run / "transcripts/agent.parquet")} == {
        "realised"
    }


@pytest.mark.parametrize(
    "mistake", [["--top_k", "100000"], ["--reward", "python:tests.ppo.conftest:out_of_range"]]
)
def test_overwriting_deletes_nothing_before_the_new_run_has_begun(small_run, mistake):
    run = small_run("run", "--max_updates", "1")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError):
        small_run("run", "--overwrite", *mistake)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_killed_before_it_began_can_be_begun_again(small_run, monkeypatch):
    monkeypatch.setattr(Session, "save", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small_run("run", "--max_updates", "1")
    monkeypatch.undo()
    small_run("run", "--max_updates", "1")


def test_a_warm_start_can_be_resumed(small_run, tmp_path, monkeypatch):
    source = small_run("source", "--max_updates", "1")
    whole = small_run("whole", "--init_from", str(source), "--max_updates", "2")
    grown = small_run("grown", "--init_from", str(source), "--max_updates", "1")
    train(parse_train(["--resume", str(grown), "--max_updates", "2"]))
    assert [each for each in differences(whole, grown) if "update-" not in each] == []


def test_a_resumed_run_says_nothing_of_its_former_end(small_run, monkeypatch):
    run = small_run("run", "--max_updates", "1")
    monkeypatch.setattr(trainer, "finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(parse_train(["--resume", str(run), "--max_updates", "2"]))
    monkeypatch.undo()
    assert not (run / "summary.json").exists()
    train(parse_train(["--resume", str(run)]))
    assert json.loads((run / "summary.json").read_text())["updates"] == 2


def test_every_line_of_the_log_is_json_in_the_strict_sense(small_run):
    run = small_run("run", "--max_updates", "1", "--length", "30")
    for line in (run / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"found {name}"))
