"""Policies that listen, and point masses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from kl_derail.chat import BasePolicy, Decision, Draw, Listener, Turn, View, rollout, scripted
from tests.models import OPENING, STUDENT_OPENING, Models


class Ear(BasePolicy):
    """Writes down what it hears, and how many tokens each chat had by then."""

    def __init__(self) -> None:
        self.heard: dict[int, list[list[Turn]]] = {}

    def listen(self, chat: int, turns: Sequence[Turn]) -> None:
        self.heard.setdefault(chat, []).append(list(turns))


def test_who_listens() -> None:
    assert isinstance(Ear(), Listener)
    assert not isinstance(BasePolicy(), Listener)


@pytest.mark.parametrize("opening", [OPENING, STUDENT_OPENING])
def test_a_listener_hears_every_change_of_the_word(models: Models, opening: str) -> None:
    stage = models.stage("embedded", opening=opening, length=120)
    ear = Ear()
    played = rollout(stage, ear, Draw(0, -1, range(3), 0.0))
    for chat, turns in enumerate(played.turns):
        complete = [turn for turn in turns if turn.complete]
        before, *later = ear.heard[chat]
        assert [turn.text for turn in before] == _spoken_in(opening)
        assert [turn.complete for turn in before] == [*[True] * (len(before) - 1), False]
        assert later == [
            complete[: len(before) + n] for n in range(len(complete) - len(before) + 1)
        ]


def _spoken_in(opening: str) -> list[str]:
    return [part.partition(":")[2] for part in opening.split("\n\n")]


def test_listening_changes_nothing(models: Models) -> None:
    stage = models.stage("embedded", length=90)
    draw = Draw(3, 1, range(4), 0.0)
    deaf, hearing = rollout(stage, BasePolicy(), draw), rollout(stage, Ear(), draw)
    assert deaf.turns == hearing.turns
    assert all(
        torch.equal(a.nan_to_num(-1.0), b.nan_to_num(-1.0))
        for a, b in zip(deaf.steps, hearing.steps, strict=True)
    )


def test_scripted_tokens_cost_minus_log_beta_and_the_base_nothing() -> None:
    log_base = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]]).log()
    decision = _decide(log_base, [1, 2], [True, False])
    assert decision.kl.tolist() == pytest.approx([1.3862943611198906, 0.0])
    assert decision.alpha.tolist() == [1.0, 0.0]
    assert decision.log_probs[0].exp().tolist() == [0.0, 1.0, 0.0]
    assert torch.equal(decision.log_probs[1], log_base[1])


def _decide(log_base: torch.Tensor, tokens: list[int], own: list[bool]) -> Decision:
    n = len(tokens)
    view = View(
        chats=torch.arange(n),
        log_base=log_base,
        features=torch.zeros(n, 1),
        remaining=torch.ones(n),
        turn_age=torch.zeros(n, dtype=torch.int64),
        in_opening=torch.zeros(n, dtype=torch.bool),
        budget_left=torch.zeros(n, dtype=torch.float64),
    )
    return scripted(view, torch.tensor(tokens), torch.tensor(own))
