"""Contradictions are refused; keys come from the environment, or from nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.judge.options import OPENAI, EndpointOptions, JudgeOptions, is_loopback


def judge(**more: Any) -> JudgeOptions:
    return JudgeOptions(**{"a": [Path("x")], "b": ["base"], **more})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"a": []}, "a: found none"),
        ({"b": ["base", "other"]}, "b: found 2, allowed 1, one for each --a"),
        ({"label": ["one", "two"]}, "label: found 2, allowed 1 or none"),
        ({"quality": []}, "quality: found none"),
        ({"quality": ["better", "better"]}, "quality: found .* allowed different ones"),
        ({"quality": ["\udc80"]}, "quality: found .* allowed text in UTF-8"),
        ({"label": ["\udc80"]}, "label: found .* allowed text in UTF-8"),
        ({"quality": [" "]}, "quality: found .* none of them empty"),
    ],
)
def test_contradictions_in_what_is_compared(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        judge(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "ftp://x/v1"}, "base_url: found 'ftp://x/v1', allowed http"),
        ({"base_url": "api.openai.com"}, "base_url: found"),
        ({"base_url": "https://me:secret@x/v1"}, "a key has no place in it"),
        ({"base_url": "https://x/v1?key=secret"}, "a key has no place in it"),
        ({"base_url": "http://host:abc/v1"}, "base_url: found 'http://host:abc/v1', allowed http"),
        ({"base_url": "http://[::1/v1"}, "base_url: found"),
        ({"base_url": "http://host:99999/v1"}, "base_url: found"),
        ({"base_url": "http://me:secret@[x/v1"}, "a key has no place in it"),
        ({"serve": "x", "base_url": "http://localhost/v1"}, "serve: .*leave out --base_url"),
        ({"serve": "x", "model": "gpt-4"}, "serve: .*leave out --base_url and --model"),
        ({"serve": "x", "max_cost": 1.0}, "max_cost: what x costs is unknown"),
        ({"model": "\udc80"}, "model: found .* allowed text in UTF-8"),
        ({"price_in": 1.0}, "give both or none"),
        ({"max_cost": 1.0, "model": "other"}, "what other costs is unknown"),
        ({"max_cost": 1.0, "base_url": "http://localhost/v1"}, "is unknown"),
        ({"max_cost": 1.0, "max_tokens": None}, "may cost anything"),
    ],
)
def test_contradictions_in_who_is_asked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as told:
        EndpointOptions(**options).check()
    assert "secret" not in str(told.value)


def test_prices() -> None:
    assert EndpointOptions().prices == (0.5, 1.5)
    assert EndpointOptions(base_url=f"{OPENAI}/").prices == (0.5, 1.5)
    assert EndpointOptions(model="gpt-4o").prices is None
    assert EndpointOptions(serve="a/model").prices is None
    assert EndpointOptions(serve="a/model", price_in=1.0, price_out=2.0).prices == (1.0, 2.0)
    assert EndpointOptions(price_in=1.0, price_out=2.0).prices == (1.0, 2.0)


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "one")
    monkeypatch.setenv("OTHER", " two ")
    local = "http://127.0.0.1:1/v1"
    assert EndpointOptions().key() == "one"
    assert EndpointOptions(api_key_env="OTHER").key() == "two"
    assert EndpointOptions(base_url=local).key() is None  # never sent where none is asked for
    assert EndpointOptions(base_url=local, api_key_env="OTHER").key() == "two"
    assert EndpointOptions(serve="a/model").key() is None
    for value in (None, "", " "):
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("OPENAI_API_KEY", value)
        with pytest.raises(
            UserError, match="OPENAI_API_KEY: this environment variable holds no key"
        ):
            EndpointOptions().key()


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "schl\u00fcssel", "a\x00b", "a\tb"])
def test_a_key_that_no_header_can_hold_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": key})
    with pytest.raises(UserError, match=r"OPENAI_API_KEY: the key .* plain letters") as told:
        EndpointOptions().key()
    assert not any(part in str(told.value) for part in ("one", "two", "schl", "a\t", "a\x00"))


def test_the_log_knows_an_endpoint_by_one_name() -> None:
    names = {EndpointOptions(base_url=f"http://h/v1{end}").endpoint for end in ("", "/")}
    assert names == {"http://h/v1"}


def test_the_log_lies_beside_the_tables() -> None:
    assert judge().log_file == Path("judge/answers.jsonl")
    assert judge(log=Path("x.jsonl")).log_file == Path("x.jsonl")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.3.2.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost.evil.org/v1", False),
        ("http://10.0.0.1/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_is_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
