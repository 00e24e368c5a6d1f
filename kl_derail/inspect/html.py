"""Transcripts as one HTML file that needs nothing else: to browse, filter, compare and look closely.

Model text is hostile input. It is made literal here, embedded as JSON in ASCII, and put on the page
as text nodes only; a content security policy forbids all that the page does not need.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from kl_derail.inspect.page.candidates import candidate_texts
from kl_derail.inspect.page.embedding import content_policy, embedded_json
from kl_derail.inspect.page.overview import BINS, overview
from kl_derail.inspect.page.packing import Columns, layout, pack
from kl_derail.inspect.page.records import record
from kl_derail.inspect.page.scales import scales
from kl_derail.inspect.page.texts import Texts, shown_text
from kl_derail.plumbing.writing import replacing
from kl_derail.transcripts import Episode, judged_turns

EpisodeSet = tuple[str, Sequence[Episode]]
"""A name for readers, and the episodes."""

SCRIPTS = (
    "data", "format", "colour", "order", "list", "curve", "chat", "inspector", "pane", "keys", "main",
)  # fmt: skip
"""The page's scripts, joined in this order into one module."""

_PAGE = files("kl_derail.inspect.page")


def write_page(path: Path, sets: Sequence[EpisodeSet], *, title: str = "kl_derail") -> Path:
    """Write `page` to a file, replacing it at once: a reader sees all of it or none.

    Args:
        path: of the file; its folder is made if missing.
        sets: one or two named sets of episodes.
        title: of the page.

    Raises:
        UserError: the file cannot be written; what stood there before is untouched.
    """
    text = page(sets, title=title)
    with replacing(path) as partial:
        partial.write_text(text, encoding="ascii")
    return path


def page(sets: Sequence[EpisodeSet], *, title: str = "kl_derail") -> str:
    """The HTML document, in ASCII.

    Args:
        sets: one set of episodes, or two to be compared: an episode stands beside the one of the
            same number in the other set. A set may be empty.
        title: of the page.

    Raises:
        ValueError: for no sets or more than two.
    """
    if len(sets) not in (1, 2):
        raise ValueError(f"a page shows one or two sets of episodes, found {len(sets)}")
    script = "\n".join(_source(f"{name}.js") for name in SCRIPTS)
    style = _source("style.css")
    return Template(_source("template.html")).substitute(
        policy=html.escape(content_policy(script, style)),
        title=html.escape(shown_text(title)).encode("ascii", "xmlcharrefreplace").decode(),
        style=style,
        script=script,
        data=embedded_json(page_data(sets)),
    )


def page_data(sets: Sequence[EpisodeSet]) -> dict[str, Any]:
    """All that the page knows, as plain data for JSON; numbers in packed columns (see `pack`)."""
    texts = Texts()
    found = [_set_data(name, episodes, texts) for name, episodes in sets]
    tokens = candidate_texts((each for _, episodes in sets for each in episodes), texts)
    return {
        "scales": scales(),
        "bins": BINS,
        "sets": found,
        "tokens": tokens,
        "texts": texts.table(),
    }


def _set_data(name: str, episodes: Sequence[Episode], texts: Texts) -> dict[str, Any]:
    judged = [judged_turns(each) for each in episodes]
    rows = overview(episodes, judged, texts)
    columns: Columns = {}
    packed, speech = [], [np.zeros(0, np.int32)]
    for episode, verdicts in zip(episodes, judged, strict=True):
        columns, pieces = record(episode, verdicts, texts)
        packed.append(pack(columns))
        speech.append(pieces)
    counts = np.array([len(each) for each in speech[1:]], np.int32)
    return {
        "name": shown_text(name),
        "overview": _packed(rows),
        "speech": _packed({"texts": np.concatenate(speech), "counts": counts}),
        "records": {"layout": layout(columns), "packed": packed},
    }


def _packed(columns: Columns) -> dict[str, Any]:
    return {"layout": layout(columns), "packed": pack(columns)}


def _source(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
