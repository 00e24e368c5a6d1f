"""The price of a scripted behaviour: over chats, with intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kl_derail.chat import BasePolicy, Origin, Policy, Stage, play, record, score_replies
from kl_derail.errors import UserError
from kl_derail.plumbing.statistics import Interval, cluster_fraction, cluster_ratio, t_interval
from kl_derail.pricing.behaviours import Behaviour
from kl_derail.pricing.costs import ChatCost, chat_cost
from kl_derail.pricing.script import BehaviourPolicy, Spacing
from kl_derail.pricing.start import start_budget, start_cost
from kl_derail.transcripts import Episode

Scorer = Callable[[list[str]], Sequence[float]]
"""From replies to scores in [0, 1]."""

BASE = "base"
"""Name of the base's own talk."""

NO_LIMIT = float("inf")
"""The budget under which a script is played, nats."""


@dataclass(frozen=True)
class Price:
    """What a behaviour costs and earns in chats of one length under one base.

    Intervals are 95 %: Student's t over chats for means, a bootstrap over chats for ratios. Chats
    are independent given the opening; another opening or base is another price.

    Attributes:
        behaviour: its name.
        spacing: line breaks before the speaker change.
        length: tokens of a chat, opening included.
        base_fingerprint: of the base model.
        chats: one `ChatCost` a chat.
    """

    behaviour: str
    spacing: str
    length: int
    base_fingerprint: str
    chats: tuple[ChatCost, ...]

    @property
    def started(self) -> list[ChatCost]:
        """The chats in which the script finished at least one turn; costs are over these."""
        return [chat for chat in self.chats if chat.turns]

    def turn(self, number: int) -> Interval:
        """Cost of the n-th scripted turn (from 1), nats, over the chats that finish it."""
        return t_interval([chat.turns[number - 1] for chat in self._reaching(number)])

    def cumulative(self, number: int) -> Interval:
        """Cost of the first n scripted turns together, nats, over the chats that finish them."""
        return t_interval([sum(chat.turns[:number]) for chat in self._reaching(number)])

    @property
    def later(self) -> Interval:
        """Mean cost of a scripted turn after the first, nats."""
        return cluster_ratio(
            [sum(chat.later) for chat in self.started], [len(chat.later) for chat in self.started]
        )

    @property
    def episode(self) -> Interval:
        """Cost of all scripted tokens of a chat, nats."""
        return t_interval([chat.total for chat in self.started])

    @property
    def turns(self) -> Interval:
        """Finished scripted turns a chat."""
        return t_interval([len(chat.turns) for chat in self.started])

    @property
    def blank_replies(self) -> Interval:
        """Share of the replies to scripted turns that are blank."""
        return self._share([chat.blank for chat in self.chats])

    @property
    def same_replies(self) -> Interval:
        """Share of the replies to scripted turns that say the same as the turn."""
        return self._share([chat.same for chat in self.chats])

    @property
    def reward(self) -> Interval:
        """Reward a chat, that from before the script included."""
        return t_interval([chat.reward for chat in self.chats])

    @property
    def reward_per_nat(self) -> Interval:
        """Reward of all started chats over their cost."""
        return cluster_ratio(
            [chat.reward for chat in self.started], [chat.total for chat in self.started]
        )

    def reward_gain(self, base: Price) -> Interval:
        """Reward a chat above that of the base's own talk, chat by chat with the same seed.

        What came before the script is the same in both and cancels.

        Args:
            base: the base's own talk (`price_base`): as many chats, of the same length and seed.

        Raises:
            ValueError: another number of chats.
        """
        return t_interval(self._gains(base))

    def gain_per_nat(self, base: Price) -> Interval:
        """`reward_gain` of all started chats over their cost."""
        pairs = zip(self._gains(base), self.chats, strict=True)
        started = [(gain, chat.total) for gain, chat in pairs if chat.turns]
        return cluster_ratio([gain for gain, _ in started], [nats for _, nats in started])

    def affordable_at(self, share: float) -> float:
        """Smallest budget, in nats, that pays the whole script in this share of the chats."""
        totals = [chat.total for chat in self.started]
        return float(np.quantile(totals, share, method="inverted_cdf")) if totals else np.nan

    def started_with(self, probability: float) -> Interval:
        """Expected cost in nats of starting the behaviour with this probability only; see `start_cost`."""
        return t_interval(start_cost(probability, *self._start()))

    def budget_to_start(self, probability: float) -> Interval:
        """Nats that a chat needs which starts with this probability, and did; see `start_budget`."""
        return t_interval(start_budget(probability, *self._start()))

    def typical_turns(self, share: float = 0.5) -> int:
        """How many scripted turns this share of the started chats finish."""
        counts = sorted((len(chat.turns) for chat in self.started), reverse=True)
        return counts[max(0, int(np.ceil(share * len(counts))) - 1)] if counts else 0

    def _start(self) -> tuple[list[float], list[float]]:
        """Of each started chat, the base's mass of the first turn and the cost of all later ones."""
        masses = [float(np.exp(-chat.turns[0])) for chat in self.started]
        return masses, [chat.following for chat in self.started]

    def _gains(self, base: Price) -> list[float]:
        return [own.reward - its.reward for own, its in zip(self.chats, base.chats, strict=True)]

    def _reaching(self, number: int) -> list[ChatCost]:
        return [chat for chat in self.chats if len(chat.turns) >= number]

    def _share(self, parts: Sequence[int]) -> Interval:
        return cluster_fraction(parts, [chat.replies for chat in self.chats])


