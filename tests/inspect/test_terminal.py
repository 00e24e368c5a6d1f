"""A chat on the terminal: colours, margins, plain text, hostile text."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType
from rich.segment import Segment

from kl_derail.inspect import Legend, kl_colour, render_episode
from kl_derail.transcripts import Episode
from tests.inspect.factories import TALK, no_tokens, silent
from tests.transcripts.factories import make_episode

HOSTILE = " [red]x[/red]\x1b[31m\u202e\u23ce:smile:"


def plain(renderable: RenderableType, width: int = 80) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def segments(renderable: RenderableType) -> list[Segment]:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    return list(console.render(renderable))


def talk(**columns: Any) -> Episode:
    return make_episode(TALK, turn_kl={0: 1.5, 2: 0.25}, turn_reward={1: 0.75}, **columns)


def test_plain_text_says_it_all() -> None:
    left = talk().budget_left.copy()
    left[~np.isnan(left)] = np.linspace(20, 1, np.count_nonzero(~np.isnan(left)))
    assert plain(render_episode(talk(budget_left=left))) == [
        " left   KL",
        "20.00 1.50 Teacher: Hello.⏎⏎",
        "           Student: Hi.⏎⏎ +0.75",
        " 9.44 0.25 Teacher: Go on.⏎⏎",
        "           Student: Why?",
    ]


def test_where_nothing_was_spent_there_is_no_margin() -> None:
    base = make_episode(TALK, policy="base", budget=0.0)
    assert plain(render_episode(base))[0] == "Teacher: Hello.⏎⏎"


def test_an_unlimited_budget_reads_inf() -> None:
    left = np.where(np.isnan(talk().budget_left), np.nan, np.inf)
    assert plain(render_episode(talk(budget=np.inf, budget_left=left)))[1].startswith(" inf 1.50")


def test_tokens_have_the_colour_of_their_kl() -> None:
    found = {
        part.text: part.style.bgcolor.name
        for part in segments(render_episode(talk()))
        if part.style is not None and part.style.bgcolor is not None
    }
    assert found == {"Teacher:": kl_colour(1.5).hex, " Go": kl_colour(0.25).hex}


def test_line_breaks_have_the_colour_of_their_kl() -> None:
    found = segments(render_episode(silent(1)))
    coloured = [part.text for part in found if part.style is not None and part.style.bgcolor]
    assert coloured == ["⏎"]


def test_names_are_bold_and_the_opening_is_dim() -> None:
    episode = make_episode(TALK, opening_turns=2)
    styles = {part.text.strip(): part.style for part in segments(render_episode(episode))}
    assert styles["Hello."] is not None
    assert styles["Hello."].dim
    assert styles["Why?"] is None or not styles["Why?"].dim
    names = [part for part in segments(render_episode(episode)) if part.text.endswith("er:")]
    assert len(names) == 2
    assert all(part.style is not None and part.style.bold for part in names)


@pytest.mark.parametrize("place", range(4))
def test_model_text_is_only_text(place: int) -> None:
    turns = [(name, HOSTILE if turn == place else text) for turn, (name, text) in enumerate(TALK)]
    renderable = render_episode(make_episode(turns))
    said = r"[red]x[/red]\x1b[31m\u202e\u23ce:smile:"
    assert any(said in line for line in plain(renderable))
    for part in segments(renderable):
        assert not part.control
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", part.text)


def test_hostile_names_are_only_text() -> None:
    name = "[b]T\x1b"
    texts = [each.replace("Teacher", name) for each in talk().token_text]
    columns = {
        **talk().columns(),
        "speakers": (name, "Student"),
        "agent": name,
        "token_text": texts,
    }
    assert plain(render_episode(Episode.from_columns(columns)))[1].endswith(r"[b]T\x1b: Hello.⏎⏎")


def test_a_token_without_text_is_visible() -> None:
    found = segments(render_episode(talk(token_text=["", *talk().token_text[1:]])))
    coloured = [part.text for part in found if part.style is not None and part.style.bgcolor]
    assert coloured == ["◌", " Go"]


def test_collapse() -> None:
    episode = silent(19)
    lines = plain(render_episode(episode, collapse=True))
    assert "… 17 more silent exchanges, 4.25 nats, reward 8.50" in lines[-2]
    assert len(lines) == 9
    assert len(plain(render_episode(episode))) == 1 + 2 + 2 * 19 + 1


def test_collapse_of_a_repeated_reply() -> None:
    lines = plain(render_episode(silent(19, " Oh."), collapse=True))
    assert "… 17 more exchanges like this, 4.25 nats, reward 8.50" in lines[-2]


def test_margins_add_up_to_what_was_spent() -> None:
    lines = plain(render_episode(silent(19), collapse=True))[1:]
    spent = [
        float(found[1]) for line in lines if (found := re.match(r" *\d\.\d\d +(\d+\.\d\d)", line))
    ]
    assert sum(spent) == pytest.approx(19 * 0.25)


def test_a_narrow_terminal_wraps() -> None:
    assert max(map(len, plain(render_episode(talk()), width=24))) <= 24


def test_an_episode_without_tokens() -> None:
    assert "Teacher" not in "".join(plain(render_episode(no_tokens(), collapse=True)))


def test_the_legend_has_a_scale_only_where_there_are_colours() -> None:
    assert not any("0.1" in line for line in plain(Legend()))
    assert "".join(part.text for part in segments(Legend())).startswith("KL of a token in nats")
