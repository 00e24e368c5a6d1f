"""What must hold inside an episode; each check names the column and the place that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from kl_derail.transcripts.columns import SCHEMA_VERSION, names_of

if TYPE_CHECKING:
    from kl_derail.transcripts.schema import Episode

ACCOUNTINGS = ("expected", "realised")
"""How a budget may be charged."""

_ZERO_OFF_AGENT = ("kl", "log_ratio", "kl_k3")
_NAN_OFF_AGENT = ("alpha", "fraction", "kl_target", "budget_left", "value")
_NAN_IN_OPENING = ("base_log_prob", "policy_log_prob", "base_entropy", "reward")
_PROBABILITY_SLACK = 1e-3  # a float32 log_softmax may round above 0


def check_episode(episode: Episode) -> None:
    """Raise ValueError naming episode, column and place unless everything holds."""
    _check_identity(episode)
    _check_lengths(episode)
    _check_spans(episode)
    _check_agent_columns(episode)
    _check_sampled_columns(episode)
    for source in ("top_base", "top_policy"):
        _check_candidates(episode, source)


def _fail(episode: Episode, column: str, what: str) -> NoReturn:
    raise ValueError(f"{episode.label}: {column}: {what}")


def _fail_where(
    episode: Episode, column: str, bad: npt.NDArray[np.bool_], what: str, unit: str = "token"
) -> None:
    if bad.any():
        place = int(bad.argmax())
        found = getattr(episode, column)[place]
        _fail(episode, column, f"{what}, found {found!s} at {unit} {place}")


def _check_identity(episode: Episode) -> None:
    if episode.schema_version != SCHEMA_VERSION:
        _fail(episode, "schema_version", f"{episode.schema_version}, needs {SCHEMA_VERSION}")
    name = episode.policy
    if name not in ("agent", "base") and not (name.startswith("scripted:") and name[9:]):
        _fail(episode, "policy", f"{name!r}, needs agent, base or scripted:NAME")
    if episode.accounting not in ACCOUNTINGS:
        _fail(episode, "accounting", f"{episode.accounting!r}, needs one of {ACCOUNTINGS}")
    if not episode.budget >= 0:
        _fail(episode, "budget", f"{episode.budget}, needs a number of nats >= 0 (inf: no limit)")
    if episode.update < -1 or episode.episode < 0:
        _fail(episode, "update, episode", "need update >= -1 and episode >= 0")
    if len(set(episode.speakers)) != len(episode.speakers) or not 0 < len(episode.speakers) < 128:
        _fail(episode, "speakers", f"{episode.speakers}, needs 1 to 127 different names")
    if episode.agent not in episode.speakers:
        _fail(episode, "agent", f"{episode.agent!r}, needs one of {episode.speakers}")


def _check_lengths(episode: Episode) -> None:
    for name in (*names_of("token"), *names_of("candidates")):
        if (found := len(getattr(episode, name))) != episode.length:
            _fail(episode, name, f"{found} values for {episode.length} tokens (length)")
    turns = len(episode.turn_speaker)
    for name in names_of("turn"):
        if (found := len(getattr(episode, name))) != turns:
            _fail(episode, name, f"{found} values for {turns} turns (turn_speaker)")
    if not 0 <= episode.opening_tokens <= episode.length:
        _fail(episode, "opening_tokens", f"{episode.opening_tokens} of {episode.length} tokens")


def _check_spans(episode: Episode) -> None:
    """The turns follow each other without gap and cover all tokens."""
    start, end, turns = episode.turn_start, episode.turn_end, len(episode.turn_start)
    before = np.concatenate([[0], end])
    _fail_where(episode, "turn_start", start != before[:-1], "needs the end before it", "turn")
    _fail_where(episode, "turn_end", end < start, "needs an end after the start", "turn")
    if before[-1] != episode.length:
        _fail(episode, "turn_end", f"turns cover {before[-1]} of {episode.length} tokens")
    lowest = np.where(np.arange(turns) == 0, -1, 0)
    unknown = (episode.turn_speaker < lowest) | (episode.turn_speaker >= len(episode.speakers))
    needs = "needs an index in speakers (the first turn: or -1)"
    _fail_where(episode, "turn_speaker", unknown, needs, "turn")
    cut = ~episode.turn_complete[:-1]
    _fail_where(episode, "turn_complete", cut, "only the last turn may be cut", "turn")
    turn = np.repeat(np.arange(turns), end - start)
    _fail_where(episode, "turn", episode.turn != turn, "disagrees with the turns' spans")
    speaker = episode.turn_speaker[turn]
    _fail_where(episode, "speaker", episode.speaker != speaker, "disagrees with turn_speaker")


def _check_agent_columns(episode: Episode) -> None:
    others = ~episode.agent_tokens
    for name in _ZERO_OFF_AGENT:
        values = getattr(episode, name)
        _fail_where(episode, name, ~np.isfinite(values), "needs finite nats")
        _fail_where(episode, name, others & (values != 0), "must be 0 off the agent's tokens")
    _fail_where(episode, "kl", episode.kl < 0, "an exact KL is never negative")
    for name in _NAN_OFF_AGENT:
        known = ~np.isnan(getattr(episode, name))
        _fail_where(episode, name, others & known, "must be NaN off the agent's tokens")


def _check_sampled_columns(episode: Episode) -> None:
    opening = np.arange(episode.length) < episode.opening_tokens
    for name in _NAN_IN_OPENING:
        missing = np.isnan(getattr(episode, name))
        _fail_where(episode, name, opening & ~missing, "must be NaN in the opening")
        if name != "reward":
            _fail_where(episode, name, ~opening & missing, "needs a number after the opening")
    for name in ("base_log_prob", "policy_log_prob"):
        above = getattr(episode, name) > _PROBABILITY_SLACK
        _fail_where(episode, name, above, "a log-probability is at most 0")
    for name, unit in (("reward", "token"), ("turn_reward", "turn")):
        _fail_where(episode, name, np.isinf(getattr(episode, name)), "needs finite or NaN", unit)


def _check_candidates(episode: Episode, source: str) -> None:
    ids: Any = getattr(episode, f"{source}_ids")
    log_probs: Any = getattr(episode, f"{source}_log_probs")
    if not np.array_equal(ids.offsets, log_probs.offsets):
        _fail(episode, f"{source}_log_probs", f"needs as many candidates a token as {source}_ids")
    if not np.all(log_probs.values <= _PROBABILITY_SLACK):
        _fail(episode, f"{source}_log_probs", "a log-probability is a number of at most 0")
