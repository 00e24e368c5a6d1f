"""Turns of an episode: which ones count, which are blank, what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.transcripts.schema import Episode

NOBODY = ""
"""The speaker of text before the opening's first header."""

SHORT_TURN_TOKENS = 4
"""The published analysis took a teacher turn of at most so many tokens for an empty one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, its header left out of the text and its speaker change counted in its tokens.

    Attributes:
        index: position among all turns of the episode.
        speaker: name; `NOBODY` for text before the first header.
        start: first token.
        end: one past the last token.
        text: not stripped.
        complete: False for a last turn cut by the end of the episode.
        in_opening: begun in the opening.
        reward: score of the turn as a reply, NaN where not scored.
        kl: exact KL spent on the turn, nats.
        log_ratio: realised log-ratio of the turn, nats.
    """

    index: int
    speaker: str
    start: int
    end: int
    text: str
    complete: bool
    in_opening: bool
    reward: float
    kl: float
    log_ratio: float

    @property
    def tokens(self) -> int:
        """Length in tokens, speaker change included."""
        return self.end - self.start


def turns_of(episode: Episode) -> list[Turn]:
    """Every turn in order: the opening's and an unfinished last one too."""
    names = (*episode.speakers, NOBODY)  # index -1 is the last
    spans = zip(episode.turn_start.tolist(), episode.turn_end.tolist(), strict=True)
    return [
        Turn(
            index=index,
            speaker=names[episode.turn_speaker[index]],
            start=start,
            end=end,
            text=episode.turn_text[index],
            complete=bool(episode.turn_complete[index]),
            in_opening=start < episode.opening_tokens,
            reward=float(episode.turn_reward[index]),
            kl=float(episode.kl[start:end].sum()),
            log_ratio=float(episode.log_ratio[start:end].sum()),
        )
        for index, (start, end) in enumerate(spans)
    ]


def agent_turns(episode: Episode) -> list[Turn]:
    """Every turn of the agent: the opening's and an unfinished last one too."""
    return [turn for turn in turns_of(episode) if turn.speaker == episode.agent]


def replies(episode: Episode) -> list[Turn]:
    """The finished turns of the others, begun after the opening, scored or not."""
    turns = turns_of(episode)
    others = set(episode.speakers) - {episode.agent}
    return [turn for turn in turns if turn.speaker in others and is_counted(turn)]


def is_counted(turn: Turn) -> bool:
    """Whether the turn enters fractions: finished, and not begun in the opening."""
    return turn.complete and not turn.in_opening


def is_empty(turn: Turn) -> bool:
    """Whether the text is blank."""
    return not turn.text.strip()


def is_short(turn: Turn, tokens: int = SHORT_TURN_TOKENS) -> bool:
    """Whether the turn has at most `tokens` tokens, speaker change included (as published)."""
    return turn.tokens <= tokens


def reply_texts(episode: Episode) -> list[str]:
    """Texts of the others' finished turns begun after the opening, stripped."""
    others = (episode.turn_speaker != episode.agent_index) & (episode.turn_speaker >= 0)
    index = np.flatnonzero(_counted(episode) & others)
    return [episode.turn_text[turn].strip() for turn in index.tolist()]


class CountedTurns(NamedTuple):
    """The agent's counted turns (see `is_counted`) in order, as arrays over turns.

    Attributes:
        start: [turns] int32, first token.
        tokens: [turns] int32, speaker change included.
        empty: [turns] bool, blank text.
    """

    start: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]
    empty: npt.NDArray[np.bool_]


def counted_agent_turns(episode: Episode) -> CountedTurns:
    """The agent's finished turns begun after the opening: what the metrics are made of."""
    index = np.flatnonzero(_counted(episode) & (episode.turn_speaker == episode.agent_index))
    start = episode.turn_start[index]
    empty = np.array([not episode.turn_text[turn].strip() for turn in index.tolist()], bool)
    return CountedTurns(start, episode.turn_end[index] - start, empty)


def _counted(episode: Episode) -> npt.NDArray[np.bool_]:
    """[turns] bool: `is_counted` of every turn."""
    counted: npt.NDArray[np.bool_] = episode.turn_start >= episode.opening_tokens
    return counted & episode.turn_complete
