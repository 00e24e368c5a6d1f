"""Who chooses the agent's tokens: anything that turns what the agent sees into a distribution and its price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from kl_derail.chat.turns import Turn


class View(NamedTuple):
    """What the agent sees in the n chats in which it has the word.

    Attributes:
        chats: [n] int64, which chats of the batch.
        log_base: [n, V] float32 base log-probabilities at temperature 1.
        features: [n, F] float32 base features.
        remaining: [n] float32, the fraction of the episode that remains.
        turn_age: [n] int64, tokens of the present turn so far, those of the opening not counted.
        in_opening: [n] bool, whether the present turn began in the opening.
        budget_left: [n] float64 nats.
    """

    chats: Tensor
    log_base: Tensor
    features: Tensor
    remaining: Tensor
    turn_age: Tensor
    in_opening: Tensor
    budget_left: Tensor


class Decision(NamedTuple):
    """A distribution over the next token and what it costs.

    Attributes:
        log_probs: [n, V] log-probabilities.
        kl: [n] float64, exact KL to the base in nats.
        alpha: [n] float64, weight of the proposal in the mixture.
        fraction: [n] float32, fraction of the remaining budget asked for.
        kl_target: [n] float64 nats.
    """

    log_probs: Tensor
    kl: Tensor
    alpha: Tensor
    fraction: Tensor
    kl_target: Tensor


class Policy(Protocol):
    """Chooses the agent's tokens, step by step."""

    def act(self, view: View) -> Decision:
        """The distribution over the next token of each chat in view."""


@runtime_checkable
class Listener(Protocol):
    """What a policy also is if it needs the words of a chat and not only the base's features."""

    def listen(self, chat: int, turns: Sequence[Turn]) -> None:
        """Take note of a chat, when it begins and whenever the word has changed hands in it.

        Args:
            chat: its number in the batch, as in `View.chats`.
            turns: all of it so far; the opening may leave the last one unfinished.
        """


class BasePolicy:
    """The base itself: it costs nothing."""

    def act(self, view: View) -> Decision:
        """The base's own distribution."""
        nothing = torch.zeros_like(view.budget_left)
        return Decision(view.log_base, nothing, nothing, torch.zeros_like(view.remaining), nothing)


class ScriptedPolicy:
    """Says the same tokens in every turn; each costs -log beta, the KL of a point mass from the base.

    Args:
        script: token ids of one whole turn, the speaker change included.
        at_once: also cut short the turn that the opening left unfinished; otherwise the base finishes it.
    """

    def __init__(self, script: Sequence[int], *, at_once: bool = False) -> None:
        if not script:
            raise ValueError("a script needs at least one token")
        self._script = torch.tensor(list(script))
        self._at_once = at_once

    def act(self, view: View) -> Decision:
        """A point mass on the script's next token, or the base's own distribution before the script begins."""
        script = self._script.to(view.log_base.device)
        token = script[view.turn_age % len(script)]
        own = torch.ones_like(view.in_opening) if self._at_once else ~view.in_opening
        return scripted(view, token, own)


def scripted(view: View, token: Tensor, own: Tensor) -> Decision:
    """Point masses on given tokens, each for -log beta; the base where no token is given.

    Args:
        view: n chats.
        token: [n] int64.
        own: [n] bool, whether the token of that chat counts.
    """
    at = token[:, None]
    point = torch.full_like(view.log_base, -torch.inf).scatter_(1, at, 0.0)
    price = -view.log_base.gather(1, at).squeeze(1).double()
    log_probs = torch.where(own[:, None], point, view.log_base)
    kl = torch.where(own, price, torch.zeros_like(price))
    return Decision(log_probs, kl, own.double(), torch.zeros_like(view.remaining), kl)
