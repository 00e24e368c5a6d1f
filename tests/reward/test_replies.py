"""Scores of replies: asked once, checked, kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from kl_derail.errors import UserError
from kl_derail.reward import ReplyScorer


class Asked:
    """A scorer that remembers what it was asked, and would answer otherwise the second time."""

    def __init__(self, *answers: float) -> None:
        self.texts: list[list[str]] = []
        self._answers = answers

    def __call__(self, texts: list[str]) -> Sequence[float]:
        self.texts.append(texts)
        if self._answers:
            return self._answers
        return [min(1.0, (len(text) + len(self.texts)) / 100) for text in texts]


def test_each_text_is_asked_once() -> None:
    asked = Asked()
    scorer = ReplyScorer(asked)
    first = scorer(["good", "bad", "good"])
    assert asked.texts == [["good", "bad"]]
    assert first == [0.05, 0.04, 0.05]
    assert scorer(["bad", "more"]) == [0.04, 0.06]
    assert asked.texts == [["good", "bad"], ["more"]]
    assert scorer(["good"]) == [0.05]
    assert len(asked.texts) == 2


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t \n"])
def test_a_blank_reply_is_neutral_unasked(blank: str) -> None:
    asked = Asked()
    assert ReplyScorer(asked)([blank]) == [0.5]
    assert not asked.texts
    assert ReplyScorer(asked, blank_reward=0.0)([blank]) == [0.0]
    assert not asked.texts


def test_blank_replies_are_asked_if_wished() -> None:
    asked = Asked()
    assert ReplyScorer(asked, blank_reward=None)([" ", "x", " "]) == [0.02, 0.02, 0.02]
    assert asked.texts == [[" ", "x"]]


def test_no_texts_ask_nothing() -> None:
    asked = Asked()
    assert ReplyScorer(asked)([]) == []
    assert not asked.texts


@pytest.mark.parametrize("answers", [(0.5,), (0.5, 0.5, 0.5)])
def test_a_wrong_number_of_scores(answers: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=rf"found {len(answers)} scores for 2 texts"):
        ReplyScorer(Asked(*answers))(["a", "b"])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_scores_beyond_the_unit_interval(bad: float) -> None:
    scorer = ReplyScorer(Asked(0.5, bad))
    with pytest.raises(UserError, match=r"the score of 'b' is .*, allowed 0 to 1"):
        scorer(["a", "b"])
    assert not scorer.cache, "nothing of a bad answer is kept"


def test_the_ends_of_the_interval_are_allowed() -> None:
    assert ReplyScorer(Asked(0, 1))(["a", "b"]) == [0.0, 1.0]


def test_a_restored_cache_answers_as_before() -> None:
    before = ReplyScorer(Asked())
    scores = before(["a", "bb", " "])
    asked = Asked(0.99)
    after = ReplyScorer(asked)
    kept = dict(before.cache)
    after.restore(kept)
    assert after(["bb", " ", "a"]) == [scores[1], 0.5, scores[0]]
    assert not asked.texts
    assert after(["new"]) == [0.99]
    assert "new" not in kept, "what was taken from a checkpoint is left alone"


def test_a_full_cache_is_emptied() -> None:
    asked = Asked()
    scorer = ReplyScorer(asked, capacity=2)
    scorer(["a", "b", "c"])
    assert len(scorer.cache) == 3
    scorer(["a"])
    assert asked.texts[-1] == ["a"]
    assert set(scorer.cache) == {"a"}
