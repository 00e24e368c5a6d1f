"""The options of the command `price`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions, TalkOptions

SILENT = "silent"
"""The behaviour that predictions rest on."""


@dataclass(frozen=True)
class PriceSceneOptions(TalkOptions):
    """Who chats with whom, and for how long."""

    length: list[int] = option(
        [256, 512], "tokens of a chat, opening included; one rollout serves all", minimum=2
    )


@dataclass(frozen=True)
class PriceOptions:
    """What is priced, and how carefully."""

    behaviour: list[str] = option(
        [SILENT],
        "silent, copy, praise, repeat:TEXT, file:PATH (its lines) or python:MODULE:FUNCTION, "
        "from the turns so far to the text of the next",
    )
    spacing: list[Literal["single", "double"]] = option(
        ["single", "double"], "line breaks before the speaker change that ends a turn"
    )
    turns: int | None = option(
        None, "scripted turns after which the base takes over; none: the whole chat", minimum=1
    )
    at_once: bool = option(False, "also cut short the turn that the opening left unfinished")
    chats: int = option(64, "chats to play of each behaviour", minimum=1, short="n")
    batch: int = option(64, "chats in lockstep", minimum=1)
    seed: int = option(0, "seed of the random streams", minimum=0)
    event_chats: int = option(
        2, "chats in which turns are also priced as text, over all their spellings", minimum=0
    )
    event_turns: list[int] | None = option(
        None, "scripted turns priced as text; none: the first two", minimum=1
    )
    event_width: float = option(
        1e-3, "width of a bracket at which its search ends (nats)", minimum=0
    )
    event_nodes: int = option(4096, "token sequences after which it ends in any case", minimum=1)
    runs: list[Path] = option([], "trained runs to hold against the price of silence")
    out: Path | None = option(None, "folder for tables (CSV, JSON), figures and transcripts")
    overwrite: bool = option(False, "replace the prices that the folder holds")


class Options(NamedTuple):
    """All options of the command."""

    price: PriceOptions
    base: BaseOptions
    scene: PriceSceneOptions
    reward: RewardOptions

    @property
    def lengths(self) -> list[int]:
        """Lengths of the chats in tokens, each once, the greatest last."""
        return sorted(set(self.scene.length))

    @property
    def longest_scene(self) -> SceneOptions:
        """The scene of the greatest length."""
        return SceneOptions(**{**vars(self.scene), "length": max(self.lengths)})

    def check(self) -> None:
        """Refuse contradictions."""
        price = self.price
        lists = {"behaviour": price.behaviour, "spacing": price.spacing, "length": self.lengths}
        for name, values in lists.items():
            if not values:
                raise UserError(f"{name}: found none, allowed one or more")
        if self.reward.score_cut_off:
            raise UserError("score_cut_off: a price counts complete replies only")
        last = max(price.event_turns or [0])
        if price.turns is not None and last > price.turns:
            raise UserError(f"event_turns: found {last}, allowed <= {price.turns}, see --turns")
        unlike = SILENT not in price.behaviour or price.turns is not None or price.at_once
        if price.runs and unlike:
            raise UserError(
                f"runs: they are held against the price of --behaviour {SILENT} in the whole chat;"
                " add it, and leave out --turns and --at_once"
            )
