"""Chats as a LaTeX document of their own, for LuaLaTeX: tokens coloured by their KL.

Model text is hostile input: every character that TeX obeys is written as text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby, zip_longest
from pathlib import Path

from kl_derail.inspect.colours import LEGEND, UNCOLOURED, kl_colour
from kl_derail.inspect.layout import Line, Piece, lines_of
from kl_derail.inspect.literal import literal
from kl_derail.inspect.tables import facts
from kl_derail.plumbing.writing import replacing
from kl_derail.transcripts import Episode

CHUNK = 16
"""Characters after which a line may break inside a word, if it must."""

SIGNS = (
    r"left column: nats left before the turn; next: nats spent in it; \lb\ line break;"
    r" +0.50: reward"
)

_CHUNKS = re.compile(rf" *[^ ]{{1,{CHUNK}}}| +")

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}",
    " ": r"\s{}",
}


def write_latex(path: Path, sets: Sequence[tuple[str, Sequence[Episode]]]) -> Path:
    """Write `latex_document` to a file (UTF-8), replacing it at once.

    Args:
        path: of the file; its folder is made if missing.
        sets: named sets of episodes.
    """
    with replacing(path) as partial:
        partial.write_text(latex_document(sets), encoding="utf-8")
    return path


def latex_document(
    sets: Sequence[tuple[str, Sequence[Episode]]], *, title: str = "kl_derail"
) -> str:
    r"""A document that LuaLaTeX compiles without other files.

    Every token of the agent stands in a macro with its exact KL, `\tok{KL}{colour}{text}`: the
    first arguments, read as float64, add up to what the episodes spent.

    Args:
        sets: named sets of episodes, one section each.
        title: of the document.
    """
    preamble = (files("kl_derail.inspect") / "preamble.tex").read_text(encoding="utf-8")
    body = [rf"\section*{{{tex_text(title)}}}", legend()]
    for name, episodes in sets:
        body += [rf"\subsection*{{{tex_text(name)}}}", *map(latex_episode, episodes)]
    return "\n".join([preamble, r"\begin{document}", *body, r"\end{document}", ""])


def latex_episode(episode: Episode) -> str:
    """One chat: its facts, then a row for each of its lines."""
    lines = lines_of(episode)
    rows, token = [], -1
    for line, after in zip_longest(lines, lines[1:]):
        last = after is None or after.turn != line.turn
        rows.append(_row(episode, line, token, last=last))
        token = line.pieces[-1].token
    heading = rf"\subsubsection*{{{tex_text(facts(episode))}}}"
    return "\n".join([heading, *rows, r"\par"])


def legend() -> str:
    """The colour scale with its numbers, and what the margin and the signs mean."""
    scale = "".join(rf"\more{{{_colour(nats)}}}{{\ {nats:g}\ }}" for nats in LEGEND)
    return rf"\noindent KL of a token in nats\ {scale}\par\noindent {{\small {SIGNS}}}\par"


def tex_text(text: str) -> str:
    r"""The text with everything that a terminal or TeX would obey made literal.

    Runs beyond ASCII are handed to a macro that finds a font for them.

    >>> print(tex_text("50 % of é\x1b"))
    50\s{}\%\s{}of\s{}\uni{é}\textbackslash{}x1b
    """
    runs = groupby(literal(text), key=_script)
    return "".join(_tex_run(script, "".join(characters)) for script, characters in runs)


def _script(character: str) -> str:
    if character.isascii():
        return ""
    return "rtl" if unicodedata.bidirectional(character) in ("R", "AL") else "uni"


def _tex_run(script: str, text: str) -> str:
    if script:
        return rf"\{script}{{{text}}}"
    return "".join(_ESCAPES.get(each, each) for each in text)


def _row(episode: Episode, line: Line, before: int, *, last: bool) -> str:
    """A line of the chat, `before` being the last token before it; `last` of its turn: with the reward."""
    left = spent = ""
    if line.sampled is not None and (episode.budget > 0 or episode.kl.any()):
        left = f"{episode.budget_left[line.sampled]:.2f}"
        spent = f"{episode.kl[episode.turn == episode.turn[line.sampled]].sum():.2f}"
    tokens = [before, *(piece.token for piece in line.pieces)]
    pairs = zip(tokens, line.pieces, strict=False)
    text = "".join(_piece(episode, piece, first=piece.token != token) for token, piece in pairs)
    reward = _reward(episode, line.turn) if last else ""
    return rf"\row{{{left}}}{{{spent}}}{{{text}{reward}}}"


def _reward(episode: Episode, turn: int) -> str:
    reward = episode.turn_reward[turn] if turn < len(episode.turn_reward) else math.nan
    return "" if math.isnan(reward) else rf"\reward{{{reward:+.2f}}}"


def _piece(episode: Episode, piece: Piece, *, first: bool) -> str:
    """A token or a part of one; the first part of a sampled token bears its KL."""
    nats, agent = float(episode.kl[piece.token]), bool(episode.agent_tokens[piece.token])
    colour = _colour(nats)
    parts = []
    for number, (chunk, text) in enumerate(_chunks(piece)):
        if piece.token < episode.opening_tokens:
            text = rf"\opening{{{text}}}"
        own = agent and first and not number
        macro = rf"\tok{{{nats!r}}}" if own else r"\more"
        may_break = r"\allowbreak" if colour and chunk.startswith(" ") else ""
        parts.append(rf"{may_break}{macro}{{{colour}}}{{{text}}}")
    return "".join(parts)


def _chunks(piece: Piece) -> Iterator[tuple[str, str]]:
    """The piece cut where a line may break: as it is, and for TeX."""
    if piece.text in ("", "\n"):
        yield piece.text, r"\lb{}" if piece.text else r"\notext{}"
        return
    for chunk in _CHUNKS.findall(piece.text):
        text = tex_text(chunk)
        yield chunk, rf"\textbf{{{text}}}" if piece.header else text


def _colour(nats: float) -> str:
    """As xcolor's HTML model writes it; empty for a token left uncoloured."""
    return "" if nats < UNCOLOURED else kl_colour(nats).hex.removeprefix("#").upper()
