"""A behaviour as a policy: each chat is fed its own queue of tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import torch

from kl_derail.chat import Decision, Stage, Turn, View, scripted
from kl_derail.errors import UserError
from kl_derail.pricing.behaviours import Behaviour, Line

Spacing = Literal["single", "double"]
BREAKS: dict[Spacing, str] = {"single": "\n", "double": "\n\n"}
"""Line breaks before the header that ends a turn."""


def other_speakers(stage: Stage) -> list[str]:
    """All speakers but the agent, those after it in the scene's order first."""
    at, speakers = stage.scene.agent_index, stage.scene.speakers
    return [*speakers[at + 1 :], *speakers[:at]]


def turn_text(stage: Stage, said: str, spacing: Spacing) -> str:
    """A whole turn as it stands in the chat: what is said, then the change to the next speaker.

    Whatever follows a speaker change within `said` is left out: the turn ends there.
    """
    text = said.strip()
    for match in stage.scene.header.finditer(text):
        if match["name"] != stage.scene.agent:
            text = text[: match.start()].rstrip()
            break
    return f"{text and f' {text}'}{BREAKS[spacing]}{other_speakers(stage)[0]}:"


class BehaviourPolicy:
    """Plays a behaviour: every token of its turns is certain and costs -log beta.

    The spelling of a turn is the one that the base's tokenizer gives its text. Characters that the
    tokenizer changes are said as it gives them back, which the transcript shows.

    Args:
        stage: base and scene.
        behaviour: what is said.
        spacing: line breaks before the speaker change.
        at_once: also cut short the turn that the opening left unfinished; otherwise the base finishes it.
        turns: scripted turns after which the base takes over; None: never.
    """

    def __init__(
        self,
        stage: Stage,
        behaviour: Behaviour,
        spacing: Spacing = "double",
        *,
        at_once: bool = False,
        turns: int | None = None,
    ) -> None:
        self._stage, self._behaviour, self._spacing = stage, behaviour, spacing
        self._at_once, self._turns = at_once, turns
        self._history: dict[int, list[Line]] = defaultdict(list)
        self._queue: dict[int, list[int]] = {}
        self._spelled: dict[str, list[int]] = {}

    def listen(self, chat: int, turns: Sequence[Turn]) -> None:
        """Remember the finished turns of a chat."""
        done = turns if not turns or turns[-1].complete else turns[:-1]
        known = self._history[chat]
        if len(done) <= len(known):  # a chat only grows: this is another one
            known.clear()
        names = (*self._stage.scene.speakers, "")  # NOBODY, -1, is the last
        known += [
            Line(names[turn.speaker], turn.text.strip(), self._is_scripted(turn))
            for turn in done[len(known) :]
        ]

    def act(self, view: View) -> Decision:
        """A point mass on the next token of each script, the base's distribution where there is none."""
        rows = zip(
            *(column.tolist() for column in (view.chats, view.turn_age, view.in_opening)),
            strict=True,
        )
        tokens = [self._token(*row) for row in rows]
        device = view.log_base.device
        return scripted(
            view,
            torch.tensor([0 if token is None else token for token in tokens], device=device),
            torch.tensor([token is not None for token in tokens], device=device),
        )

    def _is_scripted(self, turn: Turn) -> bool:
        begun_late = turn.start >= len(self._stage.opening)
        cut_short = self._at_once and turn.end > len(self._stage.opening)
        return turn.speaker == self._stage.scene.agent_index and (begun_late or cut_short)

    def _token(self, chat: int, age: int, in_opening: bool) -> int | None:
        if in_opening and not self._at_once:
            return None
        if age == 0:
            self._queue[chat] = self._next_turn(tuple(self._history[chat]))
        return self._queue[chat][age] if self._queue[chat] else None

    def _next_turn(self, history: Sequence[Line]) -> list[int]:
        """The tokens of the next turn; none where the base takes over."""
        if self._turns is not None and sum(line.scripted for line in history) >= self._turns:
            return []
        text = turn_text(self._stage, self._behaviour(history), self._spacing)
        if text not in self._spelled:
            self._spelled[text] = self._spell(text)
        return self._spelled[text]

    def _spell(self, text: str) -> list[int]:
        tokens, change = self._stage.tokens_of(text), turn_text(self._stage, "", self._spacing)
        if not (back := self._stage.pieces.text(tokens)).endswith(change):
            raise UserError(
                f"behaviour: the base's tokenizer gives {text!r} back as {back!r}, which does not hand on the word"
            )
        return tokens
