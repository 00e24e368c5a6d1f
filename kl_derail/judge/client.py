"""The judge behind an OpenAI-compatible endpoint.

Rate limits (429), 408, 409, 5xx, cut connections and timeouts are retried by the `openai` client itself,
with a growing pause, or the one that Retry-After asks for (seconds or a date) if that is at most two
minutes. A body that is no answer is the caller's to ask for again: it may have been paid for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import httpx2
import openai
from openai import AsyncOpenAI

from kl_derail.errors import UserError
from kl_derail.judge.answers import read_answer
from kl_derail.judge.judges import Answer, Choice, Question, TurnedAwayError
from kl_derail.judge.options import EndpointOptions, is_loopback
from kl_derail.judge.question import choices, messages, response_format

NO_KEY = "none"
"""Sent as a key to servers on this machine, which ask for none."""

HIDDEN = "***"

SECRET = 8
"""Characters of the shortest key that is hidden: a shorter one stands in for none, and may be any word."""

SHOWN_ERROR = 300
"""Characters of an endpoint's own message."""

TURNED_AWAY = frozenset({400, 413, 422})
"""Statuses with which an endpoint turns one question away: too long, filtered."""


class ApiJudge:
    """Asks a chat model.

    Args:
        options: which, where and how.
        key: the API key.

    Raises:
        UserError: there can be no connection, as through a proxy of an unknown kind.
    """

    def __init__(self, options: EndpointOptions, key: str) -> None:
        self._options = options
        self._key = _spellings(key)
        self._structured = options.structured != "off"
        self._client = _client(options, key)

    async def answer(self, question: Question) -> Answer:
        """Ask once; see `Judge.answer`."""
        options, allowed = self._options, choices(ties=question.ties)
        try:
            content = await self._send(body(options, question), allowed)
        except openai.APIError as error:
            line = f"{options.base_url}: {self._told(error)}"
            if isinstance(error, openai.APIStatusError) and error.status_code in TURNED_AWAY:
                reason = f"turned away: {self._said(error)}"
                raise TurnedAwayError(line, Answer(None, reason, model=options.asked)) from error
            raise UserError(line) from error
        return read_answer(self._clean(_text(content)), options.asked, allowed)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _send(self, asked: Mapping[str, object], allowed: Collection[Choice]) -> bytes:
        """The body of the response, held to the schema where the endpoint can do that."""
        if not self._structured:
            return await self._post(asked)
        try:
            return await self._post({**asked, "response_format": response_format([*allowed])})
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            if self._options.structured == "on":
                raise
            content = await self._post(asked)
            self._structured = False
            return content

    async def _post(self, asked: Mapping[str, object]) -> bytes:
        """The body as it came.

        Not through `chat.completions.create`, which walks through all of a request to convert what
        is plain already, and makes an object of whatever comes back: half as much work again.
        """
        response = await self._client.post("/chat/completions", body=asked, cast_to=httpx2.Response)
        return response.content

    def _told(self, error: openai.APIError) -> str:
        """What went wrong and what to do, in one line."""
        options = self._options
        if isinstance(error, openai.APITimeoutError):
            return f"no answer within {options.timeout:g} s; see --timeout"
        if isinstance(error, openai.APIConnectionError):
            return f"cannot be reached ({self._clean(str(error.__cause__ or error))})"
        said = self._said(error)
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return f"refuses the key of {options.key_variable} ({said})"
        if isinstance(error, openai.NotFoundError):
            return f"has no model {options.asked}, or is no endpoint ({said})"
        return f"{said}; answers so far are kept, and not asked for again"

    def _said(self, error: openai.APIError) -> str:
        """Status and beginning of the body of an error."""
        if not isinstance(error, openai.APIStatusError):
            return self._clean(error.message)
        text = self._clean(
            _text(error.response.content)
        )  # before it is cut: a half key is told too
        return f"{error.status_code} {text[:SHOWN_ERROR]}"

    def _clean(self, text: str) -> str:
        """Without the key, should the endpoint have echoed it."""
        return self._key.sub(HIDDEN, text) if self._key else text


def request(options: EndpointOptions, question: Question) -> Mapping[str, object]:
    """What is sent and where, whose chats they are, and which repeat this is.

    Other chats deserve an answer of their own, even if their words are the same.
    """
    return {
        "endpoint": options.endpoint,
        "transcripts": [question.first.key, question.second.key],
        "body": body(options, question),
        "choices": choices(ties=question.ties),
        "structured": options.structured,
        "repeat": question.repeat,
    }


def body(options: EndpointOptions, question: Question) -> Mapping[str, object]:
    """What the endpoint gets, but for the schema."""
    return {
        "model": options.asked,
        "messages": messages(question),
        "temperature": options.temperature,
        **({} if options.max_tokens is None else {"max_tokens": options.max_tokens}),
    }


def _client(options: EndpointOptions, key: str) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            api_key=key,
            base_url=options.base_url,
            timeout=options.timeout,
            max_retries=options.max_retries,
            http_client=openai.DefaultAsyncHttpxClient(
                trust_env=not is_loopback(options.base_url),  # a proxy cannot reach this machine
                base_url=options.base_url,
                timeout=options.timeout,
            ),
        )
    except (ImportError, ValueError) as error:  # ALL_PROXY and its like: a kind that is not there
        raise UserError(f"{options.base_url}: no connection through the proxy ({error})") from error


def _spellings(key: str) -> re.Pattern[str] | None:
    """Every way to write a key in JSON; None for one that is no secret."""
    if len(key) < SECRET:
        return None
    return re.compile(
        "".join(rf"(?:\\u00(?i:{ord(each):02x})|\\?{re.escape(each)})" for each in key)
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", errors="replace")
