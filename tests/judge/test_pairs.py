"""Pairs: random, without reuse, like with like."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.judge.judges import Transcript
from kl_derail.judge.pairs import make_pairs, transcript
from kl_derail.transcripts import Episode
from tests.transcripts.factories import make_episode

START = [("Teacher", " Hello."), ("Student", " Hi."), ("Teacher", " We read.")]


def episode(number: int = 0, said: str = " Yes.", **columns: Any) -> Episode:
    turns = [*START, ("Student", said), ("Teacher", f" So {number}.")]
    return make_episode(turns, opening_turns=3, episode=number, **columns)


def source(run: str, count: int, said: str = " Yes.", **columns: Any) -> list[Transcript]:
    return [transcript(episode(number, said, run_id=run, **columns)) for number in range(count)]


def test_a_transcript_is_the_talk_after_the_opening() -> None:
    found = transcript(episode(7))
    assert found.opening + found.text == episode(7).text
    assert found.opening.endswith("Teacher: We")
    assert found.text == " read.\n\nStudent: Yes.\n\nTeacher: So 7."
    assert found.tokens == episode(7).length - episode(7).opening_tokens


def test_it_ends_at_the_end_token_and_only_there() -> None:
    tokens = [*episode().token_text]
    tokens[-3] = "</s>"
    found = transcript(episode(token_text=tokens))
    assert found.text == "".join(tokens[episode().opening_tokens : -3])
    assert found.tokens == len(tokens) - 3 - episode().opening_tokens
    tokens[-3] = " a</s>"  # written, not meant: it is no token of its own
    assert "</s>" in transcript(episode(token_text=tokens)).text
    assert transcript(episode(token_text=tokens), [" a</s>"]).tokens == found.tokens
    tokens[0] = "</s>"  # the opening is no one's to cut
    assert transcript(episode(token_text=tokens)).opening.startswith("</s>")


def test_keys_name_the_episode_and_its_content() -> None:
    key = transcript(episode(3)).key
    assert key.startswith("run/agent/0/3/")
    assert key == transcript(episode(3)).key
    others = [
        episode(4),
        episode(3, said=" No."),
        episode(3, run_id="other"),
        episode(3, policy="base"),
        episode(3, update=2),
    ]
    assert len({key, *(transcript(each).key for each in others)}) == 6


@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(2, 12), st.data())
def test_no_transcript_occurs_twice(in_a: int, in_b: int, data: st.DataObject) -> None:
    a, b = source("a", in_a), source("b", in_b, " No.")
    count = data.draw(st.integers(1, min(in_a, in_b)))
    pairs = make_pairs(a, b, count, seed=0)
    assert [each.number for each in pairs] == list(range(count))
    assert max(Counter(each.a.key for each in pairs).values()) == 1
    assert max(Counter(each.b.key for each in pairs).values()) == 1
    assert {each.a.key for each in pairs} <= {each.key for each in a}
    assert {each.b.key for each in pairs} <= {each.key for each in b}


def test_the_seed_decides_and_the_order_of_the_files_does_not() -> None:
    a, b = source("a", 9), source("b", 9, " No.")
    assert make_pairs(a, b, 6, 1) == make_pairs(a[::-1], b[::-1], 6, 1)
    assert make_pairs(a, b, 6, 1) != make_pairs(a, b, 6, 2)


def test_every_partner_is_as_likely() -> None:
    a, b = source("a", 3), source("b", 3, " No.")
    drawn = Counter(
        (pair.a.key, pair.b.key) for seed in range(1800) for pair in make_pairs(a, b, 1, seed)
    )
    assert len(drawn) == 9
    assert max(abs(count - 200) for count in drawn.values()) < 5 * 200**0.5


def longer(run: str, count: int, said: str) -> list[Transcript]:
    turns = [*START, ("Student", said), ("Teacher", " And so on.")]
    return [
        transcript(make_episode(turns, opening_turns=3, run_id=run, episode=100 + number))
        for number in range(count)
    ]


def test_like_is_paired_with_like() -> None:
    a = source("a", 4) + longer("a", 2, " Yes.")
    b = source("b", 2, " No.") + longer("b", 4, " No.")
    pairs = make_pairs(a, b, 4, 0)
    lengths = [(pair.a.episode.length, pair.b.episode.length) for pair in pairs]
    assert all(one == other for one, other in lengths)
    assert len(set(lengths)) == 2
    with pytest.raises(
        UserError, match="found 5, allowed at most 4: A holds 6 transcripts and B 6"
    ):
        make_pairs(a, b, 5, 0)


def test_the_same_source_is_refused() -> None:
    a = source("a", 5)
    with pytest.raises(UserError, match="5 transcripts in common"):
        make_pairs(a, a, 3, 0)
    with pytest.raises(UserError, match="1 transcripts in common"):
        make_pairs(a, [*source("b", 4, " No."), a[0]], 3, 0)
    with pytest.raises(UserError, match="word for word"):
        make_pairs(a, source("copy", 5), 3, 0)
    with pytest.raises(UserError, match="same transcript twice"):
        make_pairs([*a, a[0]], source("b", 5, " No."), 3, 0)


def test_other_openings_agents_and_lengths_are_refused() -> None:
    a = source("a", 4)
    turns = [("Teacher", " Good day."), *START[1:], ("Student", " No."), ("Teacher", " So 1.")]
    other = [transcript(make_episode(turns, opening_turns=3, run_id="b"))]
    with pytest.raises(UserError, match=r"different openings; only one of them has 'Teacher: "):
        make_pairs(a, other, 1, 0)
    with pytest.raises(UserError, match="different openings"):
        make_pairs(a, [*source("b", 4, " No."), *other], 1, 0)
    with pytest.raises(UserError, match="different lengths in tokens; only one of them has 2"):
        make_pairs(a, longer("b", 4, " No."), 1, 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_part_of_the_pairs_holds_every_kind_in_proportion(seed: int) -> None:
    a = source("a", 60) + longer("a", 6, " Yes.")
    b = source("b", 60, " No.") + longer("b", 6, " No.")
    lengths = Counter(pair.a.episode.length for pair in make_pairs(a, b, 33, seed))
    assert sorted(lengths.values()) in ([2, 31], [3, 30], [4, 29])


def test_kinds_with_a_single_pair_are_as_likely_as_others() -> None:
    a, b = source("a", 3) + longer("a", 1, " Yes."), source("b", 3, " No.") + longer("b", 1, " No.")
    rare = a[-1].key
    drawn = sum(rare in {pair.a.key for pair in make_pairs(a, b, 2, seed)} for seed in range(400))
    assert abs(drawn - 200) < 5 * 10


def test_of_one_kind_more_pairs_hold_the_fewer() -> None:
    a, b = source("a", 9), source("b", 9, " No.")
    assert make_pairs(a, b, 9, 1)[:4] == make_pairs(a, b, 4, 1)


def test_all_comparisons_take_the_same_chats_of_a_source() -> None:
    base = source("base", 40) + longer("base", 10, " Yes.")
    others = [
        source(run, 40, said) + longer(run, 10, said)
        for run, said in (("x", " No."), ("y", " So."))
    ]
    taken = [{pair.b.key for pair in make_pairs(other, base, 20, 3)} for other in others]
    assert taken[0] == taken[1]
