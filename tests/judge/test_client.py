"""The judge behind an endpoint, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.client import NO_KEY, ApiJudge, request
from kl_derail.judge.judges import Answer, Choice, MisshapenError, OtherModelError, TurnedAwayError
from kl_derail.judge.options import EndpointOptions
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
from tests.judge.factories import question

KEY = "sk-very-secret"
LONG_KEY = "sk-proj-" + "".join(f"{number:04x}" for number in range(0x3A1C, 0x3A1C + 39))
"""164 characters, no part of which occurs anywhere else."""


def ask(
    reply: Callable[[Asked], Reply], *, key: str = NO_KEY, **options: Any
) -> tuple[Answer, Endpoint]:
    """One question to a server that replies like this."""

    async def once(url: str) -> Answer:
        judge = ApiJudge(EndpointOptions(base_url=url, **options), key)
        try:
            return await judge.answer(question())
        finally:
            await judge.close()

    with endpoint(reply) as found:
        return asyncio.run(once(found.url)), found


def first_then(*replies: Reply) -> Callable[[Asked], Reply]:
    """These replies in their order, then the verdict "second"."""
    left = [*replies]
    return lambda asked: left.pop(0) if left else verdict("second")


def test_a_verdict_with_its_tokens_and_model() -> None:
    answer, found = ask(lambda asked: verdict("second"))
    assert answer == Answer(Choice.SECOND, "", '{"verdict": "second"}', 100, 7, "gpt-3.5-turbo")
    (body,) = found.bodies
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("gpt-3.5-turbo", 1.0, 32)
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["first", "second", "tie"]


def test_the_request_holds_what_is_sent() -> None:
    answer, found = ask(lambda asked: verdict("tie"), structured="off", temperature=0.5)
    options = EndpointOptions(base_url=found.url, structured="off", temperature=0.5)
    assert request(options, question())["body"] == found.bodies[0]
    assert answer.choice is Choice.TIE


def test_the_key_is_sent_and_told_to_nobody() -> None:
    answer, found = ask(lambda asked: says(f"your key is {KEY}"), key=KEY)
    assert found.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert answer.text == "your key is ***"
    with pytest.raises(UserError) as told:
        ask(lambda asked: failure(401, f"wrong key {KEY}"), key=KEY)
    assert KEY not in str(told.value)
    assert "OPENAI_API_KEY" in str(told.value)
    with pytest.raises(MisshapenError) as misshapen:
        ask(lambda asked: Reply(body=f"<{KEY}>".encode()), key=KEY)
    assert KEY not in misshapen.value.answer.reason


def leaked(text: str, key: str = LONG_KEY, length: int = 7) -> bool:
    """Whether so long a part of a key stands in a text."""
    return any(key[start : start + length] in text for start in range(len(key) - length + 1))


def told(reply: Reply) -> str:
    """All that is told about a reply: what is logged, or the line for the user."""
    try:
        return str(ask(lambda asked: reply, key=LONG_KEY, max_retries=0)[0])
    except MisshapenError as error:
        return str(error.answer)
    except TurnedAwayError as error:
        return f"{error} {error.answer}"
    except UserError as error:
        return str(error)


def test_no_part_of_a_key_is_told_wherever_the_text_is_cut() -> None:
    """Every offset at which a cut could go through it; all of them over one connection a kind."""
    assert len(LONG_KEY) == 164
    assert leaked(f"x{LONG_KEY[100:]}")
    seen: list[str] = []

    async def ask_all(url: str) -> None:
        judge = ApiJudge(EndpointOptions(base_url=url, structured="off", max_retries=0), LONG_KEY)
        for number in range(3 * 320):
            try:
                seen.append(str(await judge.answer(question(repeat=number))))
            except MisshapenError as error:
                seen.append(str(error.answer))
            except TurnedAwayError as error:
                seen.append(f"{error} {error.answer}")
        await judge.close()

    def reply(asked: Asked) -> Reply:
        offset, kind = divmod(len(found.asked) - 1, 3)
        text = "x" * offset + LONG_KEY + "y" * 200
        by_kind = (Reply(body=text.encode()), says("first", model=text), Reply(400, text.encode()))
        return by_kind[kind]

    with endpoint(reply) as found:
        asyncio.run(ask_all(found.url))
    assert len(seen) == 960
    assert not any(map(leaked, seen))


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_spelling_of_the_key_is_told(status: int) -> None:
    spelled = "".join(f"\\u{ord(each):04X}" for each in LONG_KEY)
    body = json.dumps(completion("KEY")).replace("KEY", spelled).encode()
    shown = told(Reply(status, body))
    assert not leaked(shown)
    assert not leaked(shown, spelled, 24)


def test_a_stand_in_for_a_key_is_any_word() -> None:
    assert ask(lambda asked: verdict("first"), key="verdict")[0].choice is Choice.FIRST


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_question_that_is_turned_away_says_why(status: int) -> None:
    with pytest.raises(TurnedAwayError, match="too long") as turned:
        ask(lambda asked: failure(status, "too long"))
    assert turned.value.answer.choice is None
    assert turned.value.answer.reason.startswith(f"turned away: {status} ")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_a_proxy_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(UserError, match="no connection through the proxy"):
        ApiJudge(EndpointOptions(base_url="http://judge.example/v1"), NO_KEY)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_is_turned_away_is_asked_again(status: int) -> None:
    answer, found = ask(first_then(failure(status, retry_after="0.01")))
    assert answer.choice is Choice.SECOND
    assert len(found.asked) == 2


@pytest.mark.parametrize(
    "reply",
    [Reply(cut=0), Reply(cut=20), Reply(body=b"x" * 500, cut=200)],
    ids=["at once", "in the head", "in the body"],
)
def test_a_cut_connection_is_asked_again(reply: Reply) -> None:
    answer, found = ask(first_then(reply))
    assert answer.choice is Choice.SECOND
    assert len(found.asked) == 2


def test_a_slow_answer_is_given_up_and_asked_again() -> None:
    answer, found = ask(first_then(Reply(delay=5)), timeout=0.5)
    assert answer.choice is Choice.SECOND
    assert len(found.asked) == 2


def test_retry_after_in_seconds_is_honoured() -> None:
    assert 1.1 <= _seconds(failure(429, retry_after="1.2")) < 4


def test_retry_after_as_a_date_is_honoured() -> None:
    date = formatdate(time.time() + 2, usegmt=True)  # whole seconds: 1 to 2 from now
    assert 0.9 <= _seconds(failure(429, retry_after=date)) < 5


def test_without_retry_after_the_client_waits_on_its_own() -> None:
    assert 0.3 <= _seconds(failure(429)) < 3


def _seconds(reply: Reply) -> float:
    """From the failure to the next try."""
    times: list[float] = []
    replies = first_then(reply)

    def timed(asked: Asked) -> Reply:
        times.append(time.monotonic())
        return replies(asked)

    ask(timed)
    return times[1] - times[0]


def test_what_fails_for_good_is_one_line() -> None:
    with pytest.raises(UserError, match=r"slow down.*; answers so far are kept"):
        ask(lambda asked: failure(429, "slow down", retry_after="0.01"), max_retries=2)
    with pytest.raises(UserError, match="slow down"):  # longer than the client waits for
        ask(lambda asked: failure(429, "slow down", retry_after="3600"))
    with pytest.raises(UserError, match=r"no answer within 0.1 s; see --timeout"):
        ask(lambda asked: Reply(delay=5), timeout=0.1, max_retries=0)
    with pytest.raises(UserError, match="cannot be reached"):
        ask(lambda asked: Reply(cut=0), max_retries=0)
    with pytest.raises(UserError, match=r"has no model gpt-3\.5-turbo, or is no endpoint"):
        ask(lambda asked: failure(404, "unknown"))


def test_an_endpoint_without_schemas_is_asked_without() -> None:
    def plain(asked: Asked) -> Reply:
        unknown = "response_format" in asked.body
        return failure(400, "response_format?") if unknown else says("First.")

    async def twice(url: str) -> list[Answer]:
        judge = ApiJudge(EndpointOptions(base_url=url), NO_KEY)
        answers = [await judge.answer(question(repeat=number)) for number in range(2)]
        await judge.close()
        return answers

    with endpoint(plain) as found:
        answers = asyncio.run(twice(found.url))
    assert [each.choice for each in answers] == [Choice.FIRST] * 2
    assert ["response_format" in body for body in found.bodies] == [True, False, False]
    with pytest.raises(UserError, match="response_format"):
        ask(plain, structured="on")


def test_a_bad_request_stays_one() -> None:
    with pytest.raises(UserError, match="too long"):
        ask(lambda asked: failure(400, "too long"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"first"',
        b'{"model": "gpt-3.5-turbo"}',
        b'{"choices": []}',
        b'{"choices": {"message": 1}}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"text": "first"}]}',
        b'{"choices": [{"message": {"content": null, "reasoning_content": "first"}}]}',
        b'{"choices": [{"message": {"content": [{"type": "text", "text": "first"}]}}]}',
    ],
)
def test_a_body_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(MisshapenError):
        ask(lambda asked: Reply(body=body))


def test_another_model() -> None:
    with pytest.raises(OtherModelError, match="another model answered: 'gpt-4'"):
        ask(lambda asked: says("first", model="gpt-4"))
    assert ask(lambda asked: says("first", model="gpt-3.5-turbo-0125"))[0].choice is Choice.FIRST


def test_refusals_are_no_verdicts() -> None:
    for reply in (says(None, refusal="I would rather not."), says("first", refusal="No.")):
        answer, _ = ask(lambda asked, reply=reply: reply)
        assert (answer.choice, answer.reason) == (None, "refused")
    filtered = completion("first")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    answer, _ = ask(lambda asked: Reply(body=json.dumps(filtered).encode()))
    assert (answer.choice, answer.reason) == (None, "refused")
