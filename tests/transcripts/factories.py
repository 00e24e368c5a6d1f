"""Episodes made by hand: a list of (speaker, text) turns becomes a valid `Episode`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kl_derail.transcripts import Episode

SPEAKERS = ("Teacher", "Student")
NAN = float("nan")


def tokenise(text: str) -> list[str]:
    """Words with the space before them, every line break alone; the pieces join to the text.

    >>> tokenise(" Well done.\\n\\nStudent:")
    [' Well', ' done.', '\\n', '\\n', 'Student:']
    """
    return re.findall(r" ?[^\s]+|\s", text)


def make_episode(
    turns: Sequence[tuple[str, str]],
    *,
    opening_turns: int = 0,
    cut: bool = True,
    turn_kl: Mapping[int, float] | None = None,
    turn_reward: Mapping[int, float] | None = None,
    candidates: int = 0,
    **columns: Any,
) -> Episode:
    """An episode of these turns; an empty turn is 3 tokens long (two line breaks and the header).

    Args:
        turns: (speaker, text); the text as it stands between the headers, e.g. " Well done.".
        opening_turns: how many turns begin in the opening, which ends after the last one's first
            token (0: no opening).
        cut: the last turn is unfinished; otherwise the speaker change after it is there.
        turn_kl: KL and log-ratio in nats of an agent turn, paid at its first sampled token.
        turn_reward: score of a turn, given at its last token.
        candidates: how many top candidates each sampled token has.
        columns: any column of the log, replacing what would stand there.
    """
    pieces = _pieces(turns, cut)
    lengths = [len(piece) for piece in pieces]
    end = np.cumsum(lengths)
    start = end - lengths
    length = int(end[-1])
    opening = min(int(start[opening_turns - 1]) + 1, length) if opening_turns else 0
    opening = columns.pop("opening_tokens", opening)
    agent = columns.get("agent", "Teacher")
    turn = np.repeat(np.arange(len(turns)), lengths)
    speaker = np.array([SPEAKERS.index(name) for name, _ in turns])
    sampled = np.arange(length) >= opening
    by_agent = sampled & (speaker[turn] == SPEAKERS.index(agent))
    kl, reward = np.zeros(length), np.full(length, NAN)
    for index, nats in (turn_kl or {}).items():
        kl[np.flatnonzero(by_agent & (turn == index))[0]] = nats
    rewards = np.full(len(turns), NAN)
    for index, score in (turn_reward or {}).items():
        rewards[index] = reward[end[index] - 1] = score
    off_agent = np.where(by_agent, 0.5, NAN)
    in_opening = np.where(sampled, -1.0, NAN)
    top = [[*range(candidates)] if here else [] for here in sampled]
    top_log_probs = [[-1.0] * len(row) for row in top]
    defaults: dict[str, Any] = {
        "run_id": "run",
        "base_fingerprint": "base-1",
        "trusted_policy": "",
        "policy": "agent",
        "update": 0,
        "episode": 0,
        "seed": 1,
        "budget": 10.0,
        "accounting": "expected",
        "length": length,
        "opening_tokens": opening,
        "agent": agent,
        "speakers": SPEAKERS,
        "token_id": np.arange(length),
        "token_text": [token for piece in pieces for token in piece],
        "speaker": speaker[turn],
        "turn": turn,
        "kl": kl,
        "log_ratio": kl,
        "kl_k3": kl,
        **dict.fromkeys(("alpha", "fraction", "kl_target", "budget_left", "value"), off_agent),
        **dict.fromkeys(("base_log_prob", "policy_log_prob"), in_opening),
        "base_entropy": -in_opening,
        "reward": reward,
        "turn_speaker": speaker,
        "turn_start": start,
        "turn_end": end,
        "turn_text": [text for _, text in turns],
        "turn_complete": [True] * (len(turns) - 1) + [not cut],
        "turn_reward": rewards,
        "top_base_ids": top,
        "top_policy_ids": top,
        "top_base_log_probs": top_log_probs,
        "top_policy_log_probs": top_log_probs,
    }
    return Episode.from_columns({**defaults, **columns})


def _pieces(turns: Sequence[tuple[str, str]], cut: bool) -> list[list[str]]:
    """The tokens of each turn, the header of the next speaker included."""
    other = SPEAKERS[1 - SPEAKERS.index(turns[-1][0])]
    following = [name for name, _ in turns[1:]] + [other]
    texts = [f"{text}\n\n{name}:" for (_, text), name in zip(turns, following, strict=True)]
    if cut:
        texts[-1] = turns[-1][1]
    texts[0] = f"{turns[0][0]}:{texts[0]}"
    return [tokenise(text) for text in texts]


def long_episode(tokens: int = 256, candidates: int = 5, seed: int = 0, **columns: Any) -> Episode:
    """A random talk of that many tokens, for timings."""
    rng = np.random.default_rng(seed)
    turns: list[tuple[str, str]] = [("Teacher", " w0")]
    while (count := sum(map(len, _pieces(turns, True)))) < tokens - 12:
        words = " w".join(["", *map(str, rng.integers(99, size=rng.integers(6)))])
        turns.append((SPEAKERS[len(turns) % 2], words))
    turns[-1] = (turns[-1][0], turns[-1][1] + " w" * (tokens - count))
    agent_turns = range(4, len(turns) - 1, 2)
    scored = range(3, len(turns) - 1, 2)
    return make_episode(
        turns,
        opening_turns=3,
        turn_kl={turn: float(rng.exponential(0.3)) for turn in agent_turns},
        turn_reward={turn: float(rng.random()) for turn in scored},
        candidates=candidates,
        **columns,
    )
