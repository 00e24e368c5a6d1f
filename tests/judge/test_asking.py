"""A thousand pairs, one in five requests failing, and nothing lost, doubled or mixed up."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.asking import TRIES, TURNED_AWAY, ask_all, keyed
from kl_derail.judge.client import NO_KEY, ApiJudge, request
from kl_derail.judge.costs import Prices, Purse, most_tokens
from kl_derail.judge.judges import (
    Answer,
    Choice,
    Judge,
    MisshapenError,
    OtherModelError,
    Question,
    Request,
    TurnedAwayError,
)
from kl_derail.judge.options import EndpointOptions
from kl_derail.judge.plan import Asked as Planned
from kl_derail.judge.records import open_log, read_answers
from kl_derail.judge.verdicts import Judgement, Verdict
from tests.judge.endpoint import (
    Asked,
    Endpoint,
    Reply,
    completion,
    endpoint,
    failure,
    says,
    verdict,
)
from tests.judge.factories import study, truth, worths_shown

SOON = "0.01"


def scripted_request(question: Question) -> Mapping[str, object]:
    shown = [question.first.key, question.second.key]
    return {"shown": shown, "repeat": question.repeat, "body": {"max_tokens": 10}}


class Scripted:
    """A judge in this process."""

    def __init__(self, say: Callable[[Question, int], Answer]) -> None:
        self.asked: list[Question] = []
        self.at_once = self.most_at_once = 0
        self._say = say

    async def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        number = len(self.asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        return self._say(question, number)

    async def close(self) -> None:
        pass


def ask(
    judge: Judge,
    asked: Sequence[Planned],
    path: Path,
    *,
    concurrency: int = 64,
    purse: Purse | None = None,
    to_request: Request = scripted_request,
) -> list[Judgement]:
    """All judgements of those questions that have an answer in the end."""
    questions = keyed(to_request, [each.question for each in asked])
    with open_log(path) as log:
        ask_all(judge, questions, log, purse or Purse(None), concurrency)
    answers = read_answers(path)
    return [
        each.judgement(answers[one.key])
        for each, one in zip(asked, questions, strict=True)
        if one.key in answers
    ]


def ask_over_http(
    reply: Callable[[Asked], Reply], asked: Sequence[Planned], path: Path, **options: Any
) -> tuple[list[Judgement], Endpoint]:
    with endpoint(reply) as found:
        endpoint_options = EndpointOptions(base_url=found.url, **options)
        judge, to_request = ApiJudge(endpoint_options, NO_KEY), partial(request, endpoint_options)
        return ask(judge, asked, path, to_request=to_request), found


def faulty(rate: float, seed: int) -> Callable[[Asked], Reply]:
    """Tells the truth, but fails at random; refuses each question in which a worth divides by 97."""
    rng = random.Random(seed)
    elsewhere = completion(None, reasoning_content='{"verdict": "first"}')
    nothing = {**completion("x"), "choices": []}
    faults = (
        failure(429, retry_after=SOON),
        failure(429),
        failure(500),
        failure(503, retry_after=SOON),
        Reply(delay=9.0),
        Reply(cut=0),
        Reply(body=b"{" * 400, cut=150),
        Reply(body=b'{"choices": [{"message": {"content": "{\\"verdict\\": \\"first\\"}'),
        says('{"verdict": "first"}', model="gpt-4"),
        Reply(body=json.dumps(nothing).encode()),
        Reply(body=json.dumps(elsewhere).encode()),
    )

    def reply(asked: Asked) -> Reply:
        if rng.random() < rate:
            return rng.choice(faults)
        if not all(worth % 97 for worth in worths_shown(asked.body)):
            return says(None, refusal="I would rather not.")
        return verdict(truth(asked.body))

    return reply


def expected(asked: Planned) -> Verdict:
    worths = [int(each.key.split("/")[1]) for each in (asked.pair.a, asked.pair.b)]
    if not all(worth % 97 for worth in worths):
        return Verdict.UNREADABLE
    return Verdict.A if worths[0] > worths[1] else Verdict.B


def test_a_thousand_pairs_under_faults(tmp_path: Path) -> None:
    asked = study(1000, both_orders=False)
    path = tmp_path / "log.jsonl"
    judgements, found = ask_over_http(faulty(0.2, 1), asked, path, timeout=3.0)
    assert len(judgements) == len(asked) == 1000
    assert [each.verdict for each in judgements] == [expected(each) for each in asked]
    places = [(each.pair, each.swapped, each.a, each.b) for each in judgements]
    assert places == [(each.pair.number, each.swapped, *_keys(each)) for each in asked]
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert max(Counter(line["key"] for line in lines).values()) == 1
    assert len(lines) == 1000
    for line in lines:  # each answer stands beside its own question
        reason, said = line["answer"]["reason"], line["answer"]["text"]
        assert reason == "refused" or json.loads(said)["verdict"] == truth(line["request"]["body"])
    assert len(found.asked) > 1150


def _keys(asked: Planned) -> tuple[str, str]:
    return asked.pair.a.key, asked.pair.b.key


def test_what_the_log_holds_is_never_asked_again(tmp_path: Path) -> None:
    judge = Scripted(lambda question, count: Answer(Choice.FIRST))
    small, large = study(3), study(5)
    first = ask(judge, small, tmp_path / "log")
    assert ask(judge, small, tmp_path / "log") == first
    assert len(judge.asked) == 6
    ask(judge, large, tmp_path / "log")
    assert len(judge.asked) == 10


def test_the_same_question_in_two_comparisons_is_asked_once(tmp_path: Path) -> None:
    judge = Scripted(lambda question, count: Answer(Choice.FIRST))
    asked = study(4)
    judgements = ask(judge, [*asked, *asked], tmp_path / "log")
    assert len(judge.asked) == 8
    assert len(judgements) == 16


def test_repeats_are_asked_anew(tmp_path: Path) -> None:
    judge = Scripted(lambda question, count: Answer(Choice.FIRST))
    assert len(ask(judge, study(2, repeats=3), tmp_path / "log")) == len(judge.asked) == 12


@pytest.mark.parametrize("concurrency", [1, 7])
def test_so_many_at_a_time(tmp_path: Path, concurrency: int) -> None:
    judge = Scripted(lambda question, count: Answer(Choice.FIRST))
    ask(judge, study(20), tmp_path / "log", concurrency=concurrency)
    assert judge.most_at_once == concurrency


def test_always_first_is_half_and_half(tmp_path: Path) -> None:
    judge = Scripted(lambda question, count: Answer(Choice.FIRST))
    judgements = ask(judge, study(30), tmp_path / "log")
    assert Counter(each.verdict for each in judgements) == {Verdict.A: 30, Verdict.B: 30}
    verdicts: dict[int, set[Verdict]] = {}
    for each in judgements:
        verdicts.setdefault(each.pair, set()).add(each.verdict)
    assert all(len(found) == 2 for found in verdicts.values())


def test_what_stays_misshapen_is_recorded_with_its_reason(tmp_path: Path) -> None:
    judgements, found = ask_over_http(lambda asked: Reply(body=b"{"), study(1), tmp_path / "log")
    assert [each.verdict for each in judgements] == [Verdict.UNREADABLE] * 2
    assert len(found.asked) == 2 * TRIES
    reasons = {answer.reason for answer in read_answers(tmp_path / "log").values()}
    assert reasons == {"no JSON: '{'"}


def test_a_model_that_is_always_another_is_refused(tmp_path: Path) -> None:
    """At once: each of its answers may be paid for."""
    judge = Scripted(another_model)
    with pytest.raises(UserError, match="model: another model answered: 'llama'"):
        ask(judge, study(3), tmp_path / "log", concurrency=1)
    assert len(judge.asked) == 1
    assert read_answers(tmp_path / "log") == {}


def another_model(question: Question, count: int) -> Answer:
    raise OtherModelError(Answer(None, "another model answered: 'llama'"))


def test_a_model_that_is_another_in_between_is_refused_if_it_stays(tmp_path: Path) -> None:
    def then_another(question: Question, count: int) -> Answer:
        return Answer(Choice.FIRST) if count == 1 else another_model(question, count)

    judge = Scripted(then_another)
    with pytest.raises(UserError, match="model: 6 times in a row another model answered: 'llama'"):
        ask(judge, study(3), tmp_path / "log", concurrency=1)
    assert len(judge.asked) == 1 + TRIES
    assert len(read_answers(tmp_path / "log")) == 1


def test_one_other_model_among_misshapen_answers_is_no_verdict(tmp_path: Path) -> None:
    def say(question: Question, count: int) -> Answer:
        if count == 1:
            return Answer(Choice.FIRST)
        if count == 1 + TRIES:  # the last try for the second question
            another_model(question, count)
        raise MisshapenError(Answer(None, "nothing"))

    ask(Scripted(say), study(1), tmp_path / "log", concurrency=1)
    reasons = [each.reason for each in read_answers(tmp_path / "log").values()]
    assert reasons == ["", "another model answered: 'llama'"]


def turned_away(*numbers: int) -> Callable[[Question, int], Answer]:
    """Does not take these questions, counted from 1; of the others the first is better."""

    def say(question: Question, count: int) -> Answer:
        if count in numbers:
            raise TurnedAwayError("too long", Answer(None, "turned away: 400 too long"))
        return Answer(Choice.FIRST)

    return say


@pytest.mark.parametrize("concurrency", [1, 64])
@pytest.mark.parametrize("number", [1, 5, 12])
def test_one_question_that_is_turned_away_is_no_verdict(
    tmp_path: Path, number: int, concurrency: int
) -> None:
    judge = Scripted(turned_away(number))
    found = ask(judge, study(6), tmp_path / "log", concurrency=concurrency)
    assert Counter(each.verdict is Verdict.UNREADABLE for each in found) == {False: 11, True: 1}
    reasons = Counter(each.reason for each in read_answers(tmp_path / "log").values())
    assert reasons == {"": 11, "turned away: 400 too long": 1}
    assert len(judge.asked) == 12


def test_a_judge_that_turns_all_away_is_asked_no_further(tmp_path: Path) -> None:
    judge = Scripted(turned_away(*range(1, 99)))
    with pytest.raises(UserError, match="too long"):
        ask(judge, study(20), tmp_path / "log", concurrency=1)
    assert len(judge.asked) == TURNED_AWAY
    with pytest.raises(UserError, match="too long"):
        ask(judge, study(1), tmp_path / "log", concurrency=1)
    assert read_answers(tmp_path / "log") == {}


def test_what_was_answered_before_shows_that_the_judge_answers(tmp_path: Path) -> None:
    ask(Scripted(turned_away()), study(1), tmp_path / "log")
    found = ask(Scripted(turned_away(*range(1, 99))), study(20), tmp_path / "log")
    assert sum(each.verdict is Verdict.UNREADABLE for each in found) == 38


def test_one_that_is_too_long_over_http(tmp_path: Path) -> None:
    def reply(asked: Asked) -> Reply:
        return failure(400, "too long") if 3 in worths_shown(asked.body) else verdict("first")

    judgements, _ = ask_over_http(reply, study(3), tmp_path / "log")
    unreadable = [each.pair for each in judgements if each.verdict is Verdict.UNREADABLE]
    assert unreadable == [1, 1]


def test_a_log_that_cannot_be_forced_onto_the_disk_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux tells of such a failure once; the next call would succeed."""
    calls: list[int] = []

    def fail_once(number: int) -> None:
        calls.append(number)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail_once)
    monkeypatch.setattr("kl_derail.judge.asking.SYNC_SECONDS", 0.01)
    with pytest.raises(UserError, match=r"cannot be used as a log \(Input/output error"):
        ask(Scripted(turned_away()), study(200), tmp_path / "log", concurrency=1)


