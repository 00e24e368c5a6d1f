"""Nothing embedded can end its element; the policy names the very sources."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.inspect.page.embedding import content_policy, embedded_json
from tests.inspect.page.hostile import HOSTILE, SURROGATES

texts = st.text(st.characters())
values = st.recursive(
    texts | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)


@settings(max_examples=40)
@given(values)
def test_it_is_json(value: object) -> None:
    assert json.loads(embedded_json(value)) == value


@given(texts | st.sampled_from([*HOSTILE, *SURROGATES]))
def test_no_character_means_anything_to_html(text: str) -> None:
    found = embedded_json(text)
    assert found.isascii()
    assert not set(found) & set("<>&\n\r\0")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        embedded_json(value)


def test_the_policy_allows_two_sources_and_no_more() -> None:
    directives = dict(each.split(" ", 1) for each in content_policy("let a", "b{}").split("; "))
    digest = base64.b64encode(hashlib.sha256(b"let a").digest()).decode()
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == f"'sha256-{digest}'"
    assert directives["style-src"].startswith("'sha256-")
    assert directives["trusted-types"] == "'none'"
    assert "unsafe" not in content_policy("let a", "b{}")
