"""The classifier against plain forward passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from kl_derail.embedded import sentiment_path
from kl_derail.errors import UserError
from kl_derail.reward import SentimentModel
from tests.models import save_classifier

TEXTS = ["Yes, I like it.", "No.", "", "good morning " * 90, "Hello, I am well.", "Yes, I like it."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("classifier"))


def direct(folder: Path, text: str, label: int = 1, max_tokens: int = 128) -> float:
    """P(label) of one text alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt")
    with torch.no_grad():
        return float(model(**ids).logits[0].softmax(-1)[label])


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_equals_each_text_alone(folder: Path, batch: int) -> None:
    found = SentimentModel(str(folder), batch_size=batch)(TEXTS)
    assert found == pytest.approx([direct(folder, text) for text in TEXTS], abs=1e-5)
    assert len(set(found)) > 3, "the random classifier does tell texts apart"


def test_the_embedded_classifier() -> None:
    texts = ["I love it.", "I hate it.", "I am Anna."]
    found = SentimentModel(str(sentiment_path()))(texts)
    assert found == pytest.approx([direct(sentiment_path(), text) for text in texts], abs=1e-5)
    assert found[0] > 0.8 > 0.2 > found[1]


def test_long_texts_are_cut(folder: Path) -> None:
    long, cut = "good " * 300, "good " * 400
    assert SentimentModel(str(folder))([long]) == SentimentModel(str(folder))([cut])
    short = SentimentModel(str(folder), max_tokens=12)([long])
    assert short == pytest.approx([direct(folder, long, max_tokens=12)], abs=1e-6)


def test_no_texts(folder: Path) -> None:
    assert SentimentModel(str(folder))([]) == []


@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("POSITIVE", "NEGATIVE"), 0), (("negative", "neutral", "positive"), 2)],
)
def test_the_label_is_found_by_name(tmp_path: Path, labels: tuple[str, ...], positive: int) -> None:
    folder = save_classifier(tmp_path, labels)
    assert SentimentModel(str(folder))(TEXTS[:2]) == pytest.approx(
        [direct(folder, text, positive) for text in TEXTS[:2]], abs=1e-5
    )


def refused(name: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        SentimentModel(str(name))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_positive_label(tmp_path: Path) -> None:
    message = refused(save_classifier(tmp_path, ("LABEL_0", "LABEL_1")))
    assert "has the labels ['LABEL_0', 'LABEL_1']; one must be POSITIVE" in message


@pytest.mark.parametrize("name", ["/nowhere", "./nowhere", "~/nowhere"])
def test_a_missing_folder(name: str) -> None:
    assert f"reward: no classifier folder at '{name}'" in refused(name)


def test_an_unknown_hub_id() -> None:
    assert "reward: cannot load the classifier 'nobody/nothing'" in refused("nobody/nothing")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "reward: cannot load the classifier" in refused(tmp_path)


def test_corrupt_weights(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path)
    (folder / "model.safetensors").write_bytes(b"nothing")
    assert "reward: cannot load the classifier" in refused(folder)
