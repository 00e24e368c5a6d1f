"""The second cost of a turn: that of its text, however it is spelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kl_derail.chat import Stage
from kl_derail.pricing.continuations import Continuations
from kl_derail.pricing.costs import scripted_turns
from kl_derail.pricing.events import BlankTurn, ExactText, TextEvent, token_bytes
from kl_derail.pricing.mass import EventCost, event_cost
from kl_derail.pricing.script import other_speakers
from kl_derail.transcripts import Episode, Turn, is_empty


class TurnEvent(NamedTuple):
    """A scripted turn of one chat and the event that it says what it says.

    The chat before the turn is taken as the script spelled it.

    Attributes:
        chat: number of the episode.
        turn: number of the scripted turn, from 1.
        script: cost of the script's own tokens, nats, from the same search as the text, which costs
            at most that. The transcript has it from another pass of the base: in float32 both agree to
            1e-4 nats.
        text: cost of the turn's text, speaker change with its line breaks included.
        blank: for a turn that says nothing, cost of a blank turn with any white space and any line
            breaks before the speaker change; None for other turns.
    """

    chat: int
    turn: int
    script: float
    text: EventCost
    blank: EventCost | None


def turn_events(
    stage: Stage,
    episodes: Sequence[Episode],
    turns: Sequence[int],
    *,
    tolerance: float = 1e-3,
    max_nodes: int = 4096,
) -> list[TurnEvent]:
    """The event costs of scripted turns, wherever a chat finishes them.

    Args:
        stage: what the episodes were played on.
        episodes: played by a script.
        turns: numbers of the scripted turns, from 1.
        tolerance: width of the bracket, nats.
        max_nodes: token sequences after which a search ends in any case.
    """
    pieces = token_bytes(stage.pieces)
    return [
        _turn_event(stage, pieces, episode, number, own[number - 1], tolerance, max_nodes)
        for episode in episodes
        for own in [scripted_turns(episode)]
        for number in turns
        if number <= len(own) and own[number - 1].complete
    ]


def _turn_event(
    stage: Stage,
    pieces: Sequence[bytes],
    episode: Episode,
    number: int,
    turn: Turn,
    tolerance: float,
    max_nodes: int,
) -> TurnEvent:
    start = max(turn.start, episode.opening_tokens)
    context = Continuations(stage.base.model, episode.token_id[:start].tolist())
    said = "".join(episode.token_text[start : turn.end])
    script = episode.token_id[start : turn.end].tolist()

    def cost(event: TextEvent) -> EventCost:
        limits = {"tolerance": tolerance, "max_nodes": max_nodes}
        return event_cost(context, pieces, event, script=script, **limits)  # type: ignore[arg-type]

    text = cost(ExactText(said.encode()))
    return TurnEvent(
        chat=episode.episode,
        turn=number,
        script=text.script if text.script < math.inf else float(episode.kl[start : turn.end].sum()),
        text=text,
        blank=cost(BlankTurn(tuple(other_speakers(stage)))) if is_empty(turn) else None,
    )
