"""`kl-derail price` from the flags to the files."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from kl_derail.errors import UserError
from kl_derail.pricing import read_prices
from kl_derail.pricing.command import price_command
from kl_derail.pricing.folder import file_name
from kl_derail.transcripts import read_episodes
from tests.inspect.factories import silent
from tests.pricing.factories import evaluated

SMALL = ["-n", "3", "--length", "120", "90", "--event_chats", "1"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prices of two behaviours."""
    out = tmp_path_factory.mktemp("price") / "list"
    code = price_command([*SMALL, "--behaviour", "silent", "repeat:Go on.", "--out", str(out)])
    assert code == 0
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_there(written: Path) -> None:
    assert sorted(each.name for each in written.iterdir()) == [
        "events.csv", "price.csv", "price.json", "price.pdf", "price.png", "start.csv", "transcripts",
        "turns.csv",
    ]  # fmt: skip
    assert sorted(each.stem for each in (written / "transcripts").iterdir()) == sorted(
        [
            "base",
            *(file_name(n, s) for n in ("silent", "repeat:Go on.") for s in ("single", "double")),
        ]
    )


def test_the_price_list(written: Path) -> None:
    rows = rows_of(written / "price.csv")
    assert [(row["behaviour"], row["spacing"], row["length"]) for row in rows] == [
        *((n, s, t) for n in ("silent", "repeat:Go on.") for s in ("single", "double") for t in ("90", "120")),
        ("base", "", "90"),
        ("base", "", "120"),
        *(("silent", "cheaper style of each chat", length) for length in ("90", "120")),
    ]  # fmt: skip
    silent, sentence = rows[1], rows[5]
    assert float(silent["first"]) > float(silent["later"]) > 0
    assert float(silent["episode"]) < float(sentence["episode"])
    single, double, cheaper = (
        float(row["first"])
        for row in rows
        if (row["behaviour"], row["length"]) == ("silent", "120")
    )
    assert cheaper <= min(single, double)
    base = next(row for row in rows if row["behaviour"] == "base" and row["length"] == "120")
    assert float(base["reward_gain"]) == 0
    assert float(silent["reward_gain"]) == pytest.approx(
        float(silent["reward"]) - float(base["reward"])
    )


def test_files_tell_the_same_story(written: Path) -> None:
    prices = read_prices(written / "price.json")
    (silent, *_) = [
        p for p in prices if (p.behaviour, p.spacing, p.length) == ("silent", "single", 120)
    ]
    episodes = read_episodes(written / "transcripts" / "silent-single.parquet")
    assert [float(episode.kl.sum()) for episode in episodes] == pytest.approx(
        [each.total for each in silent.chats], abs=1e-9
    )
    (first, *_) = [row for row in rows_of(written / "turns.csv") if row["spacing"] == "single"]
    assert float(first["cost"]) == silent.turn(1).estimate
    events = json.loads((written / "price.json").read_text())["events"]
    assert len(events) == len(rows_of(written / "events.csv")) >= 4
    assert all(event["text_low"] <= event["text_high"] <= event["script"] for event in events)


def test_written_prices_are_not_lost(written: Path) -> None:
    with pytest.raises(UserError, match="exists; choose another folder or --overwrite"):
        price_command([*SMALL, "--out", str(written)])


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_goes_away_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And on a stderr that is no terminal there is no progress."""
    monkeypatch.setattr(sys, "stdout", Gone())
    flags = ["-n", "1", "--length", "90", "--event_chats", "0", "--spacing", "single"]
    with pytest.raises(BrokenPipeError):
        price_command([*flags, "--out", str(tmp_path / "list")])
    assert len(read_prices(tmp_path / "list" / "price.json")) == 2
    assert capsys.readouterr().err == ""


def test_runs_are_read_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = silent(6, opening_tokens=4)
    evaluated(tmp_path / "run", 20.0, [episode])
    monkeypatch.setattr("kl_derail.pricing.listing.price_behaviour", None)
    flags = ["--opening", "Teacher: Hi.\n\nStudent:", "--length", str(episode.length)]
    with pytest.raises(UserError, match="base model: found 'base-1'"):
        price_command([*flags, "--runs", str(tmp_path / "run")])
    with pytest.raises(UserError, match=r"no evaluation of its agent .*: 90, 120 tokens"):
        price_command([*SMALL, "--runs", str(tmp_path / "run")])


def test_turns_that_no_chat_finishes(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["-n", "1", "--length", "90", "--event_chats", "1", "--spacing", "single"]
    assert price_command([*flags, "--event_turns", "1", "99"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "kl-derail price: warning: event_turns: none of the 1 chats of 'silent', single,"
        " finishes turn 99"
    )
    with pytest.raises(UserError, match="length: found 47: too short for a first turn of 'silent'"):
        price_command(["-n", "2", "--length", "47", "90", "--event_chats", "0"])


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="length: found 40"):
        price_command(["--length", "40", "-n", "1", "--out", str(tmp_path / "list")])
    assert list(tmp_path.iterdir()) == []


def test_one_style_at_once_for_some_turns(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["-n", "2", "--length", "100", "--event_chats", "0", "--spacing", "single"]
    assert price_command([*flags, "--at_once", "--turns", "2", "--behaviour", "praise"]) == 0
    shown = capsys.readouterr().out
    assert "praise" in shown
    assert "single" in shown
    assert "double" not in shown
    assert "base" in shown


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--behaviour", "silnt"], "behaviour: found 'silnt', allowed .*did you mean silent"),
        (["--behaviour", "file:/nowhere"], "behaviour: cannot read '/nowhere'"),
        (["--spacing", "triple"], "spacing: found triple, allowed single, double"),
        (["--length", "1"], "length: found 1, allowed >= 2"),
        (["--length", "40", "-n", "1"], "length: found 40, allowed > 45"),
        (["--length", "40", "90", "-n", "1"], "length: found 40, allowed > 45"),
        (["--length", "99999"], "length: found 99999, allowed <="),
        (["--score_cut_off"], "score_cut_off: a price counts complete replies only"),
        (["--runs", "/nowhere"], "/nowhere"),
        (["--runs", "x", "--behaviour", "copy"], "runs: .*silent"),
        (["--runs", "x", "--turns", "3"], "runs: .*leave out --turns"),
        (["--runs", "x", "--at_once"], "runs: .*leave out --turns and --at_once"),
        (["--out", f"{__file__}/x", "--base", "/nowhere"], "out: cannot write to the folder .*"),
        (["--event_turns", "1", "3", "--turns", "2"], "event_turns: found 3, allowed <= 2"),
        (["--behaviour", "repeat:\udce4"], r"behaviour: found 'repeat:\\udce4', which is no"),
        (["--event_turns", "0"], "event_turns: found 0, allowed >= 1"),
        (["--base", "/nowhere"], "opening: needed with --base /nowhere"),
        (["--turns", "0"], "turns: found 0, allowed >= 1"),
    ],
)
def test_mistakes_are_told_before_anything_slow(flags: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        price_command(flags)