def test_an_error_ends_all_and_loses_nothing(tmp_path: Path) -> None:
    def say(question: Question, count: int) -> Answer:
        if count == 15:
            raise UserError("the endpoint is gone")
        return Answer(Choice.FIRST)

    judge = Scripted(say)
    with pytest.raises(UserError, match="is gone"):
        ask(judge, study(50), tmp_path / "log", concurrency=4)
    assert 11 <= len(read_answers(tmp_path / "log")) <= 18
    assert len(judge.asked) < 25


def test_never_more_than_the_purse_holds(tmp_path: Path) -> None:
    asked = study(100)
    judge = Scripted(lambda question, count: Answer(Choice.FIRST, tokens_in=20, tokens_out=10))
    most = most_tokens(scripted_request(asked[0].question))
    prices = Prices(1e6, 0)  # a dollar for a token read
    purse = Purse(prices, limit=1000)
    judgements = ask(judge, asked, tmp_path / "log", purse=purse, concurrency=5)
    assert purse.spent == 20 * len(judgements) <= 1000
    assert purse.spent + most[0] > 1000 - most[0]  # and not before the next could pass it
    rest = ask(judge, asked, tmp_path / "log", purse=Purse(prices, limit=1e9))
    assert len(rest) == 200 == len(judge.asked)


def test_what_came_back_misshapen_is_paid_for_too(tmp_path: Path) -> None:
    def say(question: Question, count: int) -> Answer:
        raise MisshapenError(Answer(None, "nothing", tokens_in=3, tokens_out=1))

    purse = Purse(Prices(1e6, 1e6), limit=1e9)
    ask(Scripted(say), study(1), tmp_path / "log", purse=purse)
    assert purse.spent == 2 * TRIES * 4
