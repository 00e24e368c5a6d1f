"""The one typed log of every chat. Trainers write it; every viewer only reads it.

`FEATURES` is imported on first use, since `datasets` takes seconds to import.
"""

from typing import TYPE_CHECKING, Any

from kl_derail.transcripts.columns import COLUMNS, SCHEMA_VERSION
from kl_derail.transcripts.empties import QuietTurns, nth_quiet_turn_kl, quiet_turns
from kl_derail.transcripts.judged import Verdicts, is_measured, judged_turns
from kl_derail.transcripts.metrics import (
    Nats,
    distinct_replies,
    empty_turn_fraction,
    is_silent,
    kl_by_quarter,
    overspend,
    reward_per_reply,
    short_turn_fraction,
    silence_start,
    spent,
    total_reward,
)
from kl_derail.transcripts.ngrams import (
    NGrams,
    distinct_at_least,
    iter_ngrams,
    kl_by_appearance,
)
from kl_derail.transcripts.ragged import Ragged
from kl_derail.transcripts.schema import EVALUATION, Episode, episodes_equal
from kl_derail.transcripts.store import (
    FileInfo,
    check_same_base,
    find_files,
    iter_episodes,
    named_path,
    read_episodes,
    read_info,
    update_path,
    write_episodes,
)
from kl_derail.transcripts.summary import Summary, summarise
from kl_derail.transcripts.training import curves, read_metrics, tokens_above
from kl_derail.transcripts.turns import (
    Turn,
    agent_turns,
    is_counted,
    is_empty,
    is_short,
    replies,
    reply_texts,
    turns_of,
)

if TYPE_CHECKING:
    from kl_derail.transcripts.features import FEATURES


def __getattr__(name: str) -> Any:
    """The name that is slow to import, on first use."""
    if name != "FEATURES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kl_derail.transcripts.features import FEATURES

    return FEATURES


__all__ = [
    "COLUMNS",
    "EVALUATION",
    "FEATURES",
    "SCHEMA_VERSION",
    "Episode",
    "FileInfo",
    "NGrams",
    "Nats",
    "QuietTurns",
    "Ragged",
    "Summary",
    "Turn",
    "Verdicts",
    "agent_turns",
    "check_same_base",
    "curves",
    "distinct_at_least",
    "distinct_replies",
    "empty_turn_fraction",
    "episodes_equal",
    "find_files",
    "is_counted",
    "is_empty",
    "is_measured",
    "is_short",
    "is_silent",
    "iter_episodes",
    "iter_ngrams",
    "judged_turns",
    "kl_by_appearance",
    "kl_by_quarter",
    "named_path",
    "nth_quiet_turn_kl",
    "overspend",
    "quiet_turns",
    "read_episodes",
    "read_info",
    "read_metrics",
    "replies",
    "reply_texts",
    "reward_per_reply",
    "short_turn_fraction",
    "silence_start",
    "spent",
    "summarise",
    "tokens_above",
    "total_reward",
    "turns_of",
    "update_path",
    "write_episodes",
]
