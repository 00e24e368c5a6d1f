"""What the list of episodes knows of each: the figures to filter and sort by, and a strip of its KL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kl_derail.embedded.trusted import Parse
from kl_derail.inspect.colours import MOST
from kl_derail.inspect.page.packing import Columns
from kl_derail.inspect.page.records import NONE
from kl_derail.inspect.page.scales import STEPS
from kl_derail.inspect.page.texts import Texts, shown_text
from kl_derail.transcripts import Episode, silence_start, spent, total_reward
from kl_derail.transcripts.judged import count
from kl_derail.transcripts.turns import counted_agent_turns

BINS = 32
"""Parts of an episode whose dearest tokens its strip shows."""

_NUMBERS = {
    "update": np.int32,
    "episode": np.int32,
    "seed": np.int64,
    "budget": np.float64,
    "length": np.int32,
    "opening_tokens": np.int32,
}
_NAMES = ("run_id", "base_fingerprint", "trusted_policy", "policy", "accounting", "agent")
_FACTS = (
    "kl", "log_ratio", "reward", "turns", "empty", "replies", "judged", "impossible", "silent_from",
)  # fmt: skip


def overview(
    episodes: Sequence[Episode], judged: Sequence[Mapping[int, Parse]], texts: Texts
) -> Columns:
    """One value an episode in each column, but `BINS` in `strip` and any number of `speakers`.

    Args:
        episodes: of one set.
        judged: the `judged_turns` of each.
        texts: takes names; their columns hold places in it.

    Returns:
        Columns of the log; `kl` and `log_ratio` (nats) and `reward`, summed; `turns`, `empty` (the
        agent's counted turns, blank ones among them), `replies` (scored), `judged`, `impossible`;
        `silent_from` (token, or -1).
    """
    facts = [_facts(*each) for each in zip(episodes, judged, strict=True)]
    return {
        **{name: _column(episodes, name, dtype) for name, dtype in _NUMBERS.items()},
        **{
            name: texts.add_all(shown_text(getattr(each, name)) for each in episodes)
            for name in _NAMES
        },
        **{name: np.array([each[name] for each in facts], np.float64) for name in _FACTS},
        "speakers": texts.add_all(shown_text(name) for each in episodes for name in each.speakers),
        "speaker_count": np.array([len(each.speakers) for each in episodes], np.int32),
        "strip": np.array([strip(each.kl) for each in episodes], np.uint8).ravel(),
    }


def _facts(episode: Episode, judged: Mapping[int, Parse]) -> dict[str, float]:
    counted = counted_agent_turns(episode)
    nats = spent(episode)
    verdicts = count(judged.values())
    silence = silence_start(episode)
    return {
        "kl": nats.expected,
        "log_ratio": nats.realised,
        "reward": total_reward(episode),
        "turns": len(counted.empty),
        "empty": int(counted.empty.sum()),
        "replies": int((~np.isnan(episode.turn_reward)).sum()),
        "judged": verdicts.turns,
        "impossible": verdicts.impossible,
        "silent_from": NONE if silence is None else silence,
    }


def strip(kl: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """[`BINS`] uint8: the step of the colour scale of the dearest token in each part of the episode.

    >>> strip(np.array([0.0, 10.0])).tolist()[::16]
    [0, 64]
    """
    dearest = np.zeros(BINS)
    np.maximum.at(dearest, np.arange(len(kl)) * BINS // max(len(kl), 1), kl)
    return np.round(STEPS * np.sqrt(np.minimum(dearest, MOST) / MOST)).astype(np.uint8)


def _column(episodes: Sequence[Episode], name: str, dtype: Any) -> npt.NDArray[Any]:
    return np.array([getattr(each, name) for each in episodes], dtype)
