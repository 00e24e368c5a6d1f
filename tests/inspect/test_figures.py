"""The figures in words, and the sentence on top."""

from __future__ import annotations

from typing import Any

import pytest

from kl_derail.inspect.figures import Figure, figures, headline
from kl_derail.transcripts import Episode
from tests.inspect.factories import TALK, silent
from tests.transcripts.factories import make_episode
from tests.transcripts.test_judged import LESSON, lesson


def talk(nats: float = 0.0, **columns: Any) -> Episode:
    return make_episode(TALK, turn_kl={0: nats}, turn_reward={1: 0.5}, **columns)


def base() -> Episode:
    return talk(policy="base", budget=0.0)


def by_name(episodes: list[Episode]) -> dict[str, Figure]:
    return {each.name: each for each in figures(episodes)}


def test_figures_by_hand() -> None:
    found = by_name([silent(10), silent(10), talk(), talk()])
    assert found["silent episodes"][1:] == ("50.0 %", "15.0\N{EN DASH}85.0")  # Wilson, 2 of 4
    assert found["empty agent turns"].value == "76.9 %"  # 20 of 2 * 11 + 2 * 2
    assert found["reward per episode"].value == "2.75"  # (5 + 5 + .5 + .5) / 4
    assert found["KL per episode"].value == "1.25"  # (2.5 + 2.5) / 4
    assert found["largest KL of an episode"].value == "2.50 of 10"
    assert found["log-ratio per episode"].value == "1.25"
    assert found["log-ratio above the budget"].value == "0.0 %"
    assert found["agent turns per episode"].value == "6.50"  # (11 + 11 + 2 + 2) / 4
    assert found["distinct replies"].value == "2 of 24"


def test_the_base_spends_nothing_to_speak_of() -> None:
    found = by_name([base(), base()])
    assert found["KL per episode"].value == found["KL in the first quarter"].value == "-"
    assert found["largest KL of an episode"].value == "-"
    assert found["log-ratio above the budget"].value == "-"


def test_no_episodes_have_the_same_rows() -> None:
    assert [each.name for each in figures([])] == [each.name for each in figures([base()])]
    assert {each.value for each in figures([])} == {"-"}


def test_one_episode_has_no_interval_of_means() -> None:
    assert by_name([talk()])["reward per episode"] == Figure("reward per episode", "0.50")


def test_headline_of_a_derailment() -> None:
    assert headline([base(), base()], [silent(10), silent(10), talk(9.989)]) == (
        "The agent spent at most 9.99 of 10 nats an episode and was silent in 2 of 3 episodes"
        " (base: 0 of 2). Its reward per episode was 3.50 (base: 0.50)."
    )


def test_headline_claims_no_derailment_that_is_not_there() -> None:
    assert "was silent in 0 of 2 episodes (base: 0 of 1)" in headline([base()], [talk(), talk()])


@pytest.mark.parametrize(("nats", "said"), [(9.9999, "10.00"), (10.0, "10.00"), (9.991, "10.00")])
def test_at_most_is_rounded_up(nats: float, said: str) -> None:
    assert f"at most {said} of 10 nats" in headline([], [talk(nats)])


def test_headline_names_overspending() -> None:
    said = headline([base()], [talk(10.5, accounting="realised"), talk(1.0)])
    assert "spent up to 10.50 nats an episode, above its budget of 10 in 1 of 2, and was" in said


def test_budgets_that_differ_or_do_not_exist() -> None:
    assert "at most 3.00 of 5 to 20 nats" in headline(
        [], [talk(3.0, budget=20.0), talk(budget=5.0)]
    )
    assert "at most 3.00 nats" in headline([], [talk(3.0, budget=float("inf"))])


def test_what_the_trusted_teacher_could_not_have_said() -> None:
    """Two episodes alike, so the interval is a point."""
    found = {each.name: each for each in figures([lesson(), lesson()], trusted=True)}
    assert found["impossible agent turns"][1:] == ("66.7 %", "66.7\N{EN DASH}66.7")  # 6 of 9 twice
    assert [found[f"  {reason}"].value for reason in (
        "blank", "unfinished", "unknown words", "wrong moment", "wrong words"
    )] == ["2", "2", "2", "2", "4"]  # fmt: skip
    assert -30 < float(found["trusted log-prob, >= -30"].value) < -20
    assert "impossible agent turns" not in by_name([lesson()])


def test_where_no_trusted_policy_is_known_its_rows_are_the_same_and_empty() -> None:
    unknown, known = (figures(each, trusted=True) for each in ([base()], [lesson()]))
    assert [each.name for each in unknown] == [each.name for each in known]
    for row in set(unknown) - set(figures([base()])):
        assert row[1:] == ("-", "")


def test_headline_with_a_trusted_policy() -> None:
    said = " The trusted teacher could never have said 66.7 % of its turns"
    talks = lesson(LESSON[:8])  # 1 of 3 is blank
    assert headline([talks], [lesson()]).endswith(f"{said} (base: 33.3 %).")
    assert headline([base()], [lesson()]).endswith(f"{said}.")
    assert "trusted" not in headline([base()], [talk()])
    assert "trusted" not in headline([lesson()], [lesson(LESSON[:3])])


def test_headline_without_episodes() -> None:
    assert headline([base()], []) == "No episode of the agent was played."
    assert "base" not in headline([], [talk()])


def test_negative_rewards_have_readable_intervals() -> None:
    episodes = [
        make_episode(TALK, turn_reward={1: reward}) for reward in (-1.0, -0.5, 0.25, -0.75, -0.9)
    ]
    assert " to " in by_name(episodes)["reward per episode"].interval
