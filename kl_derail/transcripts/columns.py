"""The columns of the log, written down once: name, shape and dtype.

`Episode`, the parquet schema and the `datasets.Features` all follow this table (tested).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

SCHEMA_VERSION = 2
"""Version of the columns below. A reader refuses files of another version."""

Shape = Literal["row", "names", "token", "turn", "candidates"]


class Column(NamedTuple):
    """One column: one value a row, a list of names, or a list over tokens, turns or candidates."""

    shape: Shape
    dtype: str


def _columns(shape: Shape, **dtypes: str) -> dict[str, Column]:
    return {name: Column(shape, dtype) for name, dtype in dtypes.items()}


COLUMNS: dict[str, Column] = {
    **_columns(
        "row",
        schema_version="int32",
        run_id="string",
        base_fingerprint="string",
        trusted_policy="string",
        policy="string",
        update="int32",
        episode="int32",
        seed="int64",
        budget="float64",
        accounting="string",
        length="int32",
        opening_tokens="int32",
        agent="string",
    ),
    **_columns("names", speakers="string"),
    **_columns(
        "token",
        token_id="int32",
        token_text="string",
        speaker="int8",
        turn="int16",
        kl="float64",
        log_ratio="float64",
        kl_k3="float64",
        alpha="float64",
        fraction="float32",
        kl_target="float64",
        budget_left="float64",
        value="float32",
        base_log_prob="float32",
        policy_log_prob="float32",
        base_entropy="float32",
        reward="float32",
    ),
    **_columns("candidates", top_base_ids="int32", top_base_log_probs="float32"),
    **_columns("candidates", top_policy_ids="int32", top_policy_log_probs="float32"),
    **_columns(
        "turn",
        turn_speaker="int8",
        turn_start="int32",
        turn_end="int32",
        turn_text="string",
        turn_complete="bool",
        turn_reward="float32",
    ),
}
"""Every column of the log in the order of the file."""


def names_of(shape: Shape) -> tuple[str, ...]:
    """The names of all columns of one shape, in order.

    >>> names_of("names")
    ('speakers',)
    """
    return tuple(name for name, column in COLUMNS.items() if column.shape == shape)
