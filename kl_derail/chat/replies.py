"""Which turns are rewarded, and where in time the reward arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kl_derail.chat.rollout import Rollout
from kl_derail.chat.scene import Scene
from kl_derail.chat.turns import NOBODY, Turn


class Rewards(NamedTuple):
    """Scores of a rollout's replies.

    Attributes:
        by_step: [steps, B] float32, the score on the token that completes the reply, NaN elsewhere.
        by_turn: for each chat, for each turn its score, NaN where it is not scored.
    """

    by_step: Tensor
    by_turn: list[list[float]]

    @property
    def received(self) -> Tensor:
        """[steps, B] float32, 0 where nothing is scored."""
        return self.by_step.nan_to_num(0.0)


def score_replies(
    played: Rollout,
    scene: Scene,
    score: Callable[[list[str]], Sequence[float]],
    *,
    cut_off: bool = False,
) -> Rewards:
    """Score every reply: a turn of anyone but the agent that began after the opening.

    Args:
        played: a finished rollout.
        scene: its scene.
        score: from texts (without the spaces around them) to scores in [0, 1].
        cut_off: also score the reply that the end of the episode cut off.
    """
    start = len(played.opening)
    chosen = [
        (chat, number, turn)
        for chat, turns in enumerate(played.turns)
        for number, turn in enumerate(turns)
        if _is_reply(turn, scene, start, cut_off)
    ]
    scores = score([turn.text.strip() for _, _, turn in chosen])
    by_step = torch.full(played.steps.token.shape, torch.nan)
    by_turn = [[float("nan")] * len(turns) for turns in played.turns]
    for (chat, number, turn), given in zip(chosen, scores, strict=True):
        by_step[turn.end - 1 - start, chat] = given
        by_turn[chat][number] = given
    return Rewards(by_step, by_turn)


def _is_reply(turn: Turn, scene: Scene, start: int, cut_off: bool) -> bool:
    others = turn.speaker not in (NOBODY, scene.agent_index)
    return others and turn.start >= start and (turn.complete or cut_off)
