"""`Episode`: one chat as it was sampled, typed and checked. One row of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from kl_derail.transcripts.columns import COLUMNS, SCHEMA_VERSION, Column
from kl_derail.transcripts.ragged import Ragged
from kl_derail.transcripts.validation import check_episode

EVALUATION = -1
"""The `update` of episodes that no update was trained on."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Episode:
    """One chat of T tokens and its turns. Building one copies, casts and checks every column.

    KL in nats, lengths in tokens. "Agent tokens" are those the agent sampled: its own, those of the
    opening excluded. Arrays are read-only. Raises ValueError naming episode, column and place.

    Attributes:
        schema_version: always `SCHEMA_VERSION`.
        run_id: the run that sampled the episode.
        base_fingerprint: weights, dtype, quantisation and tokenizer of the base model, as one hash.
        trusted_policy: the exact policy that the base imitates (see `judged_turns`); empty if none.
        policy: "agent", "base" or "scripted:NAME".
        update: number of the update, or -1 (`EVALUATION`).
        episode: number of the chat within its update or evaluation.
        seed: seed of the run; with update and episode it fixes the chat's random stream.
        budget: KL budget in force, nats; 0 for base rollouts, inf where nothing limits the policy.
        accounting: "expected" or "realised".
        length: T, the opening included.
        opening_tokens: tokens of the opening, which nobody sampled.
        agent: name of the agent's speaker, one of `speakers`.
        speakers: names of all speakers.
        token_id: [T] int32.
        token_text: T strings that join to the text of the episode.
        speaker: [T] int8, index in `speakers` of the one who emitted the token.
        turn: [T] int16, index of the turn the token belongs to.
        kl: [T] float64, exact KL(policy || base) of the step's distribution; 0 off agent tokens.
        log_ratio: [T] float64, realised log policy/base of the token; 0 off agent tokens.
        kl_k3: [T] float64, estimator of the step's KL; 0 off agent tokens.
        alpha: [T] float64, weight of the proposal in the mixture; NaN off agent tokens.
        fraction: [T] float32, fraction of the remaining budget asked for; NaN off agent tokens.
        kl_target: [T] float64, KL asked for; NaN off agent tokens.
        budget_left: [T] float64, nats left before the token; NaN off agent tokens.
        value: [T] float32, the critic's estimate before the token; NaN off agent tokens.
        base_log_prob: [T] float32, of the token under the base, temperature 1; NaN in the opening.
        policy_log_prob: [T] float32, of the token under the distribution it was drawn from (the
            agent's mixture, the student's tempered base); NaN in the opening.
        base_entropy: [T] float32, of the base's next-token distribution, nats; NaN in the opening.
        reward: [T] float32, on the token that completes a scored reply; NaN elsewhere.
        top_base_ids: T rows of candidate ids under the base; empty where none were recorded.
        top_base_log_probs: their log-probabilities, in the same layout.
        top_policy_ids: T rows of candidate ids under the policy.
        top_policy_log_probs: their log-probabilities.
        turn_speaker: [turns] int8, index in `speakers`; -1 for text before the opening's first header.
        turn_start: [turns] int32, first token; `turn_start < opening_tokens`: begun in the opening.
        turn_end: [turns] int32, one past the last token. The tokens of a speaker change belong to
            the turn that emitted them. A turn may have no token (the change ended the chat).
        turn_text: text without the header of the speaker change, not stripped.
        turn_complete: [turns] bool, False only for a last turn cut by the end of the episode.
        turn_reward: [turns] float32, NaN where the turn was not scored.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    base_fingerprint: str
    trusted_policy: str
    policy: str
    update: int
    episode: int
    seed: int
    budget: float
    accounting: str
    length: int
    opening_tokens: int
    agent: str
    speakers: tuple[str, ...]
    token_id: npt.NDArray[np.int32]
    token_text: tuple[str, ...]
    speaker: npt.NDArray[np.int8]
    turn: npt.NDArray[np.int16]
    kl: npt.NDArray[np.float64]
    log_ratio: npt.NDArray[np.float64]
    kl_k3: npt.NDArray[np.float64]
    alpha: npt.NDArray[np.float64]
    fraction: npt.NDArray[np.float32]
    kl_target: npt.NDArray[np.float64]
    budget_left: npt.NDArray[np.float64]
    value: npt.NDArray[np.float32]
    base_log_prob: npt.NDArray[np.float32]
    policy_log_prob: npt.NDArray[np.float32]
    base_entropy: npt.NDArray[np.float32]
    reward: npt.NDArray[np.float32]
    top_base_ids: Ragged = field(default_factory=lambda: Ragged.empty(0))
    top_base_log_probs: Ragged = field(default_factory=lambda: Ragged.empty(0))
    top_policy_ids: Ragged = field(default_factory=lambda: Ragged.empty(0))
    top_policy_log_probs: Ragged = field(default_factory=lambda: Ragged.empty(0))
    turn_speaker: npt.NDArray[np.int8]
    turn_start: npt.NDArray[np.int32]
    turn_end: npt.NDArray[np.int32]
    turn_text: tuple[str, ...]
    turn_complete: npt.NDArray[np.bool_]
    turn_reward: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, column in COLUMNS.items():
            try:
                cast = _cast(column, getattr(self, name), self.length)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{self.label}: {name}: {error}") from error
            object.__setattr__(self, name, cast)
        check_episode(self)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Episode:
        """From loosely typed columns: lists, lists of lists and arrays of any dtype that fits."""
        return cls(**columns)

    def columns(self) -> dict[str, Any]:
        """The columns by name, in the order of the file."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def label(self) -> str:
        """What messages call the episode."""
        return f"run {self.run_id} update {self.update} episode {self.episode}"

    @property
    def text(self) -> str:
        """The whole chat, opening included."""
        return "".join(self.token_text)

    @property
    def agent_index(self) -> int:
        """Index of the agent in `speakers`."""
        return self.speakers.index(self.agent)

    @property
    def agent_tokens(self) -> npt.NDArray[np.bool_]:
        """[T] bool: the tokens that the agent sampled, those of the opening excluded."""
        mask: npt.NDArray[np.bool_] = self.speaker == self.agent_index
        mask[: self.opening_tokens] = False
        return mask


