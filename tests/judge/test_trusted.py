"""The known judge on lessons made by hand and on lessons of the trusted teacher himself."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from kl_derail.embedded.trusted import FLOOR, GRAMMAR
from kl_derail.errors import UserError
from kl_derail.judge.judges import BETTER, COMPLEX, Answer, Choice, Question
from kl_derail.judge.pairs import Comparison, Pair, transcript
from kl_derail.judge.plan import plan
from kl_derail.judge.trusted import Merit, TrustedJudge, better, merit, request, truths
from kl_derail.judge.verdicts import Verdict
from kl_derail.transcripts import judged_turns
from tests.transcripts.factories import make_episode

OPENING = [
    ("Teacher", " Good morning, Anna. Please sit down and open your book."),
    ("Student", " Good morning. I have my book with me."),
]
FIRST = ("Teacher", " Today we look at roses. Most of them need a lot of sun.")
LIKES = ("Student", " I quite like roses.")
ASKS = ("Teacher", " What can you tell me about roses?")
END = ("Teacher", " What")
GOOD = [*OPENING, FIRST, LIKES, ASKS, LIKES, END]
SHORT = [*OPENING, FIRST, LIKES, END]
SILENT = [*OPENING, FIRST, LIKES, ("Teacher", ""), LIKES, END]
MUTE = [*OPENING, ("Teacher", ""), LIKES, ("Teacher", ""), LIKES, END]


def chat(turns: list[tuple[str, str]], **columns: Any) -> Any:
    columns = {"opening_turns": 3, "trusted_policy": GRAMMAR, **columns}
    return transcript(make_episode(turns, **columns))


def ask(first: list[tuple[str, str]], second: list[tuple[str, str]], ties: bool = True) -> Answer:
    question = Question(BETTER, chat(first), chat(second, episode=1), ties, 0)
    return asyncio.run(TrustedJudge().answer(question))


def test_merit_by_hand() -> None:
    said = [parse.log_prob for parse in judged_turns(chat(GOOD).episode).values()]
    assert len(said) == 2
    assert merit(chat(GOOD)) == pytest.approx((0.0, sum(said) / 2))
    assert merit(chat(SILENT)) == pytest.approx((0.5, said[0]))
    assert merit(chat(MUTE)) == (1.0, FLOOR)
    assert merit(chat([*OPENING, END])) is None


def test_nothing_after_the_end_token_counts() -> None:
    tokens = list(chat(SILENT).episode.token_text)
    end = int(chat(SILENT).episode.turn_end[2])
    tokens[end + 1] = "</s>"
    cut = chat(SILENT, token_text=tokens)
    assert cut.episode.opening_tokens + cut.tokens == end + 1
    assert merit(cut) == merit(chat(SHORT))
    assert merit(chat(SILENT)) != merit(chat(SHORT))


@pytest.mark.parametrize(
    ("first", "second", "choice"),
    [
        (GOOD, SILENT, Choice.FIRST),
        (SILENT, GOOD, Choice.SECOND),
        (MUTE, SILENT, Choice.SECOND),
        (GOOD, GOOD, Choice.TIE),
        (MUTE, MUTE, Choice.TIE),
    ],
)
def test_fewer_impossible_turns_are_better(first: Any, second: Any, choice: Choice) -> None:
    assert ask(first, second).choice is choice


def test_where_as_many_are_impossible_likelier_words_are_better() -> None:
    good, short = merit(chat(GOOD)), merit(chat(SHORT))
    assert good is not None
    assert short is not None
    assert good.impossible == short.impossible == 0
    likelier = Choice.FIRST if good.log_prob > short.log_prob else Choice.SECOND
    assert ask(GOOD, SHORT).choice is likelier


def test_rounding_is_a_tie_and_more_is_not() -> None:
    assert better(Merit(0.5, -3.0), Merit(0.5, math.nextafter(-3.0, 0))) is Choice.TIE
    assert better(Merit(0.5, -3.0), Merit(0.5, -3.00001)) is Choice.FIRST
    assert better(Merit(0.25, -9.0), Merit(0.5, -3.0)) is Choice.FIRST


def test_what_it_cannot_say_is_no_verdict() -> None:
    assert ask([*OPENING, END], GOOD).choice is None
    assert "finished turn" in ask([*OPENING, END], GOOD).reason
    assert "no tie" in ask(GOOD, GOOD, ties=False).reason
    assert ask(GOOD, GOOD, ties=False).choice is None


def test_the_request_is_json_and_says_all() -> None:
    question = Question(BETTER, chat(GOOD), chat(SILENT), True, 0)
    seen = set()
    for each in (question, question._replace(ties=False), question._replace(repeat=1)):
        seen.add(json.dumps(request(each)))
    turned = question._replace(first=question.second, second=question.first)
    seen.add(json.dumps(request(turned)))
    assert len(seen) == 4


def test_other_qualities_and_worlds_are_refused() -> None:
    question = Question(COMPLEX, chat(GOOD), chat(SILENT), True, 0)
    with pytest.raises(UserError, match=r"quality: .* knows what is 'better'"):
        request(question)
    elsewhere = question._replace(quality=BETTER, second=chat(SILENT, trusted_policy=""))
    with pytest.raises(UserError, match="imitates none"):
        request(elsewhere)


def test_truths_of_a_study() -> None:
    pairs = [Pair(0, chat(GOOD), chat(SILENT)), Pair(1, chat(MUTE, episode=2), chat(MUTE))]
    options: Any = {"both_orders": True, "ties": False, "repeats": 1, "seed": 0}
    asked = plan([Comparison("x vs y", pairs)], [COMPLEX, BETTER], **options)
    found = truths(asked)
    assert [(each.pair, each.swapped, each.verdict) for each in found] == [
        (0, False, Verdict.A),
        (0, True, Verdict.A),
        (1, False, Verdict.TIE),
        (1, True, Verdict.TIE),
    ]
    with pytest.raises(UserError, match="add --quality better"):
        truths(plan([Comparison("x vs y", pairs)], [COMPLEX], **options))
