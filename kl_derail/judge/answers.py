"""Reading what an endpoint sent back. Exact forms only: what is no verdict is never made one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from kl_derail.judge.judges import Answer, Choice, MisshapenError, OtherModelError

SHOWN = 80
"""Characters of a strange answer that its reason quotes."""

_FENCED = re.compile(r"```(?:json)?\n(.*)\n```", re.DOTALL)
_WORD = re.compile(r"([a-z]+)\.?", re.IGNORECASE)
_DATED = re.compile(r"-\d{4}(-\d\d-\d\d)?|@.+")


def parse(text: str, allowed: Collection[Choice]) -> Choice | None:
    r"""The verdict that a text states, or None.

    A text states one if it is, but for white space around it, a JSON object with the key "verdict" and
    no other, bare or as a Markdown code block, or the word alone, with or without a full stop.

    >>> parse('{"verdict": "first"}', list(Choice)), parse("Second.", list(Choice))
    (<Choice.FIRST: 'first'>, <Choice.SECOND: 'second'>)
    >>> parse("I think the first one.", list(Choice))
    """
    text = text.strip()
    fenced = _FENCED.fullmatch(text)
    word = _WORD.fullmatch(text)
    said = word[1].lower() if word else _stated(fenced[1] if fenced else text)
    return next((each for each in allowed if said == each.value), None)


def read_answer(content: str, model: str, allowed: Collection[Choice]) -> Answer:
    """The answer in the body of a response.

    Args:
        content: the body, without secrets: reasons quote it.
        model: the one that was asked.
        allowed: what it may say.

    Raises:
        MisshapenError: the body is not what a chat completion looks like.
        OtherModelError: it comes from another model.
    """
    body = _body(content)
    paid = _usage(body)
    named = body.get("model", model)
    if not isinstance(named, str) or not is_same_model(model, named):
        reason = f"another model answered: {_quoted(named)}"
        raise OtherModelError(Answer(None, reason, **paid, model=str(named)))
    try:
        choice = body["choices"][0]
        message = choice["message"]
        refusal, text = message.get("refusal"), message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise MisshapenError(Answer(None, "no message", **paid, model=named)) from None
    if refusal or choice.get("finish_reason") == "content_filter":
        return Answer(None, "refused", str(refusal or text or ""), **paid, model=named)
    if not isinstance(text, str):
        raise MisshapenError(Answer(None, "no text in the message", **paid, model=named))
    verdict = parse(text, allowed)
    cut = "cut off" if choice.get("finish_reason") == "length" else "no verdict"
    return Answer(verdict, "" if verdict else cut, text, **paid, model=named)


def is_same_model(asked: str, named: str) -> bool:
    """Whether an endpoint that names a model means the one that was asked: itself, or a dated version.

    >>> is_same_model("gpt-3.5-turbo", "gpt-3.5-turbo-0125"), is_same_model("gpt-4", "gpt-4-turbo")
    (True, False)
    """
    return named.startswith(asked) and (
        named == asked or _DATED.fullmatch(named[len(asked) :]) is not None
    )


def _stated(text: str) -> str | None:
    """The verdict of a JSON object that holds nothing else; of two keys, none is the one meant."""
    try:
        pairs = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    match pairs:
        case tuple([("verdict", str(said))]):
            return said
    return None


def _body(content: str) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise MisshapenError(Answer(None, f"no JSON: {_quoted(content)}")) from None
    if not isinstance(body, dict):
        raise MisshapenError(Answer(None, "no JSON object"))
    return body


def _usage(body: Mapping[str, Any]) -> dict[str, Any]:
    usage = body.get("usage")
    found = usage if isinstance(usage, dict) else {}
    names = {"tokens_in": "prompt_tokens", "tokens_out": "completion_tokens"}
    return {ours: _count(found.get(name)) for ours, name in names.items()}


def _count(found: object) -> int | None:
    return found if type(found) is int and found >= 0 else None


def _quoted(found: object) -> str:
    text = str(found)
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
