"""Quiet turns by hand, and the edges of both definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from kl_derail.transcripts import Episode, agent_turns, empty_turn_fraction, is_counted, is_empty
from kl_derail.transcripts.empties import nth_quiet_turn_kl, quiet_turns
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes

HELLO = [("Teacher", " Now then."), ("Student", " Yes.")]
BLANK, SHORT, LONG = ("Teacher", ""), ("Teacher", " Go."), ("Teacher", " Let us go on.")
ASK = ("Student", " Why?")


def chat(*teacher: tuple[str, str], kl: list[float], **options: object) -> Episode:
    """The opening, then these turns of the teacher with a reply after each but the last."""
    turns = [*HELLO, *(turn for each in teacher for turn in (each, ASK))][:-1]
    spent = {2 + 2 * place: nats for place, nats in enumerate(kl)}
    return make_episode(turns, opening_turns=1, turn_kl=spent, **options)  # type: ignore[arg-type]


def test_empty_turns_are_blank_and_finished() -> None:
    episode = chat(BLANK, LONG, SHORT, BLANK, ("Teacher", "\n"), kl=[3.0, 1.0, 0.5, 0.25, 0.125])
    found = quiet_turns(episode)
    assert found.kl.tolist() == [3.0, 0.25]  # the last one is cut off
    assert found.cumulative_kl.tolist() == [3.0, 3.25]
    assert found.turns == 4
    assert found.fraction == 0.5 == empty_turn_fraction(episode)


def test_short_turns_as_published() -> None:
    """A blank turn has 3 tokens, " Go." 4; the cut one is blank, without tokens but one of KL."""
    episode = chat(BLANK, LONG, SHORT, BLANK, kl=[3.0, 1.0, 0.5, 0.25], cut=False)
    found = quiet_turns(episode, "short")
    assert found.kl.tolist() == [3.0, 0.5, 0.25]
    assert found.turns == 4


@pytest.mark.parametrize(("nats", "counts"), [(0.25, True), (0.0, False)])
def test_an_unfinished_short_turn_counts_if_it_spent_kl(nats: float, counts: bool) -> None:
    episode = chat(LONG, SHORT, kl=[1.0, nats])
    assert not episode.turn_complete[-1]
    found = quiet_turns(episode, "short")
    assert found.kl.tolist() == [nats] * counts
    assert found.turns == 1 + counts


def test_an_unfinished_long_turn_never_counts() -> None:
    found = quiet_turns(chat(SHORT, ("Teacher", " Let us go on with it now"), kl=[1, 1]), "short")
    assert (found.kl.tolist(), found.turns) == ([1.0], 1)


def test_a_turn_begun_in_the_opening_does_not_count() -> None:
    episode = make_episode([BLANK, ASK, BLANK, ASK], opening_turns=1, turn_kl={0: 2.0, 2: 1.0})
    for kind in ("empty", "short"):
        assert quiet_turns(episode, kind).kl.tolist() == [1.0]  # type: ignore[arg-type]


def test_no_turns() -> None:
    found = quiet_turns(make_episode([LONG]))
    assert (len(found.kl), found.turns) == (0, 0)
    assert np.isnan(found.fraction)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="kind 'silent': needs one of"):
        quiet_turns(make_episode([LONG]), "silent")  # type: ignore[arg-type]


@given(episodes())
def test_the_definitions_read_aloud(episode: Episode) -> None:
    counted = [turn for turn in agent_turns(episode) if is_counted(turn)]
    empty = [turn.kl for turn in counted if is_empty(turn)]
    found = quiet_turns(episode)
    np.testing.assert_allclose(found.kl, empty, atol=1e-12)
    assert found.turns == len(counted)
    own = [turn for turn in agent_turns(episode) if not turn.in_opening and turn.tokens <= 4]
    short = [turn.kl for turn in own if turn.complete or turn.kl > 0]
    np.testing.assert_allclose(quiet_turns(episode, "short").kl, short, atol=1e-12)


def test_kl_of_the_nth_turn() -> None:
    kl = [[8.0, 1.0, 0.5], [6.0, 2.0], [4.0], []]
    turns = [quiet_turns(chat(*[BLANK] * len(each), LONG, kl=each)) for each in kl]
    found = nth_quiet_turn_kl(turns, (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(found.estimate, [[4, 1, 0.5], [6, 1, 0.5], [8, 2, 0.5]])
    assert found.n.tolist() == [3, 2, 1]
    assert np.isnan(found.standard_error).tolist() == [[False, False, True]] * 3


def test_kl_of_the_nth_turn_where_there_is_none() -> None:
    assert nth_quiet_turn_kl([]).estimate.shape == (3, 0)
    assert nth_quiet_turn_kl([quiet_turns(make_episode([LONG]))]).estimate.shape == (3, 0)
