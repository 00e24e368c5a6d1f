"""Tables of episodes and turns: their numbers, their order, hostile text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from kl_derail.inspect.tables import (
    comparison_table,
    episode_table,
    facts,
    sort_episodes,
    turn_rows,
    turn_table,
)
from kl_derail.transcripts import Episode, spent
from tests.inspect.factories import no_tokens, one_token_a_turn, silent
from tests.inspect.sets import HOSTILE, agents, bases, talk
from tests.inspect.test_terminal import plain, segments
from tests.transcripts.factories import make_episode
from tests.transcripts.strategies import episodes
from tests.transcripts.test_judged import REASONS, lesson


@settings(max_examples=40)
@given(episodes())
def test_the_turns_add_up_to_what_was_spent(episode: Episode) -> None:
    nats = spent(episode)
    rows = turn_rows(episode)
    assert math.fsum(row.turn.kl for row in rows) == pytest.approx(nats.expected, abs=1e-9)
    assert math.fsum(row.turn.log_ratio for row in rows) == pytest.approx(nats.realised, abs=1e-9)


def test_episodes_by_hand() -> None:
    assert plain(episode_table(agents())) == [
        "no.  update  policy  budget    KL  reward  turns  empty  silent",
        "───────────────────────────────────────────────────────────────",
        "  0       -  agent       10  2.50    5.00     11   91 %  silent",
        "  1       -  agent       10  1.75    1.25      2    0 %",
        "  2       -  agent       10  4.75    9.50     20   95 %  silent",
    ]


def test_turns_by_hand() -> None:
    lines = plain(turn_table(talk()), 100)
    assert [line.split() for line in (*lines[2:6], lines[-1])] == [
        ["0", "Teacher", "5", "1.50", "1.50", "0.50", "Hello."],
        ["1", "Student", "4", "+0.75", "Hi."],
        ["2", "Teacher", "5", "0.25", "0.25", "0.50", "Go", "on."],
        ["3", "Student", "1", "+0.50", "cut", "Why?"],
        ["sum", "15", "1.75", "1.75", "+1.25"],
    ]
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("by", "order"),
    [("number", [0, 1, 2]), ("kl", [2, 0, 1]), ("reward", [2, 0, 1]), ("empty", [2, 0, 1])],
)
def test_order(by: str, order: list[int]) -> None:
    assert [each.episode for each in sort_episodes(agents()[::-1], by)] == order


def test_an_episode_without_turns_is_the_least_empty() -> None:
    found = sort_episodes([no_tokens(), talk(), silent(9)], "empty")
    assert [each.length for each in found][-1] == 0


def test_trusted_verdicts() -> None:
    assert "impossible" in plain(episode_table([lesson()]))[0]
    assert plain(episode_table([lesson()]))[2].endswith("6 of 9")
    lines = plain(turn_table(lesson()), 200)[2:]
    for turn, reason in REASONS.items():
        said = "impossible" if reason == "blank" else f"impossible ({reason})"
        assert (said in lines[turn]) == bool(reason)


def test_marks() -> None:
    words = ["Hello.", "Hi.", "", "Why?", "Hm", "Oh"]
    turns = [(("Teacher", "Student")[n % 2], f" {word}".rstrip()) for n, word in enumerate(words)]
    lines = plain(turn_table(make_episode(turns, opening_turns=1)), 100)
    said = [line[lines[0].index("text") :] for line in lines[2:8]]
    assert said == ["opening Hello.", "Hi.", "empty", "Why?", "short Hm", "cut Oh"]


def test_no_negative_zero() -> None:
    tiny = np.where(talk().kl > 0, -1e-9, 0)
    assert "-0.00" not in "\n".join(plain(turn_table(talk(log_ratio=tiny)), 100))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_hostile_text_is_only_text(width: int) -> None:
    episode = one_token_a_turn(HOSTILE)
    turned = Episode.from_columns({**episode.columns(), "turn_text": HOSTILE})
    for table in (turn_table(turned), episode_table([turned])):
        assert all(len(line) <= width for line in plain(table, width))
        for part in segments(table):
            assert not part.control
            assert not set(part.text) & set("\x1b\x00\x07\t\r\u202e\u200b\ufeff")
    assert any("[red]x[/red]:smile:" in line for line in plain(turn_table(turned), 200))


def test_a_long_script_is_cut() -> None:
    name = "scripted:" + "talk " * 99
    assert max(map(len, plain(episode_table([talk(policy=name)]), 200))) < 90


def test_nothing_to_show() -> None:
    assert plain(episode_table([]))
    assert plain(turn_table(no_tokens()))
    assert facts(no_tokens()).endswith("0 agent turns")


def test_facts() -> None:
    assert facts(silent(10)) == (
        "agent, episode 0, update 0: budget 10 nats, KL 2.50, log-ratio 2.50, reward 5.00,"
        " 11 agent turns, 91 % empty, silent"
    )


def test_comparison() -> None:
    lines = plain(comparison_table([("agent", agents()), ("[b]base", bases())]))
    assert "agent, n=3" in lines[0]
    assert "[b]base, n=3" in lines[0]
    silent_row = next(line for line in lines if line.startswith("silent episodes"))
    assert silent_row.split()[2:4] == ["66.7", "%"]
    assert "0.0 %" in silent_row
