"""The closing screen, at several widths and with little to show."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from kl_derail.inspect import closing_screen, print_closing_screen, save_closing_screen
from kl_derail.inspect.closing import typical
from kl_derail.transcripts import Episode
from tests.inspect.factories import silent
from tests.inspect.test_figures import base, talk
from tests.transcripts.factories import make_episode
from tests.transcripts.test_judged import lesson

FILES = {"folder": Path("runs/a"), "[b]odd\x1b": Path("runs/[red]b")}
AFTER = [silent(10), silent(19), silent(12, episode=7)]


def screen(before: list[Episode], after: list[Episode], width: int = 80) -> list[str]:
    file = io.StringIO()
    print_closing_screen(Console(file=file, width=width), before, after, FILES)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 80, 109, 110, 160])
def test_it_fits_and_says_where_the_files_are(width: int) -> None:
    lines = screen([base(), base()], AFTER, width)
    assert max(map(len, lines)) <= width
    assert any("runs/[red]b" in line for line in lines)
    assert any(line.startswith(r"[b]odd\x1b") for line in lines)


def test_at_eighty_columns_no_figure_is_cut() -> None:
    table = "\n".join(screen([base(), base()], AFTER)).split("Base, episode")[0]
    assert "…" not in table
    assert "8.20 of 10" not in table


def test_the_trusted_policy_has_rows_where_it_is_known() -> None:
    known, unknown = "\n".join(screen([lesson()], [lesson()])), "\n".join(screen([base()], AFTER))
    for row in ("impossible agent turns", "  unknown words", "trusted log-prob, >= -30"):
        assert row in known  # at eighty columns no name is wrapped
    assert "impossible" not in unknown
    assert "trusted" not in unknown


@pytest.mark.parametrize(("width", "beside"), [(109, False), (110, True)])
def test_chats_stand_side_by_side_where_there_is_room(width: int, beside: bool) -> None:
    titles = [line for line in screen([base()], AFTER, width) if "Agent, episode" in line]
    assert ["Base, episode" in line for line in titles] == [beside]


def test_the_typical_episode_is_closest_to_the_median() -> None:
    assert typical(AFTER).episode == 7
    assert typical([silent(10, episode=3), silent(10, episode=4)]).episode == 3


@pytest.mark.parametrize(("before", "after"), [([], []), ([base()], []), ([], AFTER)])
def test_missing_episodes_are_no_error(before: list[Episode], after: list[Episode]) -> None:
    lines = "\n".join(screen(before, after))
    assert "runs/a" in lines
    assert ("Agent, episode 7" in lines) == bool(after)
    assert ("Base, episode 0" in lines) == bool(before)


def test_seconds_and_no_files() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(closing_screen([], [talk()], {}, seconds=151.4))
    assert "took  2 min 31 s" in file.getvalue()


def test_an_encoding_of_few_characters_is_no_error() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    odd = make_episode([("Teacher", " 語 é…"), ("Student", " Hi.")])
    print_closing_screen(Console(file=file, width=120), [odd], AFTER, FILES)
    file.flush()
    assert b"Teacher: ?? ?~$$" in raw.getvalue()


def test_a_terminal_gets_the_scale() -> None:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True, color_system="truecolor")
    print_closing_screen(console, [base()], AFTER, FILES)
    assert "KL of a token in nats" in file.getvalue()
    assert "\x1b[" in file.getvalue()


def test_the_picture_is_an_svg_that_names_no_path(tmp_path):
    episodes = [make_episode([("Teacher", "Hi."), ("Student", "Yes."), ("Teacher", "So")])]
    save_closing_screen(tmp_path / "closing.svg", episodes, episodes, title="a run")
    picture = (tmp_path / "closing.svg").read_text(encoding="utf-8")
    assert picture.lstrip().startswith("<svg")
    assert "a&#160;run" in picture or "a run" in picture
    assert str(tmp_path) not in picture
