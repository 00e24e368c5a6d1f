"""An episode as columns of numbers and of indices into a table of texts: all that the page shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.embedded.trusted import Parse
from kl_derail.inspect.layout import Line, Piece, lines_of, shown_piece
from kl_derail.inspect.page.packing import Columns
from kl_derail.inspect.page.texts import Texts
from kl_derail.transcripts import Episode
from kl_derail.transcripts.columns import names_of

NONE = -1
"""Stands for no token, no turn, no text."""

_TOKEN = tuple(name for name in names_of("token") if name != "token_text")
_TURN = tuple(name for name in names_of("turn") if name != "turn_text")


class Record(NamedTuple):
    """One chat.

    Attributes:
        columns: all that is read when the chat is shown.
        piece_texts: [pieces] int32, places of the pieces' texts, which a search reads for all chats.
    """

    columns: Columns
    piece_texts: npt.NDArray[np.int32]


def record(episode: Episode, judged: Mapping[int, Parse], texts: Texts) -> Record:
    """Every number of the chat, and its lines as `inspect.layout` sets them.

    Args:
        episode: the chat.
        judged: its `judged_turns`.
        texts: takes the chat's texts.

    Returns:
        With the log's token and turn columns, bit for bit; `piece_*` over pieces of tokens,
        `line_*` over lines (how many pieces, which turn, the token with which the agent begins to
        sample one); `turn_verdict` (place of a text, or -1); candidates with offsets.
    """
    lines = lines_of(episode)
    pieces = [piece for line in lines for piece in line.pieces]
    columns = {
        **{name: getattr(episode, name) for name in (*_TOKEN, *_TURN)},
        "turn_verdict": _verdicts(episode, judged, texts),
        **_lines(lines, pieces),
        **_candidates(episode, "base"),
        **_candidates(episode, "policy"),
    }
    return Record(columns, texts.add_all(map(shown_piece, pieces)))


def _verdicts(episode: Episode, judged: Mapping[int, Parse], texts: Texts) -> npt.NDArray[np.int32]:
    verdicts = np.full(len(episode.turn_text), NONE, np.int32)
    for turn, parse in judged.items():
        verdicts[turn] = texts.add(parse.reason or "possible")
    return verdicts


def _lines(lines: Sequence[Line], pieces: Sequence[Piece]) -> dict[str, npt.NDArray[Any]]:
    sampled = [NONE if line.sampled is None else line.sampled for line in lines]
    return {
        "piece_token": np.array([piece.token for piece in pieces], np.int32),
        "piece_header": np.array([piece.header for piece in pieces], bool),
        "line_pieces": np.array([len(line.pieces) for line in lines], np.int32),
        "line_turn": np.array([line.turn for line in lines], np.int32),
        "line_sampled": np.array(sampled, np.int32),
    }


def _candidates(episode: Episode, source: str) -> dict[str, npt.NDArray[Any]]:
    """Flat ids and log-probabilities, and the offsets that both share."""
    ids = getattr(episode, f"top_{source}_ids")
    log_probs = getattr(episode, f"top_{source}_log_probs")
    return {
        f"top_{source}_ids": ids.values,
        f"top_{source}_log_probs": log_probs.values,
        f"top_{source}_offsets": ids.offsets,
    }
