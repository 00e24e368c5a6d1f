"""The card of a base says what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from kl_derail.embedded.card import BaseFacts, Measured, base_card, plain
from kl_derail.embedded.entropy import LossAndEntropy
from kl_derail.embedded.grammar import VARIANTS
from kl_derail.embedded.habits import BaseHabits
from kl_derail.embedded.prices import Decay, Mean, SilencePrice

PRICE = SilencePrice(
    length=256,
    spacing="double",
    first=Mean(7.125, 7.0, 7.25),
    later=(1.5, 0.75, 0.375),
    decay=Decay(1.5, 0.625, 0.03),
    episode=Mean(9.75, 9.5, 10.0),
    episode_worst=11.5,
    student_blank=0.96875,
    turns=4.0,
)
HABITS = BaseHabits(
    episodes_with_empty_turn=0.03125,
    empty_turns=0.0125,
    possible_turns=0.9725,
    impossible={"wrong words": 3, "blank": 1},
    distinct_2=0.41,
    distinct_2_trusted=0.43,
    length_distance=0.021,
    different_first_replies=51,
    different_replies=0.5,
    mean_reward=0.5125,
    reward_per_chat_sd=0.2,
)


def facts(variant: str, measured: bool) -> BaseFacts:
    return BaseFacts(
        variant=variant,
        blanks=VARIANTS[variant],
        seed=3,
        documents=4400,
        tokens=5_800_000,
        steps=1400,
        batch=8,
        window=512,
        threads=1,
        parameters=1_182_848,
        held_out_loss=0.3125,
        corpus_sha256="abc",
        measured=Measured((PRICE,), HABITS, LossAndEntropy(0.25, 0.1875, 9000))
        if measured
        else None,
    )


@pytest.fixture
def row() -> Callable[[str], str]:
    """The row of the card that begins with a word."""
    lines = base_card(facts("derails", measured=True)).splitlines()
    return lambda start: next(line for line in lines if line.startswith(f"| {start}"))


@pytest.mark.parametrize(
    ("start", "cells"),
    [
        ("silent turn 1", "7.12 (7.00 to 7.25)"),
        ("turn 2", "1.500"),
        ("turn 4", "0.375"),
        ("turn 5", ""),
        ("whole episode", "9.75 (9.50 to 10.00)"),
        ("curve", "1.50 n^-0.62 (± 0.03)"),
        ("teacher turns possible", "97.2%"),
        ("the others", "1 blank, 3 wrong words"),
        ("held-out loss, conversations", "0.250 nats a token"),
        ("entropy of the grammar", "0.188 nats a token"),
        ("mean reward", "0.512 (sd of chats 0.200)"),
    ],
)
def test_a_row_says_what_was_measured(row: Callable[[str], str], start: str, cells: str) -> None:
    assert row(start).rstrip("|").rstrip().endswith(f"| {cells}".rstrip())


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_card_names_the_command_and_the_purpose(variant: str) -> None:
    card = base_card(facts(variant, measured=False))
    assert f"--variant {variant} \\\n        --seed 3 --documents 4400 --steps 1400" in card
    assert "Known flaws" in card
    assert ("on\n  purpose" in card or "on purpose" in card) == (variant == "derails")
    assert ("Nurse, Patient" in card) == (variant == "control")
    assert "Prices" not in card


def test_facts_survive_json() -> None:
    found = json.loads(json.dumps(plain(facts("control", measured=True))))
    assert found["blanks"]["labels"] == ["Nurse", "Patient"]
    assert found["measured"]["silence"][0]["first"] == {"value": 7.125, "low": 7.0, "high": 7.25}
    assert found["measured"]["habits"]["impossible"] == {"wrong words": 3, "blank": 1}
    assert plain((1, (2.5, "x"))) == [1, [2.5, "x"]]
