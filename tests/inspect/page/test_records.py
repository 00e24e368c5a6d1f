"""An episode as columns: exact numbers, every token shown once, lines as laid out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from kl_derail.inspect.layout import lines_of
from kl_derail.inspect.page.records import record
from kl_derail.inspect.page.texts import Texts, shown_text
from kl_derail.transcripts import Episode, judged_turns
from kl_derail.transcripts.columns import names_of
from tests.inspect.factories import TALK, no_tokens, one_token_a_turn, silent
from tests.inspect.page.hostile import HOSTILE
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes
from tests.transcripts.test_judged import lesson


def shown_tokens(episode: Episode) -> list[str]:
    """The text of each token, put together again from the pieces."""
    texts = Texts()
    columns, pieces = record(episode, {}, texts)
    table, found = texts.table(), [""] * episode.length
    for token, place in zip(columns["piece_token"], pieces, strict=True):
        found[token] += table[place]
    return found


@given(episodes())
def test_numbers_are_the_log_s_own(episode: Episode) -> None:
    columns, _ = record(episode, {}, Texts())
    for name in (*names_of("token"), *names_of("turn")):
        if not name.endswith("_text"):
            assert columns[name].tobytes() == getattr(episode, name).tobytes()
    for source in ("base", "policy"):
        ids, offsets = columns[f"top_{source}_ids"], columns[f"top_{source}_offsets"]
        rows = [ids[a:b].tolist() for a, b in pairwise(offsets)]
        assert rows == getattr(episode, f"top_{source}_ids").tolist()


@given(episodes())
def test_every_token_is_shown_once(episode: Episode) -> None:
    assert shown_tokens(episode) == [shown_text(each) or "◌" for each in episode.token_text]


def test_hostile_tokens_are_shown_literally() -> None:
    episode = one_token_a_turn([each for each in HOSTILE if each])
    assert shown_tokens(episode) == [shown_text(each) for each in episode.token_text]


@pytest.mark.parametrize("episode", [make_episode(TALK, opening_turns=2), silent(3), no_tokens()])
def test_lines_are_those_of_every_medium(episode: Episode) -> None:
    columns, _ = record(episode, {}, Texts())
    lines = lines_of(episode)
    assert columns["line_pieces"].tolist() == [len(each.pieces) for each in lines]
    assert columns["line_turn"].tolist() == [each.turn for each in lines]
    sampled = [-1 if each.sampled is None else each.sampled for each in lines]
    assert columns["line_sampled"].tolist() == sampled
    headers = [piece.header for line in lines for piece in line.pieces]
    assert columns["piece_header"].tolist() == headers


def test_verdicts_of_the_trusted_policy() -> None:
    episode, texts = lesson(), Texts()
    judged = judged_turns(episode)
    assert judged
    columns, _ = record(episode, judged, texts)
    verdicts = columns["turn_verdict"]
    table = texts.table()
    found = {turn: table[place] for turn, place in enumerate(verdicts) if place >= 0}
    assert found == {turn: parse.reason or "possible" for turn, parse in judged.items()}


def test_an_episode_of_nothing() -> None:
    columns, pieces = record(no_tokens(), {}, Texts())
    assert len(pieces) == 0
    assert not any(np.size(values) for name, values in columns.items() if "offsets" not in name)
