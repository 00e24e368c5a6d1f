"""Repeated n-grams against the obvious count, one window at a time."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.transcripts import Episode
from kl_derail.transcripts.ngrams import distinct_at_least, iter_ngrams, kl_by_appearance
from tests.transcripts.factories import make_episode

LONGEST = 4


def windows(episode: Episode, n: int, across_turns: bool) -> list[tuple[tuple[int, ...], float]]:
    """Tokens and KL of every n-gram of the agent, in the order of the text."""
    own = np.flatnonzero(episode.agent_tokens).tolist()
    found = [own[start : start + n] for start in range(len(own) - n + 1)]
    if not across_turns:
        found = [each for each in found if each[-1] - each[0] == n - 1]
    return [
        (tuple(episode.token_id[each].tolist()), float(episode.kl[each].sum())) for each in found
    ]


@st.composite
def chats(draw: st.DrawFn) -> Episode:
    """A talk in an alphabet of three tokens, so that much is said twice."""
    texts = draw(
        st.lists(st.sampled_from(["", " a", " a b", " a b a b c"]), min_size=1, max_size=7)
    )
    turns = [(("Teacher", "Student")[place % 2], text) for place, text in enumerate(texts)]
    plain = make_episode(turns, opening_turns=draw(st.integers(0, 1)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kl = np.where(plain.agent_tokens, rng.exponential(size=plain.length), 0.0)
    tokens = rng.integers(0, 3, plain.length) * 1_000_000_007 % 2**31
    return Episode.from_columns(plain.columns() | {"token_id": tokens, "kl": kl})


@given(st.lists(chats(), max_size=4), st.booleans())
def test_against_brute_force(episodes: list[Episode], across_turns: bool) -> None:
    for found in iter_ngrams(episodes, LONGEST, across_turns=across_turns):
        expected = [windows(each, found.n, across_turns) for each in episodes]
        counts = [Counter(gram for gram, _ in each) for each in expected]
        least = [1, 2, 3]
        np.testing.assert_array_equal(
            distinct_at_least(found, least),
            np.reshape(
                [[sum(c >= k for c in each.values()) for k in least] for each in counts], (-1, 3)
            ),
        )
        for at_least in (1, 2):
            sums = kl_by_appearance(found, 3, at_least=at_least)
            for row, each in enumerate(expected):
                kl: dict[int, list[float]] = defaultdict(list)
                seen: Counter[tuple[int, ...]] = Counter()
                for gram, nats in each:
                    seen[gram] += 1
                    if counts[row][gram] >= at_least:
                        kl[seen[gram]].append(nats)
                np.testing.assert_array_equal(sums.ngrams[row], [len(kl[i]) for i in (1, 2, 3)])
                np.testing.assert_allclose(sums.kl[row], [sum(kl[i]) for i in (1, 2, 3)])


def abab(**columns: object) -> Episode:
    """The teacher says tokens 1 2 1 and 2 1 2, the student between them 1 2 1."""
    turns = [("Teacher", ""), ("Student", ""), ("Teacher", "")]
    plain = make_episode(turns, cut=False, opening_turns=1)
    tokens = [9, 1, 2, 1, 1, 2, 1, 2, 1, 2]
    return Episode.from_columns(plain.columns() | {"token_id": tokens, **columns})


def test_by_hand() -> None:
    """Teacher: 1 2 1 | 2 1 2."""
    kl = np.array([0, 4.0, 2.0, 1.0, 0, 0, 0, 0.5, 0.25, 0.125])
    one, two, three = iter_ngrams([abab(kl=kl)], 3)
    assert one.gram.tolist() == [0, 1, 0, 1, 0, 1]
    assert one.nth.tolist() == [1, 1, 2, 2, 3, 3]
    assert two.nth.tolist() == [1, 1, 2, 2]  # 12, 21 | 21, 12
    assert two.kl.tolist() == [6.0, 3.0, 0.75, 0.375]
    assert three.counts.tolist() == [1, 1]
    sums = kl_by_appearance(two, 2)
    assert (sums.kl / sums.ngrams).tolist() == [[4.5, 0.5625]]


def test_across_turns_reads_on() -> None:
    *_, five, six = iter_ngrams([abab()], 6, across_turns=True)
    assert (len(five.gram), len(six.gram)) == (2, 1)
    assert [len(each.gram) for each in iter_ngrams([abab()], 4)] == [6, 4, 2, 0]


def test_episodes_do_not_share_ngrams() -> None:
    for found in iter_ngrams([abab(), abab()], 2, across_turns=True):
        assert found.counts.max() == 3
        np.testing.assert_array_equal(*np.split(found.nth, 2))


@pytest.mark.parametrize("episodes", [[], [make_episode([("Student", " Hm.")])]])
def test_nothing_said(episodes: list[Episode]) -> None:
    for found in iter_ngrams(episodes, 2):
        assert distinct_at_least(found, [1, 2]).tolist() == [[0, 0]] * len(episodes)
        assert kl_by_appearance(found, 3).ngrams.tolist() == [[0, 0, 0]] * len(episodes)
