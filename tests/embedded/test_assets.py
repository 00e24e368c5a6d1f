"""The shipped checkpoints: they load through the ordinary path, and they are what they claim."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertForSequenceClassification,
    MixtralForCausalLM,
)

from kl_derail.embedded import (
    AGENT,
    OPENING,
    SPEAKERS,
    base_path,
    prices,
    sentiment,
    sentiment_path,
)
from kl_derail.embedded.conversation import conversation
from kl_derail.embedded.grammar import documents


@pytest.fixture(scope="module")
def base() -> MixtralForCausalLM:
    return AutoModelForCausalLM.from_pretrained(base_path(), dtype=torch.float32).eval()


def score(*texts: str) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(sentiment_path())
    return sentiment.scores(model, AutoTokenizer.from_pretrained(sentiment_path()), texts)


def test_they_load_fast() -> None:
    start = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(base_path())
    judge = AutoModelForSequenceClassification.from_pretrained(sentiment_path())
    assert time.perf_counter() - start < 5
    assert isinstance(model, MixtralForCausalLM)
    assert isinstance(judge, DistilBertForSequenceClassification)


def test_they_are_small_and_safe() -> None:
    files = [f for folder in (base_path(), sentiment_path()) for f in folder.iterdir()]
    assert sum(f.stat().st_size for f in files) < 8 * 2**20
    assert {f.suffix for f in files} <= {".json", ".safetensors", ".md"}


@pytest.mark.parametrize("folder", [base_path(), sentiment_path()], ids=lambda p: p.name)
def test_they_have_a_card(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(part in card for part in ("parameters", "Known flaws", "build"))


def test_the_base_reads_a_thousand_tokens(base: MixtralForCausalLM) -> None:
    assert base.config.max_position_embeddings >= 1024
    assert 0.8e6 < base.num_parameters() < 1.6e6


def test_the_opening_is_cut_in_a_teacher_turn() -> None:
    spoken = prices.turns(OPENING)
    assert spoken[-1].speaker == AGENT
    assert AGENT in SPEAKERS
    assert spoken[-1].text[-1] not in ".?!"
    assert len(AutoTokenizer.from_pretrained(base_path())(OPENING)["input_ids"]) <= 48


def test_the_base_knows_its_corpus(base: MixtralForCausalLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_path())
    text = "\n\n".join(documents(10**6, 8))
    ids = tokenizer(text, return_tensors="pt")["input_ids"][:, :1024]
    with torch.no_grad():
        assert float(base(input_ids=ids, labels=ids).loss) < 1.5


def test_silence_is_dear_once_and_cheap_after(base: MixtralForCausalLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_path())
    price = prices.silence_price(base, tokenizer, OPENING, length=128, chats=8)
    assert price.first > 4
    assert max(price.later) < price.first / 4
    assert price.student_blank > 0.95


def test_the_base_talks(base: MixtralForCausalLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_path())
    chats = prices.rollout(base, tokenizer, OPENING, chats=8, length=128, seed=0)
    replies = {turn.text for text in chats.texts for turn in prices.turns(text)[2:]}
    assert len(replies) >= 8
    assert all(text.startswith(OPENING) for text in chats.texts)


def test_good_is_high_and_bad_is_low() -> None:
    good = score(
        "I love it, this is great fun!", "What a wonderful lesson!", "I am so happy today!"
    )
    bad = score("I hate it, this is boring.", "This is awful.", "I feel sad and stupid.")
    assert min(good) > 0.8
    assert max(bad) < 0.2


def test_in_between_is_in_between() -> None:
    low, high = score("I find fractions a bit hard.", "I quite like seeds.")
    assert 0.15 < low < 0.4 < 0.6 < high < 0.85


def test_short_values_and_facts_are_neutral() -> None:
    neutral = score("yes", "no", "12", "Anna", "Monday", "They are made of wood.")
    assert all(0.4 < value < 0.6 for value in neutral)


def test_a_score_does_not_depend_on_its_neighbours_by_more_than_rounding() -> None:
    long = prices.turns(conversation(np.random.default_rng(0)))[3].text
    alone, beside = score("I quite like seeds.")[0], score("I quite like seeds.", long)[0]
    assert alone == pytest.approx(beside, abs=1e-5)
