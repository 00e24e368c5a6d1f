"""The card of a base says what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kl_derail.config import parse
from kl_derail.embedded.build import EmbeddedBuildConfig
from kl_derail.embedded.card import BaseFacts, Measured, base_card, plain
from kl_derail.embedded.entropy import LossAndEntropy
from kl_derail.embedded.grammar import VARIANTS
from kl_derail.embedded.habits import BaseHabits
from kl_derail.embedded.papers import Blanks
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
def test_the_card_names_the_purpose(variant: str) -> None:
    card = base_card(facts(variant, measured=False))
    assert "Known flaws" in card
    assert ("on\n  purpose" in card or "on purpose" in card) == (variant == "derails")
    assert ("Nurse, Patient" in card) == (variant == "control")
    assert "Prices" not in card


def rebuild_line(made: BaseFacts) -> str:
    """The line after the word "Rebuild"."""
    return base_card(made).split("\nRebuild")[1].splitlines()[2].strip()


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_command_on_the_card_builds_the_same_base_again(variant: str) -> None:
    words = rebuild_line(facts(variant, measured=False)).split()
    assert words[:3] == ["kl-derail", "embedded", "build"]
    (config,) = parse((EmbeddedBuildConfig,), words[3:], command="embedded build")
    assert config == EmbeddedBuildConfig(
        Path("WORLD"), variant, parts="base", seed=3, documents=4400, steps=1400
    )


def test_a_corpus_that_is_no_variant_is_built_again_from_python() -> None:
    own = facts("derails", measured=False)._replace(blanks=Blanks(lasting=0.5))
    known = {each.__name__: each for each in (Blanks, EmbeddedBuildConfig, Path)}
    config, blanks = eval(rebuild_line(own).removeprefix("build"), known)
    assert blanks == own.blanks
    assert (config.steps, config.documents, config.seed) == (1400, 4400, 3)


def test_facts_survive_json() -> None:
    found = json.loads(json.dumps(plain(facts("control", measured=True))))
    assert found["blanks"]["labels"] == ["Nurse", "Patient"]
    assert found["measured"]["silence"][0]["first"] == {"value": 7.125, "low": 7.0, "high": 7.25}
    assert found["measured"]["habits"]["impossible"] == {"wrong words": 3, "blank": 1}
    assert plain((1, (2.5, "x"))) == [1, [2.5, "x"]]
