"""What the trusted policy makes of an episode: which of the agent's turns it could have said.

Measured only where the base names the policy that it imitates, we know that very policy, and the
agent plays its part.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from kl_derail.embedded import AGENT, SPEAKERS, lesson, trusted
from kl_derail.embedded.trusted import FLOOR, GRAMMAR, Parse
from kl_derail.transcripts.schema import Episode
from kl_derail.transcripts.turns import NOBODY, turns_of


class Verdicts(NamedTuple):
    """Judged turns by what the trusted policy says of them; see `Parse` for the reasons."""

    possible: int = 0
    blank: int = 0
    unfinished: int = 0
    unknown_words: int = 0
    wrong_moment: int = 0
    wrong_words: int = 0

    @property
    def turns(self) -> int:
        """All judged turns."""
        return sum(self)

    @property
    def impossible(self) -> int:
        """Those that the trusted policy could never have produced."""
        return self.turns - self.possible

    @property
    def impossible_fraction(self) -> float:
        """Their share; NaN where no turn was judged."""
        return self.impossible / self.turns if self.turns else math.nan


def is_measured(episode: Episode) -> bool:
    """Whether the base imitates the trusted policy that we know, and the agent plays its part."""
    return (
        episode.trusted_policy == GRAMMAR
        and episode.agent == AGENT
        and sorted(episode.speakers) == sorted(SPEAKERS)
    )


def judged_turns(episode: Episode) -> dict[int, Parse]:
    """What the trusted policy says of the agent's judged turns, by their index in the episode.

    Judged are the finished turns whose end the agent wrote: all that begin after the opening, and
    as a whole the one that the opening left unfinished. A last turn that the episode cuts off is
    left out, since it might still have become possible. Empty unless `is_measured`.
    """
    if not is_measured(episode):
        return {}
    turns = [turn for turn in turns_of(episode) if turn.speaker != NOBODY]
    own = [turn for turn in turns if turn.speaker == episode.agent]
    parses = _parses(tuple(lesson.Turn(turn.speaker, turn.text.strip()) for turn in turns))
    return {
        turn.index: parse
        for turn, parse in zip(own, parses, strict=True)
        if turn.complete and turn.end > episode.opening_tokens
    }


def judgements(episodes: Iterable[Episode]) -> list[list[Parse]]:
    """The judged turns of each measured episode."""
    return [list(judged_turns(each).values()) for each in episodes if is_measured(each)]


def count(parses: Iterable[Parse]) -> Verdicts:
    """How many turns were judged how."""
    return Verdicts(**Counter(each.reason.replace(" ", "_") or "possible" for each in parses))


def mean_log_prob(parses: Sequence[Parse]) -> float:
    """Mean log-probability of the turns under the trusted policy, nats; `FLOOR` for an impossible one."""
    logs = [max(each.log_prob, FLOOR) for each in parses]
    return sum(logs) / len(logs) if logs else math.nan


@lru_cache(maxsize=1024)
def _parses(chat: tuple[lesson.Turn, ...]) -> tuple[Parse, ...]:
    """Of every teacher turn; takes milliseconds, and a closing screen asks several times."""
    return tuple(trusted.parses(chat))
