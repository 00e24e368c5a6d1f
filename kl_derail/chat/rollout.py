"""Chats in lockstep: one base step serves every chat, whoever has the word in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from kl_derail.base import BaseModel, BaseStep, LockstepDecoder, TokenPieces
from kl_derail.budget import Accounting, BudgetLedger, entropy
from kl_derail.chat.policy import Decision, Listener, Policy, View
from kl_derail.chat.sampling import sample_tokens, uniforms
from kl_derail.chat.scene import Scene
from kl_derail.chat.turns import Turn, TurnTracker
from kl_derail.errors import UserError

T = TypeVar("T")


class Draw(NamedTuple):
    """What makes a batch of chats: how many, their random streams, what each may spend.

    Attributes:
        seed: of the run.
        update: second part of the key of the random streams; -1 and below for evaluations.
        chats: numbers of the chats, third part of the key.
        budget: total KL in nats that each chat may spend.
        accounting: what the budget is charged with.
    """

    seed: int
    update: int
    chats: range
    budget: float
    accounting: Accounting = "expected"


class Steps(NamedTuple):
    """What happened after the opening, every tensor [steps, B].

    Agent-only columns are 0 (kl, log_ratio) or NaN (the others) where somebody else had the word.

    Attributes:
        token: int64.
        agent: bool, whether the agent chose the token.
        kl: float64 nats, exact, of the step's distribution.
        log_ratio: float64 nats, realised, of the token.
        alpha: float64.
        fraction: float32.
        kl_target: float64 nats.
        budget_left: float64 nats, before the token.
        base_log_prob: float32, of the token at temperature 1.
        policy_log_prob: float32, of the token under the distribution that it was drawn from.
        base_entropy: float32 nats.
    """

    token: Tensor
    agent: Tensor
    kl: Tensor
    log_ratio: Tensor
    alpha: Tensor
    fraction: Tensor
    kl_target: Tensor
    budget_left: Tensor
    base_log_prob: Tensor
    policy_log_prob: Tensor
    base_entropy: Tensor


class Candidates(NamedTuple):
    """The k likeliest tokens of base and drawing distribution: ids int64 and log-probabilities, [steps, B, k]."""

    base_ids: Tensor
    base_log_probs: Tensor
    policy_ids: Tensor
    policy_log_probs: Tensor


class Samples(NamedTuple):
    """The agent's N decisions, in the order of time: all that an update needs, so that it never runs the base.

    Attributes:
        view: what the agent saw, concatenated over the steps.
        step: [N] int64, index into the steps.
        token: [N] int64.
        log_prob: [N] float32, of the token when it was drawn.
        alpha: [N] float64.
    """

    view: View
    step: Tensor
    token: Tensor
    log_prob: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class Rollout:
    """A batch of finished chats.

    Attributes:
        draw: what made it.
        opening: token ids that every chat begins with.
        steps: all that happened after the opening.
        turns: for each chat its turns, the opening's included.
        samples: the agent's decisions; None unless asked for.
        candidates: the likeliest tokens; None unless asked for.
    """

    draw: Draw
    opening: tuple[int, ...]
    steps: Steps
    turns: list[list[Turn]]
    samples: Samples | None = None
    candidates: Candidates | None = None


@dataclass(frozen=True)
class Stage:
    """Base model and scene, made ready to chat.

    Args:
        base: the frozen model.
        scene: speakers, opening, length.
        feature_layers: how many of the last hidden layers the agent sees.
    """

    base: BaseModel
    scene: Scene
    feature_layers: int = 3
    opening: tuple[int, ...] = field(init=False)
    pieces: TokenPieces = field(init=False)

    def __post_init__(self) -> None:
        ids = tuple(self.base.tokenizer.encode(self.scene.opening))
        if len(ids) >= self.scene.length:
            raise UserError(
                f"length: found {self.scene.length}, allowed > {len(ids)}, the opening's tokens"
            )
        if self.base.context is not None and self.scene.length > self.base.context:
            raise UserError(
                f"length: found {self.scene.length}, allowed <= {self.base.context}, the base's context"
            )
        self.decoder()  # refuses more layers than there are
        object.__setattr__(self, "opening", ids)
        object.__setattr__(self, "pieces", TokenPieces(self.base.tokenizer, self.base.vocabulary))
        if (back := "".join(self.opening_pieces())) != self.scene.opening:
            raise UserError(
                f"opening: the base's tokenizer gives it back as {back!r}; write it so, lest headers be missed"
            )

    def decoder(self) -> LockstepDecoder:
        """A decoder with room for an episode."""
        return LockstepDecoder(
            self.base.model, feature_layers=self.feature_layers, capacity=self.scene.length
        )

    @property
    def n_features(self) -> int:
        """F, the width of the base's features."""
        return self.feature_layers * int(self.base.model.config.get_text_config().hidden_size)

    def opening_pieces(self) -> list[str]:
        """The text of each of the opening's tokens, joined the opening itself.

        A token that only marks the beginning has none, nor has the space that some vocabularies put before a text.
        """
        marks = self.base.tokenizer.all_special_ids
        pieces = [
            "" if token in marks else piece
            for token, piece in zip(self.opening, self.pieces.split(self.opening), strict=True)
        ]
        if "".join(pieces) == f" {self.scene.opening}":
            first = next(number for number, piece in enumerate(pieces) if piece)
            pieces[first] = pieces[first].removeprefix(" ")
        return pieces

    def tokens_of(self, text: str) -> list[int]:
        """Tokens of a text that goes on from other text: without the space that some vocabularies put before a text."""
        for before in ("a", "1"):  # one of them does not merge with the text
            start = self._encode(before)
            whole = self._encode(before + text)
            if whole[: len(start)] == start:
                return whole[len(start) :]
        return self._encode(text)

    def _encode(self, text: str) -> list[int]:
        return list(self.base.tokenizer.encode(text, add_special_tokens=False))