class CheaperStyle(NamedTuple):
    """A behaviour in each chat with the line breaks that cost less there.

    Both are minima of their own: a chat may begin cheaper in one style and be cheaper as a whole in another.

    Attributes:
        behaviour: its name.
        length: tokens of a chat.
        chats: played in each style.
        first: cost of the first turn, nats.
        episode: cost of all scripted tokens of a chat, nats.
    """

    behaviour: str
    length: int
    chats: int
    first: Interval
    episode: Interval


def cheaper_style(prices: Sequence[Price]) -> CheaperStyle:
    """The cheapest style, chat by chat, over the chats in which the script had the word.

    Args:
        prices: of one behaviour and length in several styles, played with the same seed.

    Raises:
        ValueError: several behaviours or lengths, or other numbers of chats.
    """
    if len({(price.behaviour, price.length) for price in prices}) != 1:
        raise ValueError("needs prices of one behaviour and one length")
    columns = zip(*(price.chats for price in prices), strict=True)
    started = [own for chats in columns if (own := [chat for chat in chats if chat.turns])]
    return CheaperStyle(
        prices[0].behaviour,
        prices[0].length,
        len(prices[0].chats),
        t_interval([min(chat.turns[0] for chat in own) for own in started]),
        t_interval([min(chat.total for chat in own) for own in started]),
    )


class Plays(NamedTuple):
    """Which chats are played.

    Attributes:
        chats: how many.
        batch: of them in lockstep.
        seed: of the random streams; policies played with the same seed share their luck.
    """

    chats: int = 64
    batch: int = 64
    seed: int = 0


ONCE = Plays()


class Priced(NamedTuple):
    """A behaviour's price at each length, and the chats behind it.

    Attributes:
        prices: one for each length.
        episodes: of the greatest length.
    """

    prices: tuple[Price, ...]
    episodes: list[Episode]


def price_behaviour(
    stage: Stage,
    behaviour: Behaviour,
    name: str,
    spacing: Spacing,
    lengths: Sequence[int],
    score: Scorer,
    plays: Plays = ONCE,
    *,
    at_once: bool = False,
    turns: int | None = None,
) -> Priced:
    """Play a behaviour and add up -log beta of its tokens.

    One rollout of the greatest length serves all: a script does not know how long its chat will be.

    Args:
        stage: base and scene; the scene's length gives way to the greatest of `lengths`.
        behaviour: what the agent says.
        name: of the behaviour.
        spacing: line breaks before the speaker change.
        lengths: tokens of a chat, opening included.
        score: from replies to scores in [0, 1].
        plays: the chats.
        at_once: also cut short the turn that the opening left unfinished.
        turns: scripted turns after which the base takes over; None: never.

    Raises:
        UserError: no room after the opening, or a behaviour that failed or cannot be spelled.
    """
    policy = BehaviourPolicy(stage, behaviour, spacing, at_once=at_once, turns=turns)
    episodes = _episodes(stage, policy, f"scripted:{name}", lengths, score, plays, NO_LIMIT)
    return _priced(episodes, name, spacing, lengths)


def price_base(stage: Stage, lengths: Sequence[int], score: Scorer, plays: Plays = ONCE) -> Priced:
    """The base's own talk, which costs nothing: what a behaviour's reward is held against."""
    episodes = _episodes(stage, BasePolicy(), BASE, lengths, score, plays, 0.0)
    return _priced(episodes, BASE, "", lengths)


def _episodes(
    stage: Stage,
    policy: Policy,
    label: str,
    lengths: Sequence[int],
    score: Scorer,
    plays: Plays,
    budget: float,
) -> list[Episode]:
    """Chats of the greatest length."""
    if min(lengths) <= len(stage.opening):
        raise UserError(
            f"length: found {min(lengths)}, allowed > {len(stage.opening)}, the opening's tokens"
        )
    stage = dataclasses.replace(stage, scene=dataclasses.replace(stage.scene, length=max(lengths)))
    origin = Origin(f"price-{stage.base.fingerprint[:12]}", label)
    rollouts = play(stage, policy, plays.chats, seed=plays.seed, budget=budget, chats=plays.batch)
    return [
        episode
        for played in rollouts
        for episode in record(played, stage, score_replies(played, stage.scene, score), origin)
    ]


def _priced(episodes: list[Episode], name: str, spacing: str, lengths: Sequence[int]) -> Priced:
    prices = [price_episodes(episodes, name, spacing, length) for length in lengths]
    return Priced(tuple(prices), episodes)


def price_episodes(episodes: Sequence[Episode], name: str, spacing: str, length: int) -> Price:
    """The price within the first `length` tokens of scripted episodes of one base."""
    return Price(
        behaviour=name,
        spacing=spacing,
        length=length,
        base_fingerprint=episodes[0].base_fingerprint,
        chats=tuple(chat_cost(episode, length) for episode in episodes),
    )
