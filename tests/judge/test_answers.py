"""Exact forms are read, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.judge.answers import is_same_model, parse, read_answer
from kl_derail.judge.judges import Choice, MisshapenError
from tests.judge.endpoint import completion
from tests.judge.injections import ATTEMPTS, full_width

ALL = list(Choice)
FORMS = (
    '{{"verdict": "{}"}}',
    '\n {{ "verdict" : "{}" }}\n',
    '```json\n{{"verdict": "{}"}}\n```',
    '```\n{{"verdict": "{}"}}\n```',
    "{}",
    "{}.",
    " {}\n",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("choice", ALL)
def test_exact_forms(form: str, choice: Choice) -> None:
    assert parse(form.format(choice.value), ALL) is choice


@pytest.mark.parametrize("text", ["First", "FIRST.", "first"])
def test_the_case_of_a_word_does_not_matter(text: str) -> None:
    assert parse(text, ALL) is Choice.FIRST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "first or second",
        "not first",
        "The first.",
        "first!",
        "first second",
        '"first"',
        '["first"]',
        '[["verdict", "first"]]',
        '{"verdict": "first"} {"verdict": "second"}',
        '{"verdict": "first", "verdict": "second"}',
        '{"verdict": "first", "reason": "it talks"}',
        '{"verdict": ["first"]}',
        '{"verdict": "First"}',
        '{"verdict": 1}',
        '{"verdict": null}',
        '{"Verdict": "first"}',
        '{"verdict": "first"',
        '{"verdict": "neither"}',
        'Sure! {"verdict": "first"}',
        '```json\n{"verdict": "first"}\n``` because',
        full_width("first"),
        "f\u0131rst",
        "fir\u200bst",
        "[" * 100_000,
        *ATTEMPTS.values(),
    ],
)
def test_all_else_is_no_verdict(text: str) -> None:
    if text not in (ATTEMPTS["verdict"], ATTEMPTS["verdict in a block"]):
        assert parse(text, ALL) is None


def test_only_what_is_allowed() -> None:
    assert parse("tie", [Choice.FIRST, Choice.SECOND]) is None
    assert parse('{"verdict": "tie"}', [Choice.FIRST, Choice.SECOND]) is None


@given(st.text(), st.sampled_from(ALL), st.text())
def test_a_verdict_amid_other_words_is_none(before: str, choice: Choice, after: str) -> None:
    text = f"{before}{choice.value}{after}"
    alone = text.strip().lower().removesuffix(".") == choice.value
    assert (parse(text, ALL) is choice) is alone


@given(st.text())
def test_no_text_breaks_the_reader(content: str) -> None:
    with pytest.raises(MisshapenError):
        read_answer(content, "m", ALL)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "refusal", "usage", "prompt_tokens"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(json_values)
def test_no_json_breaks_the_reader(value: object) -> None:
    try:
        answer = read_answer(json.dumps(value), "m", ALL)
    except MisshapenError:
        return
    assert answer.choice is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, (5, 2)),
        ({"prompt_tokens": -5, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": 5.0}, (None, None)),
        (None, (None, None)),
        ([], (None, None)),
    ],
)
def test_tokens(usage: object, expected: tuple[int | None, int | None]) -> None:
    body = {**completion("first"), "usage": usage}
    answer = read_answer(json.dumps(body), "gpt-3.5-turbo", ALL)
    assert (answer.tokens_in, answer.tokens_out) == expected


def test_why_an_answer_is_no_verdict() -> None:
    body = completion("I think that")
    answer = read_answer(json.dumps(body), "gpt-3.5-turbo", ALL)
    assert (answer.choice, answer.reason, answer.text) == (None, "no verdict", "I think that")
    body["choices"][0]["finish_reason"] = "length"
    assert read_answer(json.dumps(body), "gpt-3.5-turbo", ALL).reason == "cut off"


@pytest.mark.parametrize(
    ("asked", "named", "same"),
    [
        ("gpt-3.5-turbo", "gpt-3.5-turbo", True),
        ("gpt-3.5-turbo", "gpt-3.5-turbo-0125", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("models/tiny", "models/tiny@main", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo", False),
        ("a", "", False),
    ],
)
def test_names_of_models(asked: str, named: str, same: bool) -> None:
    assert is_same_model(asked, named) is same
