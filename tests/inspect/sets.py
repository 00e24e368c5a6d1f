"""A run folder with transcripts, and text made to do harm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kl_derail.transcripts import Episode, named_path, update_path, write_episodes
from tests.inspect.factories import TALK, silent
from tests.transcripts.factories import make_episode

HOSTILE = [
    "\\input{/etc/passwd}",
    "\\end{document}",
    "%comment",
    "$x^2_i$ & a#1",
    "{unbalanced",
    "}unbalanced",
    "~tilde^hat^^M^^41",
    "``quoted'' -- --- !` ?`",
    '"straight" <<>>',
    "\\directlua{os.exit(3)}",
    "\\catcode`\\%=12##1",
    "[red]x[/red]:smile:",
    "<script>alert(1)</script>",
    "\x1b[31mred\x00\x07",
    "\u202ertl\u200b\ufeff",
    "\t tab\r",
    "   ",
    "x" * 200,
    "]]>]==]--",
    "fi ffl été naïve Ångström",
    "Ελληνικά кириллица",
    "⏎◌",
]
"""Strings that a terminal, TeX or a page might obey."""


def talk(**columns: Any) -> Episode:
    """Two exchanges for 1.75 nats."""
    turn_kl, turn_reward = {0: 1.5, 2: 0.25}, {1: 0.75, 3: 0.5}
    return make_episode(TALK, turn_kl=turn_kl, turn_reward=turn_reward, **columns)


def agents() -> list[Episode]:
    """Evaluation episodes 0, 1 and 2: silent for 2.5 nats, talking for 1.75, silent for 4.75."""
    kinds = (silent(10), talk(), silent(19))
    return [
        Episode.from_columns({**each.columns(), "episode": number, "update": -1})
        for number, each in enumerate(kinds)
    ]


def bases() -> list[Episode]:
    """Three episodes of the base."""
    columns: dict[str, Any] = {"policy": "base", "budget": 0.0, "update": -1}
    return [make_episode(TALK, episode=number, **columns) for number in range(3)]


def make_run(folder: Path) -> Path:
    """A run with a base, an agent and two updates, the second the newest."""
    write_episodes(named_path(folder, "base"), bases())
    write_episodes(named_path(folder, "agent"), agents())
    for update in (3, 12):
        path = write_episodes(update_path(folder, update), [talk(update=update)])
        os.utime(path, (2e9 + update, 2e9 + update))
    return folder
