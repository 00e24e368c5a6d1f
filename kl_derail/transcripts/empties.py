"""The agent's empty turns one by one: what they cost, and which share of its turns they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from kl_derail.plumbing.bootstrap import RESAMPLES, Bands, quantile_bands
from kl_derail.transcripts.schema import Episode
from kl_derail.transcripts.turns import SHORT_TURN_TOKENS

QUARTILES = (0.25, 0.5, 0.75)

Kind = Literal["empty", "short"]
"""Which turns are looked at.

`empty`: blank text, finished. `short`: at most `SHORT_TURN_TOKENS` tokens, speaker change included,
as the published analysis counts; an unfinished last turn is one too if it spent KL.
"""


class QuietTurns(NamedTuple):
    """The quiet turns of the agent in one episode, in order; turns begun in the opening left out.

    Attributes:
        kl: [quiet] float64, exact KL of each, nats, speaker change included.
        turns: all turns that could have been quiet.
    """

    kl: npt.NDArray[np.float64]
    turns: int

    @property
    def fraction(self) -> float:
        """Share of the turns that are quiet; NaN where there is no turn."""
        return len(self.kl) / self.turns if self.turns else np.nan

    @property
    def cumulative_kl(self) -> npt.NDArray[np.float64]:
        """[quiet] KL of the first, of the first two, ... quiet turns together, nats."""
        return np.cumsum(self.kl)


def quiet_turns(episode: Episode, kind: Kind = "empty") -> QuietTurns:
    """The agent's quiet turns of an episode; ValueError for an unknown kind.

    `empty` counts finished turns only, above and below the line of `fraction`. `short` follows the
    published counting: a last turn that the end of the episode cut enters, above and below, if it is
    short and cost KL; cut while longer, or for nothing, it enters neither. So a cut turn can raise
    the fraction and never lower it, and one that would have grown long counts as short: a bias
    upwards by at most one turn an episode, the larger the fewer its turns.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r}: needs one of {get_args(Kind)}")
    own = episode.turn_speaker == episode.agent_index
    own &= episode.turn_start >= episode.opening_tokens
    kl = _turn_kl(episode)
    if kind == "empty":
        counted = own & episode.turn_complete
        quiet = counted & np.array([not text.strip() for text in episode.turn_text], bool)
    else:
        short = episode.turn_end - episode.turn_start <= SHORT_TURN_TOKENS
        counted = own & (episode.turn_complete | (short & (kl > 0)))
        quiet = counted & short
    return QuietTurns(kl[quiet], int(np.count_nonzero(counted)))


def nth_quiet_turn_kl(
    turns: Iterable[QuietTurns],
    quantiles: Sequence[float] = QUARTILES,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bands:
    """Quantiles of the KL of the n-th quiet turn, over the episodes that have one.

    Args:
        turns: the quiet turns of each episode.
        quantiles: [Q], each in [0, 1].
        resamples: bootstrap resamples of the episodes.
        seed: of the resampling.

    Returns:
        Bands [Q, N] in nats, column n - 1 being the n-th quiet turn.
    """
    return quantile_bands(
        _ragged_rows([each.kl for each in turns]), quantiles, resamples=resamples, seed=seed
    )


def _turn_kl(episode: Episode) -> npt.NDArray[np.float64]:
    """[turns] exact KL of every turn, nats."""
    before = np.concatenate([[0.0], np.cumsum(episode.kl)])
    kl: npt.NDArray[np.float64] = before[episode.turn_end] - before[episode.turn_start]
    return kl


def _ragged_rows(rows: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """[E, N] the rows one below the other, filled up with NaN."""
    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table
