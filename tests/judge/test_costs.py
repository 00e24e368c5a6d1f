"""Dollars: estimated, bounded, counted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.judge.client import NO_KEY, ApiJudge, request
from kl_derail.judge.costs import Prices, Purse, estimated_tokens, most_tokens
from kl_derail.judge.judges import Answer, Choice
from kl_derail.judge.options import EndpointOptions
from tests.judge.endpoint import endpoint, verdict
from tests.judge.factories import chat, question

counts = st.none() | st.integers(0, 50)


def test_prices_are_for_a_million() -> None:
    assert Prices(0.5, 1.5).cost(1_000_000, 2_000_000) == 3.5


@given(st.integers(0, 500), st.lists(st.tuples(counts, counts)))
def test_a_purse_is_never_overdrawn(
    limit: int, answers: list[tuple[int | None, int | None]]
) -> None:
    purse = Purse(Prices(1e6, 1e6), limit)
    most = (50, 50)
    total = 0
    for read, written in answers:
        assert purse.reserve(most) is (total + 100 <= limit)
        if total + 100 > limit:
            return
        purse.settle(most, Answer(Choice.FIRST, tokens_in=read, tokens_out=written))
        total += (50 if read is None else read) + (50 if written is None else written)
        assert purse.spent == total <= limit


def test_what_is_under_way_counts() -> None:
    purse = Purse(Prices(1e6, 0), 10)
    assert [purse.reserve((4, 0)) for _ in range(3)] == [True, True, False]
    purse.settle((4, 0), None)  # nothing came back
    assert purse.reserve((4, 0))
    assert purse.spent == 0


def test_unknown_prices_cost_nothing_and_say_so() -> None:
    purse = Purse(None)
    assert purse.reserve((10**9, 10**9))
    purse.settle((10**9, 10**9), Answer(None))
    assert (purse.spent, purse.is_known) == (0, False)


@pytest.mark.parametrize("text", ["plain", "é" * 50, "\U0001f600" * 50, '"\\\n' * 20])
@pytest.mark.parametrize("structured", ["on", "off"])
def test_a_request_has_fewer_bytes_than_its_bound(text: str, structured: Any) -> None:
    """Against what a server gets; a token takes a byte at least."""

    async def once() -> None:
        judge = ApiJudge(options, NO_KEY)
        await judge.answer(asked)
        await judge.close()

    asked = question(text, text)._replace(first=chat(text, "a"), second=chat(text, "b"))
    with endpoint(lambda _: verdict("first")) as found:
        options = EndpointOptions(base_url=found.url, max_tokens=9, structured=structured)
        asyncio.run(once())
    read, written = most_tokens(request(options, asked))
    assert len(json.dumps(found.bodies[0], ensure_ascii=False).encode()) < read
    assert written == 9


def test_an_estimate_is_a_quarter_of_the_letters() -> None:
    found = request(EndpointOptions(), question())
    contents = [each["content"] for each in found["body"]["messages"]]  # type: ignore[index]
    assert estimated_tokens([found, found]) == (2 * sum(map(len, contents)) // 4, 16)
