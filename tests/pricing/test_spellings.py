"""Event costs of the turns of real chats."""

from __future__ import annotations

import math

import pytest

from kl_derail.chat import Stage
from kl_derail.pricing import Plays, TurnEvent, behaviour, price_behaviour, turn_events
from kl_derail.pricing.script import Spacing
from tests.models import STUDENT_OPENING, Models, uncached


def events_of(stage: Stage, said: str, spacing: Spacing, turns: list[int]) -> list[TurnEvent]:
    priced = price_behaviour(
        stage, behaviour(said), said, spacing, [130], lambda texts: [0.5] * len(texts), Plays(2)
    )
    return turn_events(stage, priced.episodes, turns, tolerance=1e-3, max_nodes=1500)


@pytest.mark.parametrize("spacing", ["single", "double"])
def test_silence_by_any_spelling(models: Models, spacing: Spacing) -> None:
    found = events_of(models.stage("embedded"), "silent", spacing, [1, 2])
    assert [(event.chat, event.turn) for event in found] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    for event in found:
        assert event.text.low <= event.text.high <= event.text.cheapest <= event.script
        assert event.text.high - event.text.low <= 1e-3
        assert event.blank is not None
        assert event.blank.low <= event.text.high
        assert event.blank.high <= event.blank.script == pytest.approx(event.script, abs=1e-4)
        assert event.blank.spellings > event.text.spellings


def test_a_blank_turn_is_worth_both_line_break_styles(models: Models) -> None:
    """The mass of a blank first turn is at least that of both styles together, from the same context."""
    stage = models.stage("embedded")
    single, double = (
        {e.chat: e for e in events_of(stage, "silent", spacing, [1])}
        for spacing in ("single", "double")
    )
    for number, event in single.items():
        both = math.exp(-event.text.low) + math.exp(-double[number].text.low)
        assert event.blank is not None
        assert math.exp(-event.blank.low) >= both - 1e-6
        assert event.blank.low == pytest.approx(double[number].blank.low, abs=1e-4)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["embedded", "llama", "gpt2"])
def test_turns_with_words(models: Models, name: str) -> None:
    stage = models.stage(name, opening=STUDENT_OPENING, max_reply_tokens=5)
    (first, *_) = events_of(stage, "repeat:Bär.", "single", [1, 99])
    assert first.blank is None
    assert first.text.low <= first.text.high <= first.script
    assert first.text.nodes <= 1500
    if name == "embedded":
        assert first.text.high - first.text.low <= 1e-3


@pytest.mark.parametrize("name", ["embedded", "mixtral", "llama", "gpt2"])
def test_search_and_transcript_agree_on_the_script(models: Models, name: str) -> None:
    stage = models.stage(name, opening=STUDENT_OPENING, max_reply_tokens=5)
    priced = price_behaviour(
        stage,
        behaviour("copy"),
        "copy",
        "double",
        [130],
        lambda texts: [0.5] * len(texts),
        Plays(2),
    )
    found = turn_events(stage, priced.episodes, [1, 2], max_nodes=200)
    assert found
    for event in found:
        logged = priced.prices[0].chats[event.chat].turns[event.turn - 1]
        assert event.text.script == event.script == pytest.approx(logged, abs=1e-4)


def test_the_cheapest_spelling_is_a_real_one(models: Models) -> None:
    """The script of silence is one token sequence; its own forward pass gives the cost found by the search."""
    stage = models.stage("embedded")
    (event, *_) = events_of(stage, "silent", "double", [1])
    priced = price_behaviour(
        stage,
        behaviour("silent"),
        "silent",
        "double",
        [130],
        lambda texts: [0.5] * len(texts),
        Plays(2),
    )
    ids = priced.episodes[0].token_id.tolist()
    logs = uncached(stage.base, ids)[0]
    script = stage.tokens_of("\n\nStudent:")
    start = next(
        n for n in range(len(stage.opening), len(ids)) if ids[n : n + len(script)] == script
    )
    later = next(n for n in range(start + 1, len(ids)) if ids[n : n + len(script)] == script)
    costs = [
        -sum(float(logs[at + n - 1, token]) for n, token in enumerate(script))
        for at in (start, later)
    ]
    assert min(abs(event.text.cheapest - cost) for cost in costs) < 1e-3
