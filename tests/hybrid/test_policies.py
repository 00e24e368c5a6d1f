from __future__ import annotations

import numpy as np
import pytest

from kl_derail.errors import UserError
from kl_derail.hybrid import policies
from kl_derail.hybrid.environments.bandit import random_bandit
from tests.hybrid import truth

MDP = truth.tiny_mdp(0)
BANDIT = random_bandit(np.random.default_rng(0), contexts=3, arms=4, dimension=2)


def test_behaviours_are_ordered_by_what_they_lose() -> None:
    mdp_gaps = [
        MDP.gap(policy)
        for policy in (
            policies.optimal(MDP),
            policies.softmax_values(MDP, 2.0),
            policies.uniform(MDP),
        )
    ]
    bandit_gaps = [
        BANDIT.gap(policy)
        for policy in (
            policies.optimal(BANDIT),
            policies.softmax_rewards(BANDIT, 5.0),
            policies.uniform(BANDIT),
            policies.softmax_rewards(BANDIT, -10.0),
        )
    ]
    assert mdp_gaps[0] == pytest.approx(0, abs=1e-12)
    assert bandit_gaps[0] == pytest.approx(0, abs=1e-12)
    assert mdp_gaps == sorted(mdp_gaps)
    assert bandit_gaps == sorted(bandit_gaps)


def test_of_equal_actions_the_first() -> None:
    np.testing.assert_array_equal(policies.greedy(np.array([[1.0, 1.0], [0.0, 1.0]])), [0, 1])


def test_actions_and_their_rows_are_the_same_policy() -> None:
    actions = policies.optimal(MDP)
    rows = policies.as_stochastic(actions, MDP.shape)
    assert MDP.value(actions) == MDP.value(rows)
    np.testing.assert_array_equal(policies.as_stochastic(rows, MDP.shape), rows)
    small = policies.as_stochastic(actions.astype(np.int8), MDP.shape)
    np.testing.assert_array_equal(small, rows)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (np.full((2, 2, 3), 0.3), "rows must sum to 1"),
        (np.full((2, 3), 1 / 3), "3 non-empty dimensions expected"),
        (np.full((2, 3, 2), 0.5), r"shape \(2, 2, 3\) expected, found \(2, 3, 2\)"),
        (np.full((2, 2), 3), r"actions 0\.\.2 expected, found 3\.\.3"),
        (np.full((2, 2), -1), r"actions 0\.\.2 expected, found -1\.\.-1"),
        (np.zeros((3, 2), dtype=int), r"shape \(2, 2\) expected, found \(3, 2\)"),
        (np.full((2, 2, 3), np.nan), "not finite"),
    ],
)
def test_impossible_policies_are_one_line(policy: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=f"^policy: .*{message}"):
        policies.as_stochastic(policy, (2, 2, 3))