@torch.no_grad()
def rollout(
    stage: Stage, policy: Policy, draw: Draw, *, keep_samples: bool = False, top_k: int = 0
) -> Rollout:
    """Play a batch of episodes of the scene's length.

    Args:
        stage: base and scene.
        policy: chooses the agent's tokens; everyone else is the base at the student's temperature.
        draw: number of chats, seed and budget.
        keep_samples: keep what an update needs ([N, V] and [N, F] tensors).
        top_k: likeliest tokens of base and policy to keep at every step.
    """
    return _Game(stage, policy, draw, keep_samples, top_k).play()


class _Game:
    """The state of a batch of chats while it is played."""

    def __init__(
        self, stage: Stage, policy: Policy, draw: Draw, keep_samples: bool, top_k: int
    ) -> None:
        self.stage, self.policy, self.draw = stage, policy, draw
        self.keep_samples, self.top_k = keep_samples, top_k
        self.device = stage.base.model.device
        chats, scene = len(draw.chats), stage.scene
        self.n_steps = scene.length - len(stage.opening)
        if top_k > stage.base.vocabulary:
            raise UserError(
                f"top_k: found {top_k}, allowed <= {stage.base.vocabulary}, the base's vocabulary"
            )
        self.ledger = BudgetLedger(
            torch.full((chats,), draw.budget, dtype=torch.float64, device=self.device),
            draw.accounting,
        )
        self.tracker = TurnTracker(scene, stage.pieces, [stage.opening_pieces()] * chats)
        self.forced: list[list[int]] = [[] for _ in range(chats)]
        self.rows: list[Steps] = []
        self.samples: list[Samples] = []
        self.candidates: list[Candidates] = []
        self._note_speakers()
        self._tell(range(chats), len(stage.opening))

    def play(self) -> Rollout:
        stage, draw = self.stage, self.draw
        chance = uniforms(draw.seed, draw.update, draw.chats, self.n_steps)
        uniform = torch.from_numpy(chance).to(self.device)
        decoder = stage.decoder()
        step = decoder.start([stage.opening] * len(draw.chats))
        for number in range(self.n_steps):
            token = self._step(number, step, uniform[number])
            if number + 1 < self.n_steps:
                step = decoder.advance(token)
        return Rollout(
            draw,
            stage.opening,
            _stack(Steps, self.rows),
            [self.tracker.turns(chat, stage.scene.length) for chat in range(len(draw.chats))],
            _concatenate(self.samples) if self.keep_samples else None,
            _stack(Candidates, self.candidates) if self.top_k else None,
        )

    def _step(self, number: int, step: BaseStep, uniform: Tensor) -> Tensor:
        """Choose, charge, record; returns the tokens [B]."""
        log_probs = torch.log_softmax(step.log_probs / self.stage.scene.student_temperature, dim=-1)
        view = self._view(number, step)
        decision = self.policy.act(view) if len(view.chats) else None
        if decision is not None:
            log_probs.index_copy_(0, view.chats, decision.log_probs.to(log_probs.dtype))
        token = self._cut_off(number, log_probs, sample_tokens(log_probs, uniform))
        row = self._row(step, log_probs, token)
        if decision is not None:
            self._charge(number, view, decision, row)
        if self.top_k:
            self.candidates.append(self._top(step, log_probs))
        self.rows.append(row)
        position = len(self.stage.opening) + number
        if changed := self.tracker.advance(token.tolist(), position):
            self._note_speakers()
            self._tell(changed, position + 1)
        return token

    def _tell(self, chats: Iterable[int], end: int) -> None:
        """Tell a policy that listens what was said in these chats, `end` tokens long by now."""
        if isinstance(self.policy, Listener):
            for chat in chats:
                self.policy.listen(chat, self.tracker.turns(chat, end))

    def _note_speakers(self) -> None:
        speakers = torch.tensor(self.tracker.speakers)
        self.agent = (speakers == self.stage.scene.agent_index).to(self.device)
        self.agent_chats = self.agent.nonzero().squeeze(1)
        self.turn_start = torch.tensor(self.tracker.turn_starts(), device=self.device)

    def _view(self, number: int, step: BaseStep) -> View:
        chats = self.agent_chats
        position = len(self.stage.opening) + number
        remaining = 1 - position / self.stage.scene.length
        start = self.turn_start[chats]
        return View(
            chats=chats,
            log_base=step.log_probs[chats],
            features=step.features[chats],
            remaining=torch.full((len(chats),), remaining, device=self.device),
            turn_age=position - start.clamp_min(len(self.stage.opening)),
            in_opening=start < len(self.stage.opening),
            budget_left=self.ledger.left[chats],
        )

    def _cut_off(self, number: int, log_probs: Tensor, token: Tensor) -> Tensor:
        """Put forced tokens, those of a header after an endless reply, in the place of drawn ones."""
        limit = self.stage.scene.max_reply_tokens
        if limit is None:
            return token
        position = len(self.stage.opening) + number
        endless = (~self.agent & (position - self.turn_start >= limit)).nonzero().squeeze(1)
        for chat in endless.tolist():
            header = self.forced[chat] or self.stage.tokens_of(f"\n\n{self.stage.scene.agent}:")
            token[chat], self.forced[chat] = header[0], header[1:]
            log_probs[chat] = -torch.inf
            log_probs[chat, header[0]] = 0.0
        return token

    def _row(self, step: BaseStep, log_probs: Tensor, token: Tensor) -> Steps:
        nothing = torch.zeros_like(self.ledger.left)
        unknown = torch.full_like(nothing, torch.nan)
        at = token[:, None]
        return Steps(
            token=token,
            agent=self.agent,
            kl=nothing,
            log_ratio=nothing.clone(),
            alpha=unknown,
            fraction=unknown.float(),
            kl_target=unknown.clone(),
            budget_left=self.ledger.left.clone(),
            base_log_prob=step.log_probs.gather(1, at).squeeze(1),
            policy_log_prob=log_probs.gather(1, at).squeeze(1),
            base_entropy=entropy(step.log_probs),
        )

    def _charge(self, number: int, view: View, decision: Decision, row: Steps) -> None:
        chats = view.chats
        ratio = row.policy_log_prob[chats].double() - row.base_log_prob[chats].double()
        row.kl[chats] = decision.kl
        row.log_ratio[chats] = ratio
        row.alpha[chats] = decision.alpha
        row.fraction[chats] = decision.fraction
        row.kl_target[chats] = decision.kl_target
        self.ledger.charge(chats, decision.kl, ratio)
        if self.keep_samples:
            step = torch.full_like(chats, number)
            self.samples.append(
                Samples(view, step, row.token[chats], row.policy_log_prob[chats], decision.alpha)
            )

    def _top(self, step: BaseStep, log_probs: Tensor) -> Candidates:
        base, drawn = step.log_probs.topk(self.top_k), log_probs.topk(self.top_k)
        return Candidates(base.indices, base.values, drawn.indices, drawn.values)


def _stack(kind: Callable[..., T], rows: Sequence[tuple[Tensor, ...]]) -> T:
    return kind(*(torch.stack(column).cpu() for column in zip(*rows, strict=True)))


def _concatenate(samples: list[Samples]) -> Samples:
    """All decisions of a rollout, in the order of time."""
    if not samples:
        raise UserError(
            "opening, length: the agent never had the word; end the opening in its turn, or play longer"
        )
    view = View(
        *(torch.cat(column) for column in zip(*(sample.view for sample in samples), strict=True))
    )
    rest = zip(*(sample[1:] for sample in samples), strict=True)
    return Samples(view, *(torch.cat(column) for column in rest))
