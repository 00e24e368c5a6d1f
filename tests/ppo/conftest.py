"""Small runs on the built-in base: 8 chats of 72 tokens, with an opening short enough for replies."""

from pathlib import Path

import pytest

from kl_derail.ppo.command import parse_train
from kl_derail.ppo.trainer import train

DEFAULTS = {
    "--opening": "Teacher: Hello.\n\nStudent: Good morning.\n\nTeacher: So",
    "--length": "72",
    "--chats": "8",
    "--eval_episodes": "8",
    "--epochs": "2",
    "--total_tokens": "2000",
    "--budget_ramp": "0.15",
    "--checkpoint_every": "1",
    "--transcripts_every": "1",
    "--threads": "1",
    "--device": "cpu",
}


def small(*flags: str) -> list[str]:
    """The flags of a small run, where `flags` do not say otherwise: none may be given twice."""
    kept = {name: value for name, value in DEFAULTS.items() if name not in flags}
    return [word for pair in kept.items() for word in pair] + list(flags)


@pytest.fixture
def small_run(tmp_path):
    """Train a small run: small_run(name, *flags) -> its folder."""

    def run(name: str, *flags: str) -> Path:
        return train(parse_train(small("--output_dir", str(tmp_path / name), *flags)))

    return run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A finished small run; read only."""
    place = tmp_path_factory.mktemp("runs") / "finished"
    return train(parse_train(small("--output_dir", str(place), "--max_updates", "2")))


def out_of_range(texts):
    """A reward function that breaks its promise."""
    return [2.0 for _ in texts]
