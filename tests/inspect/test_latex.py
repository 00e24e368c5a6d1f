"""LaTeX without a LaTeX: the source's numbers, its colours, and that nothing in it is obeyed."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.inspect.colours import BLACK, LEGEND, ink, kl_colour
from kl_derail.inspect.latex import latex_document, latex_episode, legend, tex_text, write_latex
from kl_derail.inspect.literal import literal
from kl_derail.transcripts import Episode, spent
from tests.inspect.factories import TALK, no_tokens, one_token_a_turn, silent
from tests.inspect.sets import HOSTILE, agents, bases, talk
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes

TOKEN = re.compile(r"\\tok\{([^{}]*)\}")
NAMED = {
    r"\textbackslash": "\\",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textquotesingle": "'",
    r"\textasciigrave": "`",
    r"\textquotedbl": '"',
    r"\s": " ",
}


def as_tex_reads(source: str) -> str:
    """What TeX would print of our text: an independent reader of the few macros that stand in it."""
    text, place = "", 0
    while place < len(source):
        match = re.compile(r"(\\[a-z]+)\{|\\([{}$&#%_])|([^\\{}$&#%_^~ '`\"])").match(source, place)
        assert match, source[place : place + 20]
        place = match.end()
        macro, escaped, plain = match.groups()
        if macro in (r"\uni", r"\rtl"):
            end = source.index("}", place)
            text, place = text + source[place:end], end + 1
            assert not re.search(r"[\x00-\x7f]", source[match.end() : end])
        elif macro:
            text, place = text + NAMED[macro], place + 1
        else:
            text += escaped or plain
    return text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_character_survives_and_none_is_obeyed(text: str) -> None:
    assert as_tex_reads(tex_text(text)) == literal(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(text: str) -> None:
    assert as_tex_reads(tex_text(text)) == literal(text)


@settings(max_examples=40)
@given(episodes())
def test_the_tokens_add_up_to_what_was_spent(episode: Episode) -> None:
    found = [float(nats) for nats in TOKEN.findall(latex_episode(episode))]
    assert found == episode.kl[episode.agent_tokens].tolist()
    assert math.fsum(found) == pytest.approx(spent(episode).expected, abs=1e-9)


@settings(max_examples=40)
@given(episodes())
def test_braces_are_balanced(episode: Episode) -> None:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex_episode(episode)):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_by_hand() -> None:
    colour = kl_colour(1.5).hex[1:].upper()
    heading, *rows, end = latex_episode(talk()).split("\n")
    assert heading.startswith(r"\subsubsection*{agent,\s{}episode\s{}0,")
    assert end == r"\par"
    assert rows[0] == (
        r"\row{0.50}{1.50}{\tok{1.5}{" + colour + r"}{\textbf{Teacher:}}"
        r"\tok{0.0}{}{\s{}Hello.}\tok{0.0}{}{\lb{}}\tok{0.0}{}{\lb{}}}"
    )
    assert rows[1].startswith(r"\row{}{}{\tok{0.0}{}{\textbf{Student:}}\more{}{\s{}Hi.}")
    assert rows[1].endswith(r"\reward{+0.75}}")
    assert len(rows) == 4


def test_a_token_over_two_lines_bears_its_kl_once() -> None:
    episode = one_token_a_turn(["a\nb\nc"])
    assert TOKEN.findall(latex_episode(episode)) == ["1.0"]
    assert latex_episode(episode).count(r"\row") == 3


def test_long_tokens_may_break() -> None:
    assert latex_episode(one_token_a_turn(["x" * 200])).count("x" * 16 + "}") == 12


def test_a_token_without_text_is_visible() -> None:
    source = latex_episode(one_token_a_turn([""]))
    assert r"\tok{1.0}{" + kl_colour(1.0).hex[1:].upper() + r"}{\notext{}}" in source


def test_the_base_has_no_margin_and_the_opening_is_quiet() -> None:
    assert all(r"\row{}{}" in row for row in latex_episode(bases()[0]).split("\n")[1:-1])
    opened = latex_episode(make_episode(TALK, opening_turns=2))
    assert r"\more{}{\opening{\s{}Hello.}}" in opened
    assert r"\opening{\s{}Hi.}" not in opened.split("Go")[1]


def test_legend_has_the_colours_of_the_tokens() -> None:
    for nats in LEGEND[1:]:
        assert kl_colour(nats).hex[1:].upper() in legend()


def test_black_reads_well_on_all_of_the_scale() -> None:
    assert {ink(kl_colour(nats / 100)) for nats in range(1100)} == {BLACK}


def test_document(tmp_path: Path) -> None:
    sets = [("run agent", agents()), (r"\evil{", [no_tokens(), silent(3)])]
    path = write_latex(tmp_path / "chats.tex", sets)
    text = path.read_text(encoding="utf-8")
    assert text == latex_document(sets)
    assert text.startswith("% !TeX program = lualatex\n\\documentclass")
    assert text.endswith("\\end{document}\n")
    assert text.count(r"\subsubsection*") == 5
    assert r"\subsection*{\textbackslash{}evil\{}" in text