def episodes_equal(a: Episode, b: Episode) -> bool:
    """Whether all columns agree to the last bit, NaN being equal to NaN."""
    return all(_equal(getattr(a, name), getattr(b, name)) for name in COLUMNS)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Ragged):
        return _equal(a.values, b.values) and _equal(a.offsets, b.offsets)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def _cast(column: Column, value: Any, tokens: int) -> Any:
    """The value in the column's type: str, int, float, tuple of str, array or `Ragged`."""
    if column.shape == "candidates":
        return _cast_ragged(value, column.dtype, tokens)
    if column.shape == "row" and column.dtype != "string":
        return _cast_array([value], column.dtype)[0].item()
    if column.dtype != "string":
        return _cast_array(value, column.dtype)
    return _cast_text([value])[0] if column.shape == "row" else _cast_text(value)


def _cast_text(values: Any) -> tuple[str, ...]:
    texts = tuple(values)
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if isinstance(values, str) or wrong is not None:
        raise TypeError(f"needs text, not {type(wrong if wrong is not None else values).__name__}")
    "".join(texts).encode()  # a lone surrogate could not be written
    return texts


def _cast_array(values: Any, dtype: str) -> npt.NDArray[Any]:
    raw = np.asarray(values)
    if raw.dtype.kind not in "biuf":
        raise TypeError(f"needs numbers ({dtype}), not {raw.dtype}")
    cast = raw.astype(dtype)  # always a copy: the caller may go on using its buffer
    if cast.ndim != 1:
        raise ValueError(f"needs one dimension, has shape {cast.shape}")
    if cast.dtype.kind != "f" and raw.dtype != cast.dtype and not np.array_equal(raw, cast):
        raise ValueError(f"has values that do not fit {dtype}")
    cast.flags.writeable = False
    return cast


def _cast_ragged(rows: Any, dtype: str, tokens: int) -> Ragged:
    ragged = rows if isinstance(rows, Ragged) else Ragged.from_rows(rows)
    if len(ragged) == 0:
        ragged = Ragged.empty(tokens)
    return Ragged(_cast_array(ragged.values, dtype), _cast_array(ragged.offsets, "int32"))
