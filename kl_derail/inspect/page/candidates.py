"""Texts of the recorded top candidates, as far as the page's own tokens tell them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from kl_derail.inspect.page.texts import Texts, shown_text
from kl_derail.transcripts import Episode


def candidate_texts(episodes: Iterable[Episode], texts: Texts) -> list[tuple[int, dict[int, int]]]:
    """For each base model, the text of every candidate id that some episode has as a token.

    Args:
        episodes: all of the page; ids mean the same only under the same base.
        texts: takes the texts.

    Returns:
        (place of the base's fingerprint, {id: place of its text, the first one met}).
    """
    by_base: dict[str, list[Episode]] = {}
    for each in episodes:
        by_base.setdefault(each.base_fingerprint, []).append(each)
    return [
        (texts.add(shown_text(base)), _seen(found, texts))
        for base, found in by_base.items()
        if any(map(_candidate_ids, found))
    ]


def _seen(episodes: Iterable[Episode], texts: Texts) -> dict[int, int]:
    wanted = set().union(*map(_candidate_ids, episodes))
    seen: dict[int, int] = {}
    for each in episodes:
        for token, text in zip(each.token_id.tolist(), each.token_text, strict=True):
            if token in wanted and token not in seen:
                seen[token] = texts.add(shown_text(text))
    return seen


def _candidate_ids(episode: Episode) -> set[int]:
    return set(chain(episode.top_base_ids.values.tolist(), episode.top_policy_ids.values.tolist()))
