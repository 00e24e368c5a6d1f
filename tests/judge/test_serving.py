"""A tiny chat model, served on this machine, asked through the same client."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.command import judge_command
from kl_derail.judge.serving import fingerprint, served
from kl_derail.transcripts import named_path, write_episodes
from tests.judge.test_command import episodes
from tests.models import Models

pytestmark = pytest.mark.processes
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'][:40] }}\n{% endfor %}judge:"


@pytest.fixture(scope="module")
def chat_model(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, and a template that shows it the beginning of every message."""
    folder = tmp_path_factory.mktemp("chat") / "tiny"
    shutil.copytree(models.folder("llama"), folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": TEMPLATE}))
    return folder


def test_a_model_of_a_folder_is_asked_through_the_same_client(
    chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    write_episodes(named_path(run, "base"), episodes("base", 100))
    write_episodes(named_path(run, "agent"), episodes("agent", 120))
    words = ["--a", str(run), "--b", "base", "--quality", "better", "--pairs", "2"]
    words += ["--serve", str(chat_model), "--out", str(tmp_path), "--max_tokens", "3"]
    assert judge_command(words) == 0
    with (tmp_path / "judgements.csv").open(newline="") as file:
        assert {row["verdict"] for row in csv.DictReader(file)} == {"unreadable"}
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()[1:]]
    assert len(lines) == 4
    for line in lines:  # random weights say something, which is no verdict
        assert line["answer"]["reason"] in ("cut off", "no verdict")
        assert line["answer"]["tokens_out"] in (1, 2, 3)
        assert line["answer"]["model"].startswith(str(chat_model))
        assert line["request"]["endpoint"] == f"served {fingerprint(str(chat_model))}"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert judge_command(words) == 0  # all is answered: nothing needs to be served


def test_what_cannot_be_served_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "server"  # the real one takes ten seconds to find out
    server.write_text(
        "#!/bin/sh\necho 'Traceback (...)'\necho 'ValueError: no such model'\nexit 1\n"
    )
    server.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(server))
    with (
        pytest.raises(UserError, match="serve: tiny cannot be served: ValueError: no such model"),
        served("tiny"),
    ):
        pass


def test_a_server_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "server"
    server.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/id\nexec sleep 60\n")
    server.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(server))
    with (
        pytest.raises(UserError, match="tiny is not ready after 1 s: it said nothing"),
        served("tiny", 1.0),
    ):
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


def test_other_weights_or_settings_are_another_model(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_text(name)
    before = fingerprint(str(tmp_path))
    assert fingerprint(str(tmp_path)) == before
    (tmp_path / "README.md").write_text("other words")
    assert fingerprint(str(tmp_path)) == before
    (tmp_path / "config.json").write_text("CONFIG.JSON")
    settings = fingerprint(str(tmp_path))
    (tmp_path / "model.safetensors").write_text("longer weights")
    size = fingerprint(str(tmp_path))
    os.utime(tmp_path / "model.safetensors", (1, 1))
    assert len({before, settings, size, fingerprint(str(tmp_path))}) == 4


def test_a_model_of_the_hub_is_its_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network, the one that is on this machine."""
    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / ("ab" * 20)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("ab" * 20)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fingerprint("some/model") == "ab" * 20
    for name in ("other/model", "no such folder", "../x"):
        with pytest.raises(UserError, match="is neither a folder nor on the hub"):
            fingerprint(name)
