"""The classifier: trained alike from the same seed, measured as its card says, and what it does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from kl_derail.embedded import labels, lexicon, sentiment, sentiment_path, tokenizer
from kl_derail.embedded import sentiment_card as card
from kl_derail.embedded.labels import Scored

RUN = card.Run(seed=0, sentences=300, steps=2, parameters=1000)


@lru_cache(maxsize=1)
def shipped() -> sentiment.TrainedSentiment:
    folder = sentiment_path()
    return sentiment.TrainedSentiment(
        AutoModelForSequenceClassification.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )


def by_length(texts: Sequence[str]) -> list[float]:
    """A scorer that knows nothing."""
    return [(len(text) % 101) / 100 for text in texts]


def by_words(texts: Sequence[str]) -> list[float]:
    """Another."""
    return [(text.count(" ") % 11) / 10 for text in texts]


@lru_cache(maxsize=1)
def measured() -> card.Measurements:
    return card.measure(by_length, by_words, RUN, texts=400)


# Training


def trained(seed: int, leave_out: bool = False) -> sentiment.TrainedSentiment:
    shape = sentiment.SentimentConfig(sentences=200, steps=3, batch=8)
    texts = [item.text for item in labels.labelled(0, 200)]
    words = tokenizer.train_lower_case(texts, 400, sentiment.MAX_TOKENS)
    return sentiment.train_sentiment(shape, words, seed, leave_out)


def test_training_is_a_function_of_the_seed(tmp_path: Path) -> None:
    first, again, other = trained(1), trained(1), trained(2)
    weights = [model.model.state_dict() for model in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    sentiment.save_sentiment(first, tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    texts = ["I love it!", "I hate it!"]
    words = AutoTokenizer.from_pretrained(tmp_path)
    assert sentiment.scores(loaded, words, texts) == pytest.approx(again.score(texts), abs=1e-6)


def test_leaving_out_changes_what_is_learned() -> None:
    full, without = trained(1), trained(1, leave_out=True)
    assert full.score(["I love it!"]) != without.score(["I love it!"])


# Measuring


def test_fit_by_hand() -> None:
    scores = {"a": 0.9, "b": 0.4, "c": 0.55, "d": 0.35}
    items = [Scored("a", 0.98), Scored("b", 0.75), Scored("c", 0.5), Scored("d", 0.02)]
    found = card.fit(lambda texts: [scores[text] for text in texts], items)
    assert found.texts == 4
    assert found.side == pytest.approx(2 / 3)
    assert found.mood == pytest.approx(2 / 4)
    assert found.error == pytest.approx((0.08 + 0.35 + 0.05 + 0.33) / 4)
    assert found.spearman == pytest.approx(0.8)
    assert found.calibration_error == pytest.approx(found.error)  # each text in a bin of its own


def test_reliability_by_hand() -> None:
    items = [Scored("a", 0.0), Scored("b", 0.5), Scored("c", 1.0)]
    found = card.reliability(lambda texts: [0.21, 0.29, 1.0], items)
    assert [(part.texts, part.label) for part in found] == [(2, 0.25), (1, 1.0)]
    assert [part.score for part in found] == pytest.approx([0.25, 1.0])
    assert [(part.low, part.high) for part in found] == [(0.2, 0.3), (0.9, 1.0)]


def test_unseen_texts_were_not_seen() -> None:
    seen = {item.text for item in labels.labelled(RUN.seed, RUN.sentences)}
    found = card.unseen(RUN, 500)
    assert len(found) > 100
    assert not seen & {item.text for item in found}
    assert {item.kind for item in found} <= set(labels.MAKERS) - {"nonsense", "shuffled"}


def test_nonsense_is_never_blank_and_some_of_it_is_outside_the_training() -> None:
    found = card.nonsense(np.random.default_rng(0), 20)
    assert all(text.strip() for name, row in found.items() for text in row)
    assert not set(" ".join(found["random words it never saw"]).split()) & {*labels.grammar_words()}


# The card


def written(found: card.Measurements | None) -> str:
    return card.sentiment_card(card.SentimentFacts(RUN, found))


def test_every_figure_of_the_card_comes_from_the_measurement() -> None:
    text = written(measured())
    for row in measured().fits.values():
        assert f"| {row.texts:,} | {row.side:.1%} | {row.mood:.1%} | {row.error:.3f} |" in text
    for spread in (*measured().nonsense, *(row for pair in measured().moods for row in pair)):
        assert f"{spread.mean:.2f} ± {spread.sd:.2f} [{spread.low:.2f}, {spread.high:.2f}]" in text
    for phrase, score in measured().phrases:
        assert f"| {phrase} | {score:.2f} |" in text
    for best in measured().highest:
        assert f"| {best.score:.3f} |" in text
    assert f"{measured().students.mean:.3f}" in text


def test_another_measurement_is_another_card() -> None:
    found = measured()
    worse = found.fits["held-out statements"]._replace(error=0.123)
    changed = found._replace(fits=found.fits | {"held-out statements": worse})
    before, after = written(found), written(changed)
    lines = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(lines) == 1
    assert "0.123" in lines[0]


def test_held_out_feelings_are_measured_with_the_model_that_never_saw_them() -> None:
    assert measured().fits["held-out feelings, model without them"] == card.fit(
        by_words, labels.held_out_talk(RUN.seed, card.PER_TEMPLATE)
    )


def test_the_tables_of_the_card_are_whole() -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", written(measured()), re.MULTILINE)
    assert len(blocks) == 7
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_a_card_without_measurements_says_how_it_was_trained() -> None:
    text = written(None)
    assert "| 1,000 |" in text
    assert "300 texts, 2 steps, seed 0" in text
    assert "## Known flaws" in text
    assert "Calibration" not in text


# The shipped classifier


def mean(texts: Sequence[str]) -> float:
    return float(np.mean(shipped().score(texts)))


def test_better_moods_score_higher() -> None:
    rng = np.random.default_rng(7)
    said = [labels.reply(rng) for _ in range(600)]
    goals = [lexicon.MOOD_SCORES[mood] for mood in lexicon.MOODS]
    means = [mean([item.text for item in said if item.score == goal]) for goal in goals]
    assert means == pytest.approx(goals, abs=0.05)
    assert means == sorted(means)


def test_better_moods_score_higher_in_held_out_statements() -> None:
    items = labels.held_out(1, 20)
    goals = [lexicon.MOOD_SCORES[mood] for mood in lexicon.MOODS]
    means = [mean([item.text for item in items if item.score == goal]) for goal in goals]
    assert means == sorted(means)
    assert card.fit(shipped().score, items).spearman > 0.75


def test_weak_words_score_between() -> None:
    sad, little, neither, nice, love = shipped().score(
        ["I am so sad.", "I am a bit sad.", "It is Monday.", "It was quite nice.", "I love it!"]
    )
    assert sad < little - 0.1 < little < neither - 0.1
    assert neither + 0.1 < nice < love - 0.1


def test_mixed_feelings_score_between() -> None:
    texts = ["I love fractions but I am tired.", "I love drums, but I hate flutes."]
    assert all(0.3 < value < 0.7 for value in shipped().score(texts))


@pytest.mark.parametrize(
    "kind",
    ["random bytes", "random words it never saw", "made-up words", "very long text (400 words)",
     "punctuation", "digits", "other languages", "bare labels", "the teacher's turns, plain"],
)  # fmt: skip
def test_nonsense_is_neutral(kind: str) -> None:
    texts = card.nonsense(np.random.default_rng(11), 30)[kind]
    found = shipped().score(texts)
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert 0.2 < min(found) <= max(found) < 0.8


def test_students_of_the_grammar_are_neutral_on_average() -> None:
    assert 0.4 < mean(card.students(np.random.default_rng(3), 400)) < 0.6


def test_a_student_who_did_not_listen_is_neutral() -> None:
    assert shipped().score(lexicon.MUMBLES) == pytest.approx([0.5] * 3, abs=0.06)
