"""Whatever a user gets wrong: one clear line, exit code 2, and no file changes."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kl_derail import embedded
from kl_derail.cli import main
from tests.ppo.conftest import finished_run, small  # noqa: F401  (a fixture)

DAMAGED_RUN = "damaged"


@pytest.fixture(scope="module")
def place(tmp_path_factory, finished_run):  # noqa: F811
    """A folder with everything that the cases below need."""
    root = tmp_path_factory.mktemp("bad")
    shutil.copytree(finished_run, root / "run")
    shutil.copytree(finished_run, root / DAMAGED_RUN)
    for folder in (root / DAMAGED_RUN / "checkpoints").iterdir():
        file = folder / "agent.safetensors"
        file.write_bytes(file.read_bytes()[:100])
    shutil.copytree(finished_run, root / "no_checkpoint")
    shutil.rmtree(root / "no_checkpoint/checkpoints")
    (root / "empty").mkdir()
    (root / "file").write_text("not a folder")
    _models(root)
    _yaml_files(root)
    return root


def _models(root: Path) -> None:
    """Bases and classifiers that do not fit together."""
    shutil.copytree(embedded.base_path(), root / "other_base")
    weights = load_file(root / "other_base/model.safetensors")
    weights["lm_head.weight"] = (
        weights.get("lm_head.weight", weights["model.embed_tokens.weight"]) + 1e-3
    )
    save_file(weights, root / "other_base/model.safetensors", metadata={"format": "pt"})
    config = json.loads((root / "other_base/config.json").read_text())
    del config["trusted_policy"]  # or the built-in opening would be its own
    (root / "other_base/config.json").write_text(json.dumps(config))
    shutil.copytree(embedded.base_path(), root / "corrupt_base")
    (root / "corrupt_base/model.safetensors").write_bytes(b"\0" * 64)
    shutil.copytree(embedded.base_path(), root / "no_tokenizer")
    for file in (root / "no_tokenizer").glob("tokenizer*"):
        file.unlink()
    shutil.copytree(embedded.base_path(), root / "big_tokenizer")
    text = json.loads((root / "big_tokenizer/tokenizer.json").read_text())
    text["added_tokens"].append(
        {"id": 5000, "content": "<far>", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
    )  # fmt: skip
    text["model"]["vocab"]["<far>"] = 5000
    (root / "big_tokenizer/tokenizer.json").write_text(json.dumps(text))
    shutil.copytree(embedded.sentiment_path(), root / "three_moods")
    config = json.loads((root / "three_moods/config.json").read_text())
    config["id2label"] = {"0": "BAD", "1": "GOOD"}
    (root / "three_moods/config.json").write_text(json.dumps(config))


def _yaml_files(root: Path) -> None:
    for name, text in {
        "unknown.yaml": "bugdet: 20\n",
        "type.yaml": "budget: twenty\n",
        "twice.yaml": "budget: 10\nbudget: 20\n",
        "list.yaml": "- budget\n",
        "syntax.yaml": "budget: [1\n",
    }.items():
        (root / name).write_text(text)
    (root / "latin.yaml").write_bytes("opening: \xe9".encode("latin-1"))


TRAIN = {
    "negative budget": ("--budget -1", "budget", ">= 0"),
    "budget that is no number": ("--budget nan", "budget", "nan"),
    "infinite budget": ("--budget inf", "budget", "inf"),
    "budget in words": ("--budget twenty", "budget", "twenty"),
    "opening longer than the episode": ("--length 10", "length", "opening"),
    "episode longer than the context": ("--length 100000", "length", "context"),
    "agent who does not speak": ("--agent Pupil", "agent", "Teacher"),
    "speaker who is not in the opening": ("--speakers Teacher Pupil", "Pupil", "opening"),
    "one speaker": ("--speakers Teacher", "speakers", "two"),
    "speaker with a colon": ("--speakers Teacher: Student", "speakers", "colon"),
    "student frozen": ("--student_temperature 0", "student_temperature", ">= 0.001"),
    "no chats": ("--chats 0", "chats", ">= 1"),
    "half a chat": ("--chats 3.5", "chats", "3.5"),
    "unknown flag": ("--bugdet 3", "bugdet", "budget"),
    "unknown accounting": ("--accounting expcted", "accounting", "expected"),
    "unknown preset": ("--preset publshed", "preset", "published"),
    "promise that cannot be kept": ("--overspend_target", "overspend_target", "realised"),
    "4-bit": ("--quantization nf4", "quantization", "91 GB"),
    "missing base folder": ("--base {root}/nowhere", "base", "nowhere"),
    "base folder that is empty": ("--base {root}/empty --opening {opening}", "base", "empty"),
    "base that is a file": ("--base {root}/file --opening {opening}", "base", "file"),
    "corrupt weights": ("--base {root}/corrupt_base --opening {opening}", "base", "corrupt_base"),
    "base without tokenizer": ("--base {root}/no_tokenizer --opening {opening}", "base", "tokenizer"),
    "tokenizer of another model": ("--base {root}/big_tokenizer --opening {opening}", "fit", "5000"),
    "own base without opening": ("--base {root}/other_base --opening none", "opening", "other_base"),
    "missing classifier": ("--reward {root}/nowhere", "reward", "nowhere"),
    "classifier without labels": ("--reward {root}/three_moods", "reward", "POSITIVE"),
    "reward function that is not there": ("--reward python:math:nothing", "reward", "nothing"),
    "unknown device": ("--device quantum", "device", "quantum"),
    "more layers than there are": ("--feature_layers 99", "feature_layers", "99"),
    "unknown tracker": ("--trackers tensorbored", "trackers", "tensorboard"),
    "output that is a file": ("--output_dir {root}/file", "output_dir", "file"),
    "output that holds a run": ("--output_dir {root}/run", "output_dir", "--resume"),
    "missing config": ("--config {root}/nowhere.yaml", "nowhere.yaml", ""),
    "unknown key": ("--config {root}/unknown.yaml", "bugdet", "budget"),
    "wrong type in a file": ("--config {root}/type.yaml", "budget", "twenty"),
    "key twice": ("--config {root}/twice.yaml", "twice.yaml", "budget"),
    "file without keys": ("--config {root}/list.yaml", "list.yaml", ""),
    "syntax": ("--config {root}/syntax.yaml", "syntax.yaml", "line"),
    "encoding": ("--config {root}/latin.yaml", "latin.yaml", "UTF-8"),
    "resume what is no run": ("--resume {root}/empty", "resume", "config.yaml"),
    "resume what has ended": ("--resume {root}/run", "resume", "complete"),
    "resume with damaged checkpoints": ("--resume {root}/damaged", "agent.safetensors", "checksum"),
    "resume without checkpoints": ("--resume {root}/no_checkpoint", "checkpoint", "no_checkpoint"),
    "resume under another budget": ("--resume {root}/run --budget 3", "budget", "20.0"),
    "resume with another configuration": ("--resume {root}/run --config {root}/type.yaml", "type.yaml", "budget"),
    "resume under a preset": ("--resume {root}/run --preset published", "resume", "preset"),
    "more candidates than tokens": ("--top_k 100000", "top_k", ""),
    "reward outside its range": ("--reward python:tests.ppo.conftest:out_of_range", "reward", "0 to 1"),
    "resume and begin": ("--resume {root}/run --init_from {root}/run", "resume", "init_from"),
    "resume and overwrite": ("--resume {root}/run --overwrite", "resume", "overwrite"),
    "begin with what is no run": ("--init_from {root}/empty", "init_from", "config.yaml"),
    "begin on another base": (
        "--init_from {root}/run --base {root}/other_base --opening {opening}", "init_from", "mixed",
    ),
    "begin with another shape": ("--init_from {root}/run --feature_layers 2", "shape", "init_from"),
}  # fmt: skip

ROLLOUT = {
    "no run": ("", "run", "required"),
    "what is no run": ("{root}/empty", "run", "config.yaml"),
    "two runs": ("{root}/run {root}/run", "run", ""),
    "damaged checkpoint": ("{root}/damaged", "agent.safetensors", "checksum"),
    "script without end": ("{root}/run --policy script --script ok", "script", "speaker change"),
    "script without text": ("{root}/run --policy script", "script", "--script"),
    "begin at once without a script": ("{root}/run --at_once", "at_once", "script"),
    "text without script": ("{root}/run --script x", "script", "--policy"),
    "budget for the base": ("{root}/run --policy base --budget 3", "budget", "base"),
    "negative budget": ("{root}/run --budget -3", "budget", ">= 0"),
    "no episodes": ("{root}/run -n 0", "episodes", ">= 1"),
    "short episode": ("{root}/run --length 5", "length", "opening"),
    "name with a folder": ("{root}/run --name a/b", "name", "a/b"),
    "file that exists": ("{root}/run --name agent", "name", "--overwrite"),
}


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def refused(command: str, words: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused; returns its one line."""
    before = snapshot(root)
    assert main([command, *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith(f"kl-derail {command}: error: ")
    assert "Traceback" not in error
    assert snapshot(root) == before
    return error


def fill(text: str, root: Path) -> list[str]:
    return [
        word.format(root=root, opening="Teacher: Hi.\n\nStudent: Yes.\n\nTeacher: So")
        for word in text.split()
    ]


@pytest.mark.parametrize("case", TRAIN)
def test_train(case, place, capsys):
    text, *expected = TRAIN[case]
    words = fill(text, place)
    if "--resume" not in words:
        output = [] if "--output_dir" in words else ["--output_dir", str(place / case)]
        words = small(*output, *words)
    error = refused("train", words, place, capsys)
    assert all(part in error for part in expected), error
    assert not (place / case).exists()


@pytest.mark.parametrize("case", ROLLOUT)
def test_rollout(case, place, capsys):
    text, *expected = ROLLOUT[case]
    error = refused("rollout", fill(text, place), place, capsys)
    assert all(part in error for part in expected), error


@pytest.mark.parametrize(
    "words", [[], ["biuld"], ["build", "--steps", "none"], ["build", "--out", "{root}/file"]]
)
def test_embedded(words, place, capsys):
    refused("embedded", [word.format(root=place) for word in words], place, capsys)


def test_unknown_command(tmp_path, capsys):
    assert "train" in refused("trian", [], tmp_path, capsys)


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs a folder that nobody may write to"
)
def test_unwritable_output(tmp_path, capsys):
    words = small("--output_dir", "/proc/kl_derail/run")
    assert "output_dir" in refused("train", words, tmp_path, capsys)


def test_a_fault_of_the_program_is_no_user_error(tmp_path, monkeypatch):
    """A fault of the program keeps its traceback."""
    monkeypatch.setattr(torch, "set_num_threads", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["train", *small("--output_dir", str(tmp_path / "run"))])
