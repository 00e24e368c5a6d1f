"""A comparison that cannot fail is no comparison: every kind of difference is found."""

import json
import shutil

import pytest

from kl_derail.ppo import checkpoint
from kl_derail.ppo.checkpoint import load_newest, save_checkpoint
from kl_derail.ppo.compare import differences
from kl_derail.transcripts import named_path, read_episodes, write_episodes


@pytest.fixture
def twin(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "twin")
    return tmp_path / "twin"


def test_a_copy_is_the_same(finished_run, twin):
    assert differences(finished_run, twin) == []


def test_the_clock_does_not_count(finished_run, twin):
    lines = [json.loads(line) for line in (twin / "metrics.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**line, "time_total_ms": 1.0}) + "\n" for line in lines)
    (twin / "metrics.jsonl").write_text(text)
    assert differences(finished_run, twin) == []


def test_a_last_bit_of_the_metrics_counts(finished_run, twin):
    lines = [json.loads(line) for line in (twin / "metrics.jsonl").read_text().splitlines()]
    lines[1]["kl_mean"] = lines[1]["kl_mean"] * (1 + 2**-52) + 5e-324
    (twin / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [text.split(":")[1].strip() for text in differences(finished_run, twin)] == [
        "kl_mean of update 2"
    ]


def test_a_missing_update_counts(finished_run, twin):
    first = (twin / "metrics.jsonl").read_text().splitlines(keepends=True)[0]
    (twin / "metrics.jsonl").write_text(first)
    assert differences(finished_run, twin) == ["metrics: 2 and 1 updates"]


def test_transcripts_count(finished_run, twin):
    episodes = read_episodes(named_path(twin, "agent"))
    columns = episodes[3].columns()
    columns["log_ratio"] = columns["log_ratio"] * (1 + 2**-52)
    columns["log_ratio"][~episodes[3].agent_tokens] = 0
    episodes[3] = type(episodes[3]).from_columns(columns)
    write_episodes(named_path(twin, "agent"), episodes)
    assert differences(finished_run, twin) == ["transcripts: agent.parquet"]


def test_missing_files_and_episodes_count(finished_run, twin):
    write_episodes(named_path(twin, "agent"), read_episodes(named_path(twin, "agent"))[:3])
    (twin / "transcripts/update-000001.parquet").unlink()
    assert differences(finished_run, twin) == [
        "transcripts: only one has update-000001.parquet",
        "transcripts: agent.parquet",
    ]


@pytest.mark.parametrize("part", ["agent", "optimiser", "rewards"])
def test_checkpoints_count(finished_run, twin, part):
    found = load_newest(twin)
    changed = dict(getattr(found, part))
    name = next(iter(changed))
    changed[name] = changed[name] + 1e-3
    made = checkpoint.Checkpoint(
        **{field: getattr(found, field) for field in ("base_fingerprint", "progress")},
        **{
            field: getattr(found, field)
            for field in ("agent", "optimiser", "rewards")
            if field != part
        },
        **{part: changed},
    )
    save_checkpoint(twin, made)
    (what,) = differences(finished_run, twin)
    assert what.startswith("checkpoints: ")


def test_summaries_count(finished_run, twin):
    (twin / "summary.json").write_text("{}")
    assert differences(finished_run, twin) == ["summaries"]
