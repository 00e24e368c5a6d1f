"""Prices as files: CSV for people, JSON that gives them back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from kl_derail.errors import UserError
from kl_derail.pricing import EventCost, TurnEvent, cheaper_style, read_prices
from kl_derail.pricing.report import (
    CHEAPER,
    cheaper_row,
    event_rows,
    plain,
    price_row,
    start_rows,
    turn_rows,
    write_csv,
    write_prices,
)
from tests.pricing.factories import chat, price

TALK = price(chat(6.0, 1.0, reward=9.0, replies=3), chat(8.0, unfinished=0.25), chat())
BASE = price(chat(reward=5.0), chat(reward=-1.0), chat(), behaviour="base", spacing="")
EXACT = EventCost(1.0, 1.0, 1.5, 2, 0.0, 9, True)


def test_a_line_of_the_price_list() -> None:
    row = price_row(TALK, BASE)
    assert (row["behaviour"], row["spacing"], row["length"]) == ("silent", "single", 256)
    assert (row["chats"], row["started"]) == (3, 2)
    assert (row["first"], row["first_n"]) == (7.0, 2)
    assert row["first_low"] < 7.0 < row["first_high"]
    assert row["episode"] == pytest.approx((7 + 8.25) / 2)
    assert (row["budget_50"], row["budget_90"], row["budget_100"]) == (7.0, 8.25, 8.25)
    assert row["blank_replies"] == 1.0
    assert (row["reward_gain"], row["reward_gain_n"]) == (2.0, 3)
    assert row["gain_per_nat"] == pytest.approx(6.0 / 15.25)
    assert row["gain_per_nat"] < row["reward_per_nat"]


def test_the_line_of_the_cheaper_style() -> None:
    row = cheaper_row(cheaper_style([TALK, price(chat(5.0), chat(9.0), chat(), spacing="double")]))
    assert (row["behaviour"], row["spacing"], row["length"]) == ("silent", CHEAPER, 256)
    assert (row["chats"], row["started"]) == (3, 2)
    assert (row["first"], row["episode"]) == ((5 + 8) / 2, (5 + 8.25) / 2)
    assert set(row) <= set(price_row(TALK, BASE))


def test_a_line_a_turn() -> None:
    first, second = turn_rows(TALK)
    assert (first["turn"], first["cost"], first["cost_n"], first["cumulative"]) == (1, 7.0, 2, 7.0)
    assert (second["turn"], second["cost"], second["cost_n"], second["cumulative"]) == (
        2,
        1.0,
        1,
        7.0,
    )
    assert turn_rows(price(chat())) == []


def test_the_curve_of_starting_sometimes() -> None:
    rows = start_rows(TALK)
    assert (rows[0]["probability"], rows[-1]["probability"], len(rows)) == (0.0, 1.0, 21)
    assert rows[-1]["expected_cost"] == pytest.approx(TALK.episode.estimate)
    assert rows[-1]["budget_needed"] == pytest.approx(TALK.episode.estimate)
    assert all(row["expected_cost"] <= row["budget_needed"] for row in rows)
    assert rows[2]["budget_needed"] > rows[2]["expected_cost"]


def test_events_keep_both_ends() -> None:
    open_end = EventCost(0.5, 0.75, 0.75, 1, 0.0, 4, False)
    rows = event_rows(
        "silent",
        "double",
        [TurnEvent(0, 1, 1.5, EXACT, open_end), TurnEvent(0, 2, 1.5, EXACT, None)],
    )
    assert (rows[0]["blank_low"], rows[0]["blank_high"], rows[0]["blank_exhausted"]) == (
        0.5,
        0.75,
        False,
    )
    assert (rows[0]["script"], rows[0]["text_low"], rows[0]["text_cheapest"]) == (1.5, 1.0, 1.5)
    assert "blank_low" not in rows[1]
    assert not {"text_script", "blank_script"} & set(rows[0])


def test_csv_holds_all_columns_of_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(path, [{"a": 1, "b": 'x, "y"\n'}, {"a": math.nan, "c": True}])
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"a": "1", "b": 'x, "y"\n', "c": ""},
            {"a": "nan", "b": "", "c": "True"},
        ]
    write_csv(path, [])
    assert path.read_text().strip() == ""


def test_json_gives_the_prices_back(tmp_path: Path) -> None:
    path, prices = (
        tmp_path / "price.json",
        [TALK, price(chat(1 / 3), behaviour="repeat:“Ü”", length=9)],
    )
    write_prices(path, prices, {"options": {"budget": math.inf}})
    assert read_prices(path) == prices
    assert json.loads(path.read_text())["options"] == {"budget": None}
    assert [each.name for each in tmp_path.iterdir()] == ["price.json"]


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"prices": [{}]}', '{"prices": 3}', "\x00"]
)
def test_files_that_hold_no_prices(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "price.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=str(path)):
        read_prices(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": [math.nan, (1.0, -math.inf)]}, {"a": [None, [1.0, None]]}), ("nan", "nan"), (3, 3)],
)
def test_json_has_no_word_for_infinity(value: Any, expected: Any) -> None:
    assert plain(value) == expected
