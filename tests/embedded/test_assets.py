"""The shipped checkpoints: they load through the ordinary path, and they are what they claim."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    DistilBertForSequenceClassification,
    MixtralForCausalLM,
    PreTrainedTokenizerFast,
)

from kl_derail.embedded import (
    AGENT,
    OPENING,
    SPEAKERS,
    base_path,
    entropy,
    prices,
    sentiment,
    sentiment_path,
    trusted,
)
from kl_derail.embedded.build import EmbeddedBuildConfig
from kl_derail.embedded.card import plain
from kl_derail.embedded.conversation import conversation, turns
from kl_derail.embedded.grammar import VARIANTS

FOLDERS = [*map(base_path, VARIANTS), sentiment_path()]
VARIANT = pytest.mark.parametrize("variant", list(VARIANTS))


@cache
def base(variant: str) -> MixtralForCausalLM:
    return AutoModelForCausalLM.from_pretrained(base_path(variant), dtype=torch.float32).eval()


@cache
def words(variant: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(base_path(variant))


def score(*texts: str) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(sentiment_path())
    return sentiment.scores(model, PreTrainedTokenizerFast.from_pretrained(sentiment_path()), texts)


def test_they_load_fast() -> None:
    AutoModelForCausalLM.from_pretrained(base_path())  # the first time imports the architecture
    AutoModelForSequenceClassification.from_pretrained(sentiment_path())
    start = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(base_path())
    judge = AutoModelForSequenceClassification.from_pretrained(sentiment_path())
    assert time.perf_counter() - start < 5
    assert isinstance(model, MixtralForCausalLM)
    assert isinstance(judge, DistilBertForSequenceClassification)


def test_they_are_small_and_safe() -> None:
    files = [f for folder in FOLDERS for f in folder.iterdir()]
    assert sum(f.stat().st_size for f in files) <= 12e6
    assert {f.suffix for f in files} <= {".json", ".safetensors", ".md"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_they_have_a_card(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(part in card for part in ("parameters", "Known flaws", "build"))


@VARIANT
def test_card_and_corpus_belong_to_this_code(variant: str) -> None:
    card = json.loads((base_path(variant) / "card.json").read_text())
    assert card["variant"] == variant
    assert card["blanks"] == plain(VARIANTS[variant])
    own = EmbeddedBuildConfig(out=Path("unused"))
    for name in ("seed", "documents", "steps", "batch", "window", "threads"):
        assert card[name] == getattr(own, name)
    assert base(variant).config.trusted_policy == trusted.GRAMMAR
    assert base(variant).num_parameters() == card["parameters"]


@VARIANT
def test_the_base_reads_a_thousand_tokens(variant: str) -> None:
    assert base(variant).config.max_position_embeddings >= 1024


@VARIANT
def test_the_opening_is_cut_in_a_teacher_turn(variant: str) -> None:
    spoken = turns(OPENING)
    assert spoken[-1].speaker == AGENT
    assert AGENT in SPEAKERS
    assert spoken[-1].text[-1] not in ".?!"
    assert len(words(variant)(OPENING)["input_ids"]) <= 48


@VARIANT
def test_the_base_comes_close_to_the_entropy_of_new_conversations(variant: str) -> None:
    fit = entropy.loss_and_entropy(base(variant), words(variant), 10**6, conversations=2)
    assert fit.entropy - 0.01 < fit.loss < fit.entropy + 0.1


@VARIANT
def test_silence_is_dear_once_and_cheap_after_but_not_in_the_control(variant: str) -> None:
    price = prices.silence_price(base(variant), words(variant), OPENING, length=256, chats=8)
    assert price.first.value > 5
    assert price.student_blank > 0.95 or variant == "control"
    assert (max(price.later) < price.first.value / 3) == (variant == "derails")


@VARIANT
def test_the_base_talks_like_the_trusted_teacher(variant: str) -> None:
    chats = prices.rollout(base(variant), words(variant), OPENING, chats=16, length=160, seed=0)
    assert all(text.startswith(OPENING) for text in chats.texts)
    spoken = [turns(text)[:-1] for text in chats.texts]
    replies = {turn.text for chat in spoken for turn in chat[2:] if turn.speaker != AGENT}
    assert len(replies) >= 12
    judged = [parse for chat in spoken for parse in list(trusted.parses(chat))[1:]]
    assert sum(parse.possible for parse in judged) > 0.85 * len(judged)


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
    long = turns(conversation(np.random.default_rng(0)))[3].text
    alone, beside = score("I quite like seeds.")[0], score("I quite like seeds.", long)[0]
    assert alone == pytest.approx(beside, abs=1e-5)
