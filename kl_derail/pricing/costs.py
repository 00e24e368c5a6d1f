"""What a script costs and earns in one chat, read off its transcript."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kl_derail.transcripts import Episode, Turn, is_empty, turns_of


@dataclass(frozen=True)
class ChatCost:
    """The script of one chat, its first `length` tokens counted.

    Attributes:
        turns: exact cost of each finished scripted turn, speaker change included, nats.
        total: cost of all scripted tokens, those of an unfinished turn too, nats.
        reward: sum of the scores of the replies that are complete.
        replies: complete replies after the first scripted turn.
        blank: how many of these are blank.
        same: how many of these repeat the scripted turn before them (blank ones repeat a silent turn).
    """

    turns: tuple[float, ...]
    total: float
    reward: float
    replies: int
    blank: int
    same: int

    @property
    def later(self) -> tuple[float, ...]:
        """Cost of each scripted turn but the first, nats."""
        return self.turns[1:]

    @property
    def following(self) -> float:
        """Cost of all that comes after the first scripted turn, nats; 0 where there is none."""
        return self.total - self.turns[0] if self.turns else 0.0

    def affordable(self, budget: float) -> int:
        """How many scripted turns, from the first on, a budget in nats pays."""
        return int(np.searchsorted(np.cumsum(self.turns), budget, side="right"))


def scripted_turns(episode: Episode) -> list[Turn]:
    """The agent's turns whose sampled tokens were certain (alpha 1), an unfinished last one too."""
    first = {turn.index: max(turn.start, episode.opening_tokens) for turn in turns_of(episode)}
    return [
        turn
        for turn in turns_of(episode)
        if turn.speaker == episode.agent
        and first[turn.index] < turn.end
        and episode.alpha[first[turn.index]] == 1
    ]


def chat_cost(episode: Episode, length: int | None = None) -> ChatCost:
    """What the script of an episode costs within the first `length` tokens (None: all of them).

    A script does not know how long its episode will be, so the first tokens of a long one are a
    shorter one.
    """
    end = episode.length if length is None else min(length, episode.length)
    own = scripted_turns(episode)
    turns = turns_of(episode)
    answered = [
        (turns[turn.index + 1], turn)
        for turn in own
        if turn.index + 1 < len(turns) and _is_whole(turns[turn.index + 1], end)
    ]
    return ChatCost(
        turns=tuple(turn.kl for turn in own if _is_whole(turn, end)),
        total=float(sum(episode.kl[turn.start : min(turn.end, end)].sum() for turn in own)),
        reward=float(np.nansum(episode.reward[:end], dtype=np.float64)),
        replies=len(answered),
        blank=sum(is_empty(reply) for reply, _ in answered),
        same=sum(reply.text.strip() == turn.text.strip() for reply, turn in answered),
    )


def _is_whole(turn: Turn, end: int) -> bool:
    return turn.complete and turn.end <= end
