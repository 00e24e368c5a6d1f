"""Texts of candidates come from the tokens of the page, base by base."""

from __future__ import annotations

import numpy as np

from kl_derail.inspect.page.candidates import candidate_texts
from kl_derail.inspect.page.texts import Texts
from kl_derail.transcripts import Episode
from tests.inspect.factories import TALK, no_tokens, silent
from tests.transcripts.factories import make_episode


def texts_of(*episodes: Episode) -> dict[str, dict[int, str]]:
    texts = Texts()
    found = candidate_texts(episodes, texts)
    table = texts.table()
    return {
        table[base]: {token: table[place] for token, place in known.items()}
        for base, known in found
    }


def test_only_candidates_seen_as_tokens_have_a_text() -> None:
    episode = make_episode(TALK, opening_turns=2, candidates=3)
    first = {token: text.replace("\n", "⏎") for token, text in enumerate(episode.token_text[:3])}
    assert texts_of(episode) == {"base-1": first}
    unknown = make_episode(TALK, candidates=3, token_id=np.arange(episode.length) + 2)
    assert texts_of(unknown) == {"base-1": {2: episode.token_text[0]}}


def test_an_id_means_the_same_only_under_the_same_base() -> None:
    one = make_episode([("Teacher", " a"), ("Student", " b")], candidates=1)
    other = make_episode(
        [("Teacher", " a"), ("Student", " b")],
        candidates=1,
        base_fingerprint="base-2",
        token_text=["\u202ex", *one.token_text[1:]],
    )
    assert texts_of(one, other) == {"base-1": {0: "Teacher:"}, "base-2": {0: r"\u202ex"}}


def test_another_episode_may_know() -> None:
    asks = make_episode(
        TALK, candidates=2, token_id=np.arange(len(make_episode(TALK).token_id)) + 50
    )
    knows = silent(2)
    assert texts_of(asks, knows)["base-1"] == dict(enumerate(knows.token_text[:2]))


def test_none_recorded() -> None:
    assert texts_of(silent(2), no_tokens()) == {}
