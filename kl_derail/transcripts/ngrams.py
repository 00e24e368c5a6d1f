"""Repetition: which n-grams of tokens the agent says again, and what each appearance costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.transcripts.schema import Episode

LONGEST = 10
"""The published analysis looks at n-grams of 1 to so many tokens."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class NGrams(NamedTuple):
    """Every appearance of every n-gram of one length, A in all, in the order of the text.

    Appearances may overlap. The same tokens in another episode are another n-gram.

    Attributes:
        n: length in tokens.
        episodes: how many episodes were searched.
        episode: [A] index of the episode.
        gram: [A] number of the n-gram, 0 to G - 1.
        nth: [A] 1 for its first appearance in the episode, 2 for the second, ...
        kl: [A] exact KL of the appearance, the sum over its tokens, nats.
    """

    n: int
    episodes: int
    episode: Integers
    gram: Integers
    nth: Integers
    kl: Floats

    @property
    def counts(self) -> Integers:
        """[G] how often each n-gram appears."""
        return np.bincount(self.gram)


class PerAppearance(NamedTuple):
    """KL by the number of the appearance: `kl.sum(0) / ngrams.sum(0)` is the mean of the i-th.

    Attributes:
        kl: [E, I] sum over n-grams of the KL of their i-th appearance, nats.
        ngrams: [E, I] how many n-grams have an i-th appearance.
    """

    kl: Floats
    ngrams: Floats


def iter_ngrams(
    episodes: Sequence[Episode], longest: int = LONGEST, *, across_turns: bool = False
) -> Iterator[NGrams]:
    """The agent's n-grams for n = 1 to `longest`, of all episodes at once.

    An n-gram gets its number from that of its first n - 1 tokens and its last token, so numbers are
    equal exactly where the tokens are: no hash can collide. O(longest x tokens x log tokens).

    Args:
        episodes: to be searched; only tokens that the agent sampled count.
        longest: the greatest n.
        across_turns: read on from one turn of the agent to its next, as if the others said nothing.
            Otherwise an n-gram lies within one turn.
    """
    speech = _speech(episodes)
    room = _room(speech, across_turns)
    letter = _numbered(speech.token, speech.episode)
    start = np.arange(len(letter))
    gram, kl = np.zeros_like(start), np.zeros(len(start))
    for n in range(1, longest + 1):
        keep = room[start] >= n
        start = start[keep]
        last = start + n - 1
        gram = _numbered(gram[keep], letter[last])
        kl = kl[keep] + speech.kl[last]
        yield NGrams(n, len(episodes), speech.episode[start], gram, _nth(gram), kl)


def distinct_at_least(found: NGrams, appearances: Sequence[int]) -> Floats:
    """[E, K] how many different n-grams appear at least `appearances[k]` times in each episode."""
    counts = found.counts
    first = found.nth == 1
    owner = np.empty(len(counts), np.int64)
    owner[found.gram[first]] = found.episode[first]
    columns = [
        np.bincount(owner[counts >= least], minlength=found.episodes) for least in appearances
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def kl_by_appearance(found: NGrams, most: int, *, at_least: int = 2) -> PerAppearance:
    """KL of the first to the `most`-th appearance, of n-grams that appear at least `at_least` times.

    Sums, not means, so that intervals can resample episodes (`ratio_bands`).
    """
    repeated = (found.counts[found.gram] >= at_least) & (found.nth <= most)
    cell = found.episode[repeated] * most + found.nth[repeated] - 1
    shape = (found.episodes, most)
    kl = np.bincount(cell, found.kl[repeated], found.episodes * most).astype(np.float64)
    ngrams = np.bincount(cell, minlength=found.episodes * most).astype(np.float64)
    return PerAppearance(kl.reshape(shape), ngrams.reshape(shape))


class _Speech(NamedTuple):
    """The agent's tokens of all episodes in a row: [tokens] id, KL, episode, place in the chat."""

    token: Integers
    kl: Floats
    episode: Integers
    place: Integers


def _speech(episodes: Sequence[Episode]) -> _Speech:
    own = [np.flatnonzero(episode.agent_tokens) for episode in episodes]
    tokens = [each.token_id[at] for each, at in zip(episodes, own, strict=True)]
    kl = [each.kl[at] for each, at in zip(episodes, own, strict=True)]
    return _Speech(
        np.concatenate([np.empty(0, np.int64), *tokens]),
        np.concatenate([np.empty(0), *kl]),
        np.repeat(np.arange(len(own)), [len(at) for at in own]),
        np.concatenate([np.empty(0, np.int64), *own]),
    )


def _room(speech: _Speech, across_turns: bool) -> Integers:
    """[tokens] how long an n-gram can be that begins here."""
    breaks = np.diff(speech.episode) != 0
    if not across_turns:
        breaks |= np.diff(speech.place) != 1
    ends = np.append(np.flatnonzero(breaks) + 1, len(speech.place))
    at = np.arange(len(speech.place))
    return ends[np.searchsorted(ends, at, side="right")] - at


def _numbered(head: Integers, last: Integers) -> Integers:
    """Numbers from 0 that are equal where both parts are."""
    pair = head * (int(last.max(initial=0)) + 1) + last
    numbers: Integers = np.unique(pair, return_inverse=True)[1]
    return numbers


def _nth(gram: Integers) -> Integers:
    """[A] how many times the number has been seen up to here."""
    order = np.argsort(gram, kind="stable")
    firsts = np.cumsum(np.bincount(gram)) - np.bincount(gram)
    nth = np.empty(len(gram), np.int64)
    nth[order] = np.arange(len(gram)) - firsts[gram[order]] + 1
    return nth
