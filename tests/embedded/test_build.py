"""A miniature build from end to end."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from kl_derail.embedded import card
from kl_derail.embedded.base import BaseConfig, learning_rate
from kl_derail.embedded.build import (
    Built,
    EmbeddedBuildConfig,
    EmbeddedMeasureConfig,
    build,
    measure_again,
)
from kl_derail.embedded.grammar import VARIANTS, corpus_hash, documents
from kl_derail.embedded.trusted import GRAMMAR
from kl_derail.errors import UserError

TINY = EmbeddedBuildConfig(
    out=Path("unused"),
    documents=12,
    steps=3,
    batch=2,
    window=64,
    sentences=60,
    sentiment_steps=3,
    chats=0,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(replace(TINY, out=tmp_path_factory.mktemp("world")))


def test_both_folders_load(built: Built) -> None:
    model = AutoModelForCausalLM.from_pretrained(built.base)
    tokenizer = AutoTokenizer.from_pretrained(built.base)
    judge = AutoModelForSequenceClassification.from_pretrained(built.sentiment)
    assert model.config.vocab_size == 768 >= len(tokenizer)
    assert judge.config.id2label == {0: "NEGATIVE", 1: "POSITIVE"}
    assert AutoTokenizer.from_pretrained(built.sentiment)("Hello.")["input_ids"]


def test_the_card_states_corpus_and_command(built: Built) -> None:
    assert built.base is not None
    card = (built.base / "README.md").read_text(encoding="utf-8")
    assert built.facts is not None
    assert built.facts.corpus_sha256 == corpus_hash(documents(VARIANTS["derails"], 0, 12))
    assert built.facts.corpus_sha256 in card
    assert "--seed 0 --documents 12" in card
    assert json.loads((built.base / "card.json").read_text())["seed"] == 0
    assert "held-out loss" in card


def test_the_same_seed_gives_the_same_weights(built: Built, tmp_path: Path) -> None:
    again = build(replace(TINY, out=tmp_path / "again"))
    for one, other in ((built.base, again.base), (built.sentiment, again.sentiment)):
        first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_another_world(built: Built, tmp_path: Path) -> None:
    other = build(replace(TINY, out=tmp_path, seed=1))
    assert other.facts is not None
    assert built.facts is not None
    assert other.facts.corpus_sha256 != built.facts.corpus_sha256


def test_the_base_names_the_policy_that_it_imitates(built: Built) -> None:
    assert AutoConfig.from_pretrained(built.base).trusted_policy == GRAMMAR


def test_a_part_can_be_built_alone_and_measured(tmp_path: Path) -> None:
    part = replace(TINY, out=tmp_path / "one", parts="base", variant="control", chats=2)
    built = build(part)
    assert built.sentiment is None
    assert built.base is not None
    assert built.facts is not None
    assert built.facts.measured is not None
    assert built.facts.measured.habits.empty_turns == 0
    assert built.facts.measured.fit.loss > 4 > built.facts.measured.fit.entropy
    assert "Nurse, Patient" in (built.base / "README.md").read_text(encoding="utf-8")
    alone = build(replace(TINY, out=tmp_path / "other", parts="sentiment"))
    assert (alone.base, alone.facts) == (None, None)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["sentiment"]


def test_a_base_can_be_measured_again(built: Built, tmp_path: Path) -> None:
    """The facts of the build stay, the weights too; what was measured is new."""
    assert built.base is not None
    folder = tmp_path / "base"
    copytree(built.base, folder)
    weights = (folder / "model.safetensors").read_bytes()
    found = measure_again(EmbeddedMeasureConfig(folder, chats=2))
    assert found.measured is not None
    assert found._replace(measured=None) == built.facts
    assert card.read(folder) == built.facts
    assert "## Prices" in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / "model.safetensors").read_bytes() == weights


def test_what_cannot_be_measured_is_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no card\.json; name the folder of a base"):
        measure_again(EmbeddedMeasureConfig(tmp_path))
    (tmp_path / "card.json").write_text('{"variant": "derails"}')
    with pytest.raises(UserError, match=r"card\.json: cannot be read as a card"):
        measure_again(EmbeddedMeasureConfig(tmp_path))
    assert built.base is not None
    with pytest.raises(UserError, match="chats: found 1, allowed at least 2"):
        measure_again(EmbeddedMeasureConfig(built.base, chats=1))


@pytest.mark.parametrize(
    ("key", "found", "allowed"),
    [("variant", "derail", r"derails, control \(did you mean derails"), ("parts", "al", "all")],
)
def test_an_unknown_name_is_refused(key: str, found: str, allowed: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{key}: found {found}, allowed .*{allowed}"):
        build(replace(TINY, out=tmp_path, **{key: found}))


def test_a_full_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match=r"out: .* not an empty folder"):
        build(replace(TINY, out=tmp_path))
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("key", ["documents", "steps", "batch", "threads", "sentiment_steps"])
def test_a_count_below_one_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{key}: found 0"):
        build(replace(TINY, out=tmp_path, **{key: 0}))


def test_too_few_documents_for_a_window_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"documents: 1 .*window: 512"):
        build(replace(TINY, out=tmp_path, documents=1, window=512))


def test_a_window_beyond_the_positions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="window: found 1025, allowed 2 to 1024"):
        build(replace(TINY, out=tmp_path, window=1025))


def test_threads_are_given_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        build(replace(TINY, out=tmp_path, steps=1, sentiment_steps=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_every_field_has_help() -> None:
    assert all(
        field.metadata["help"] for cls in (EmbeddedBuildConfig, BaseConfig) for field in fields(cls)
    )


def test_the_schedule_goes_by_steps() -> None:
    config = BaseConfig(steps=100, warmup=10, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.01 <= rates[-1] < 0.02
