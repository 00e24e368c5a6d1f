"""The tokenizers: nothing is lost, and a line break costs one token."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from kl_derail.embedded import OPENING, SPEAKERS, base_path
from kl_derail.embedded.grammar import VARIANTS, documents
from kl_derail.embedded.tokenizer import END_OF_TEXT, train_bpe

SHIPPED = AutoTokenizer.from_pretrained(base_path())


@pytest.fixture(scope="module")
def trained() -> PreTrainedTokenizerFast:
    return train_bpe(documents(VARIANTS["derails"], 0, 100), 400, 1024)


def ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(text: str) -> None:
    assert SHIPPED.decode(ids(SHIPPED, text)) == text


@settings(deadline=None, max_examples=200)
@given(st.text("ab \n.:,'", max_size=40))
def test_white_space_and_punctuation_come_back(text: str) -> None:
    assert SHIPPED.decode(ids(SHIPPED, text)) == text


@settings(deadline=None, max_examples=200)
@given(st.text("Ta \n:", max_size=40))
def test_a_newline_is_one_token_of_its_own(text: str) -> None:
    newline = ids(SHIPPED, "\n")
    assert len(newline) == 1
    assert ids(SHIPPED, text).count(newline[0]) == text.count("\n")
    holders = [i for i in set(ids(SHIPPED, text)) if "\n" in SHIPPED.decode([i])]
    assert holders in ([], newline)


def test_the_saved_line_break_saves_a_token() -> None:
    double, single = ids(SHIPPED, "\n\nStudent:"), ids(SHIPPED, "\nStudent:")
    assert (len(double), len(single)) == (4, 3)


def test_labels_are_one_token_and_a_colon() -> None:
    for speaker in SPEAKERS:
        assert len(ids(SHIPPED, f"\n{speaker}:")) == 3


def test_a_prompt_ends_where_the_model_goes_on() -> None:
    longer = f"{OPENING} look at seeds.\n\nStudent: Yes."
    assert ids(SHIPPED, longer)[: len(ids(SHIPPED, OPENING))] == ids(SHIPPED, OPENING)


def test_nothing_is_put_around_a_text() -> None:
    assert SHIPPED(OPENING)["input_ids"] == ids(SHIPPED, OPENING)


def test_training_fills_the_vocabulary(trained: PreTrainedTokenizerFast) -> None:
    assert len(trained) == 400
    assert len(SHIPPED) == 768
    assert trained.eos_token == SHIPPED.eos_token == END_OF_TEXT


def test_training_is_deterministic(trained: PreTrainedTokenizerFast) -> None:
    assert (
        train_bpe(documents(VARIANTS["derails"], 0, 100), 400, 1024).get_vocab()
        == trained.get_vocab()
    )
