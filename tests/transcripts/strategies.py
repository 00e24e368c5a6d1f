"""Random but valid episodes for hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kl_derail.transcripts import Episode, Ragged
from tests.transcripts.factories import SPEAKERS, make_episode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def episodes(draw: st.DrawFn, *, base_fingerprint: str = "base-1") -> Episode:
    """Any turns, any opening, any numbers that the columns allow, ragged candidates."""
    speakers = st.sampled_from(SPEAKERS)
    turns = draw(st.lists(st.tuples(speakers, texts), min_size=1, max_size=6))
    opening_turns = draw(st.integers(0, len(turns)))
    base = make_episode(turns, opening_turns=opening_turns, cut=draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Episode.from_columns(
        base.columns()
        | _random_numbers(base, rng)
        | {
            "base_fingerprint": base_fingerprint,
            "policy": draw(st.sampled_from(["agent", "base", "scripted:silent"])),
            "update": draw(st.integers(-1, 2**31 - 1)),
            "seed": draw(st.integers(-(2**63), 2**63 - 1)),
            "budget": draw(st.floats(0, 1e6)),
        }
    )


def _random_numbers(episode: Episode, rng: np.random.Generator) -> dict[str, Any]:
    agent, tokens = episode.agent_tokens, episode.length
    sampled = np.arange(tokens) >= episode.opening_tokens
    columns: dict[str, Any] = {"token_id": rng.integers(2**31, size=tokens)}
    for name in ("kl", "log_ratio", "kl_k3"):
        columns[name] = np.where(agent, rng.exponential(size=tokens), 0.0)
    for name in ("alpha", "fraction", "kl_target", "budget_left", "value"):
        columns[name] = np.where(agent, rng.normal(size=tokens), np.nan)
    for name in ("base_log_prob", "policy_log_prob", "base_entropy"):
        columns[name] = np.where(sampled, -rng.exponential(size=tokens), np.nan)
    for source in ("top_base", "top_policy"):
        at = sampled & (rng.random(tokens) < 0.5)
        shape = (int(at.sum()), int(rng.integers(4)))
        columns[f"{source}_ids"] = Ragged.scatter(rng.integers(99, size=shape), at)
        columns[f"{source}_log_probs"] = Ragged.scatter(-rng.exponential(size=shape), at)
    return columns
