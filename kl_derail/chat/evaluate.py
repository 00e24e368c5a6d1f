"""Play a policy without training it."""

from __future__ import annotations

from collections.abc import Iterator

from kl_derail.budget import Accounting
from kl_derail.chat.policy import Policy
from kl_derail.chat.rollout import Draw, Rollout, Stage, rollout
from kl_derail.transcripts import EVALUATION


def play(
    stage: Stage,
    policy: Policy,
    episodes: int,
    *,
    seed: int,
    budget: float,
    accounting: Accounting = "expected",
    chats: int = 64,
    keep_samples: bool = False,
    top_k: int = 0,
) -> Iterator[Rollout]:
    """Evaluation episodes, in batches of at most `chats`.

    All evaluations of one seed draw from the same random streams: policies compared share their luck.
    """
    for start in range(0, episodes, chats):
        draw = Draw(
            seed, EVALUATION, range(start, min(start + chats, episodes)), budget, accounting
        )
        yield rollout(stage, policy, draw, keep_samples=keep_samples, top_k=top_k)
