"""What is fixed before a chat begins: who speaks, how it opens, how long it lasts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from kl_derail.errors import UserError


@dataclass(frozen=True)
class Scene:
    """A chat between an agent and other speakers, all voiced by one base model.

    Attributes:
        opening: text that every chat begins with; may stop in the middle of a turn, which is then continued.
        agent: the speaker whose tokens the agent chooses.
        speakers: every speaker that a header can name, the agent included.
        length: tokens in an episode, opening included.
        student_temperature: temperature of the base when it speaks for anyone but the agent.
        max_reply_tokens: a reply of this many tokens is cut off: the agent's header is forced. None: never.
    """

    opening: str
    agent: str
    speakers: tuple[str, ...]
    length: int = 256
    student_temperature: float = 0.05
    max_reply_tokens: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.speakers)) != len(self.speakers) or len(self.speakers) < 2:
            raise UserError(
                f"speakers: found {list(self.speakers)}, allowed two or more different names"
            )
        for name in self.speakers:
            if not name.strip() or name != name.strip() or any(mark in name for mark in ":\n"):
                raise UserError(
                    f"speakers: found {name!r}, allowed a name without colon, line break or outer spaces"
                )
            if not re.search(rf"^{re.escape(name)}:", self.opening, flags=re.MULTILINE):
                raise UserError(
                    f"opening: speaker {name!r} never speaks in it; a line must begin with '{name}:'"
                )
        if self.agent not in self.speakers:
            raise UserError(f"agent: found {self.agent!r}, allowed one of {list(self.speakers)}")
        if self.max_reply_tokens is not None and self.max_reply_tokens < 1:
            raise UserError(
                f"max_reply_tokens: found {self.max_reply_tokens}, allowed >= 1, or none"
            )
        if not (self.student_temperature > 0 and math.isfinite(self.student_temperature)):
            raise UserError(f"student_temperature: found {self.student_temperature}, allowed > 0")

    @property
    def agent_index(self) -> int:
        """Position of the agent in `speakers`."""
        return self.speakers.index(self.agent)

    @cached_property
    def header(self) -> re.Pattern[str]:
        r"""A speaker change: a line break, or several, then a speaker's name and a colon.

        >>> Scene("A: hi\n\nB: yes", "A", ("A", "B")).header.search("well.\nB: no")["name"]
        'B'
        """
        names = "|".join(re.escape(name) for name in sorted(self.speakers, key=len, reverse=True))
        return re.compile(rf"\n+(?P<name>{names}):")
