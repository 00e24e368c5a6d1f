"""The simplest event not yet seen, by looking at every turn."""

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.theory.programs.events import NEVER, Clock, Repeat, events
from kl_derail.theory.programs.machine import parse_machine, sample
from kl_derail.theory.programs.switch import bits
from kl_derail.theory.unseen import (
    first_turns,
    observation_events,
    provoke,
    simplest_unseen,
    split,
)

TALK = parse_machine("A 1/8 B B; B 1/2 A A")


def test_the_curve_is_the_one_seen_turn_by_turn() -> None:
    symbols, candidates = sample(TALK, 400, 5), events(12)
    turns = first_turns(candidates, split(symbols))
    steps = simplest_unseen(candidates, turns)
    for t in range(201):
        naive = min(bits(e) for e, first in zip(candidates, turns, strict=True) if first > t)
        now = [step for step in steps if step.since <= t][-1]
        assert now.bits == naive
        assert now.event.turns_until(split(symbols[: 2 * t])) == NEVER
    assert steps[0].since == 0
    assert [step.bits for step in steps] == sorted(step.bits for step in steps)


@pytest.mark.parametrize(
    "event", [Repeat("observations", "1", 6), Repeat("actions", "10", 3), Clock(60)]
)
def test_an_event_is_brought_about_by_the_last_turn(event: Repeat | Clock) -> None:
    symbols = sample(TALK, 80, 1)
    more = provoke(TALK, symbols, event, 2)
    chat = split(np.concatenate([symbols, more]))
    assert event.turns_until(chat) == len(chat.actions) == 40 + len(more) // 2
    assert len(more) <= 2 * max(20, 6)


def test_what_cannot_come_about_is_refused() -> None:
    with pytest.raises(UserError, match="cannot come about after 40 turns"):
        provoke(TALK, sample(TALK, 80, 1), Clock(3), 0)


def test_the_world_brings_about_observations() -> None:
    found = observation_events(events(7))
    assert found
    assert all(isinstance(e, Repeat) and e.stream == "observations" for e in found)
