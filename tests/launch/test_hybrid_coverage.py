"""The statistical coverage study, in miniature, and its arithmetic against the reference oracles."""

from __future__ import annotations

import itertools
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kl_derail.hybrid.data import Step
from kl_derail.hybrid.environments.tabular import TabularMDP
from kl_derail.hybrid.oracles import tabular as oracles

SCRIPT = Path(__file__).parents[2] / "launch" / "hybrid_coverage.py"
DELTA = 0.05


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def policies(shape: tuple[int, int, int]) -> list[np.ndarray]:
    """In the order of the script: the last stage slowest, within a stage the last state fastest."""
    horizon, states, actions = shape
    choices = list(itertools.product(range(actions), repeat=states))
    every = itertools.product(choices, repeat=horizon)
    return [np.array(each[::-1]) for each in every]


def world(script: dict[str, Any], seed: int = 0) -> TabularMDP:
    rng = np.random.default_rng(seed)
    shape = (script["HORIZON"], script["STATES"], script["ACTIONS"])
    rows = rng.dirichlet(np.ones(shape[1]), size=shape)
    return TabularMDP(rows, rng.random(shape), np.full(shape[1], 1 / shape[1]))


def test_values_are_those_of_every_policy(script: dict[str, Any]) -> None:
    mdp = world(script)
    found = script["all_policies"](mdp.rewards[None], mdp.transitions[None], clip=False)[0]
    expected = [mdp.value(policy) for policy in policies(mdp.shape)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "bonus", "clipped"),
    [
        ("Hoeffding", oracles.hoeffding(DELTA), True),
        ("Bernstein", oracles.bernstein(DELTA), True),
        ("published", oracles.published(np.sqrt(15)), False),
    ],
)
def test_bounds_are_those_of_the_oracle(
    script: dict[str, Any], rule: str, bonus: oracles.Bonus, clipped: bool
) -> None:
    mdp, rng = world(script), np.random.default_rng(1)
    counts = rng.poisson(300 * mdp.transitions).astype(float)
    counts[1, 0, 1] = 0
    oracle = oracles.TabularOracle(
        mdp.shape,
        bonus,
        rewards=mdp.rewards,
        initial=mdp.initial,
        reward_range=(0.0, 1.0) if clipped else None,
    )
    for (stage, state, action, following), count in np.ndenumerate(counts):
        for _ in range(int(count)):
            oracle.update(Step(stage, state, action, 0.0, following))
    chosen = script["tabular_rules"](DELTA)[f"tabular, {rule}"]
    assert chosen.clip == clipped
    model, width = script["model"](counts[None]), chosen.bonus(counts[None])
    values = script["all_policies"](mdp.rewards[None], model, chosen.clip)[0]
    bounds = script["all_policies"](width, model, chosen.clip)[0]
    for policy, value, bound in zip(policies(mdp.shape), values, bounds, strict=True):
        assert oracle.estimate(policy) == pytest.approx((value, bound), rel=1e-9)
    np.testing.assert_array_equal(
        script["optimist"](mdp.rewards + width, model, chosen.clip)[0], oracle.argmax(1, 1)
    )


def test_valid_bounds_hold_and_narrow_ones_are_caught(
    tmp_path: Path, script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["x", "--runs", "200", "--online", "60", "--out", str(tmp_path)]
    )
    assert script["main"]() == 0
    record = json.loads((tmp_path / "coverage.json").read_text())
    found = {each["bonus"]: each for each in record["found"]}
    assert all(each["failed"] <= DELTA * 200 for each in found.values() if each["claimed"])
    assert sum(each["claimed"] for each in found.values()) == 3
    narrow = found["tabular, a tenth of Hoeffding"]
    assert narrow["failed"] > DELTA * 200
    wide = found["tabular, Hoeffding"]
    assert wide["ratio"] > 5 * narrow["ratio"] > 0
    assert (tmp_path / "coverage.md").read_text().count("\n| ") == 8


@pytest.mark.parametrize(
    ("flag", "value"), [("--runs", "0"), ("--online", "-1"), ("--delta", "1"), ("--delta", "x")]
)
def test_what_makes_no_sense_is_one_line(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any, flag: str, value: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", flag, value])
    with pytest.raises(SystemExit) as caught:
        script["main"]()
    assert caught.value.code == 2
    assert f"argument {flag}: found {value}, allowed" in capsys.readouterr().err


def test_runs_are_drawn_by_their_probabilities(script: dict[str, Any]) -> None:
    rows = np.tile(np.array([0.2, 0.0, 0.5, 0.3]), (40_000, 1)).cumsum(axis=1)
    found = np.bincount(script["draw"](rows, np.random.default_rng(0)), minlength=4) / 40_000
    assert found == pytest.approx([0.2, 0.0, 0.5, 0.3], abs=0.01)


def test_the_worst_policy_of_a_bandit_is_found(script: dict[str, Any]) -> None:
    rng, (contexts, arms) = np.random.default_rng(0), (script["CONTEXTS"], script["ARMS"])
    error, width = rng.standard_normal((1, contexts, arms)), rng.random((1, contexts, arms))
    excess = [
        abs(np.mean([error[0, s, a] for s, a in enumerate(policy)]))
        - np.mean([width[0, s, a] for s, a in enumerate(policy)])
        for policy in itertools.product(range(arms), repeat=contexts)
    ]
    assert script["worst_excess"](error, width) == pytest.approx([max(excess)])
