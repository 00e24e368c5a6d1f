"""The hybrid agent: optimistic online, pessimistic at the end.

For t = 1..N1: play argmax V^ + U^ (argmax U^ where only the output counts) on offline and online
data, add the episode. Output argmax V^ - U^. Purely online is N0 = 0, purely offline N1 = 0.

Reference: Huang, Li, Shi, Shen, Yang, UAI 2025, arXiv 2505.13768, Algorithms 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np

from kl_derail.errors import UserError
from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.data import OfflineData, Step
from kl_derail.hybrid.environments.base import NO_STATE, Environment
from kl_derail.hybrid.oracles.base import Oracle
from kl_derail.hybrid.sampling import cumulative, draw

Objective = Literal["suboptimality", "regret"]

EXPLORATION = {"suboptimality": (0.0, 1.0), "regret": (1.0, 1.0)}
"""Objective to the weights of V^ and U^ that online episodes maximise."""

PESSIMISM = (1.0, -1.0)
"""Weights of V^ and U^ that the output maximises."""


class Episode(NamedTuple):
    """What one online episode brought.

    Attributes:
        steps: as played.
        policy: that was played.
        regret: what it loses in expectation, see `Environment.regret`.
        uncertainty: U^ of it before the episode.
    """

    steps: list[Step]
    policy: Floats | Ints
    regret: float
    uncertainty: float


class Trace(NamedTuple):
    """A run; curves [N1] have a value after each online episode.

    Attributes:
        output: pessimistic policy on all data.
        output_gap: its sub-optimality; NaN where the environment does not know.
        gap: sub-optimality of the policy that would be put out; None where regret is the objective.
        regret: summed so far; None where sub-optimality is the objective.
        uncertainty: squares of U^_t(pi_t) summed so far: the Eluder-type sum.
        returns: sum of the realised rewards of each episode.
    """

    output: Floats | Ints
    output_gap: float
    gap: Floats | None
    regret: Floats | None
    uncertainty: Floats
    returns: Floats


@dataclass(frozen=True)
class HybridAgent:
    """Algorithm of the module, for one objective.

    Attributes:
        objective: "suboptimality" of the output, or "regret" of the online episodes.
    """

    objective: Objective = "suboptimality"

    def __post_init__(self) -> None:
        if self.objective not in EXPLORATION:
            allowed = ", ".join(EXPLORATION)
            raise UserError(f"objective: found {self.objective}, allowed {allowed}")

    def episodes(
        self, environment: Environment, oracle: Oracle, rng: np.random.Generator
    ) -> Iterator[Episode]:
        """Online episodes without end; the oracle has learnt from each when it is handed out.

        Actions of stochastic policies are drawn from a generator spawned from `rng`.
        """
        (chance,) = rng.spawn(1)
        while True:
            start = environment.reset(rng)
            oracle.visit(start)
            policy = oracle.argmax(*EXPLORATION[self.objective])
            uncertainty = oracle.estimate(policy, start).uncertainty
            steps = play(environment, policy, start, rng, chance)
            for step in steps:
                oracle.update(step)
            yield Episode(steps, policy, environment.regret(policy, start), uncertainty)

    def run(
        self,
        environment: Environment,
        oracle: Oracle,
        data: OfflineData | None,
        episodes: int,
        rng: np.random.Generator,
    ) -> Trace:
        """Learn from the data, play, put out a policy.

        Args:
            environment: to play in.
            oracle: that has seen nothing yet.
            data: N0 offline episodes; None for N0 = 0.
            episodes: N1 online episodes, may be 0.
            rng: of the online episodes.

        Raises:
            UserError: the data come from another environment, the oracle is for another shape, or
                episodes is negative.
        """
        arrays.check_count("N1", episodes)
        if oracle.shape not in ((), environment.shape):
            raise UserError(
                f"oracle of shape {oracle.shape} does not fit an environment of {environment.shape}"
            )
        if data is not None:
            data.check_fits(environment)
            oracle.learn(data)
        curves: Floats = np.zeros((4, episodes))
        for t, episode in enumerate(islice(self.episodes(environment, oracle, rng), episodes)):
            gap = np.nan
            if self.objective == "suboptimality":
                gap = environment.gap(oracle.argmax(*PESSIMISM))
            earned = sum(step.reward for step in episode.steps)
            curves[:, t] = gap, episode.regret, episode.uncertainty**2, earned
        output = oracle.argmax(*PESSIMISM)
        gaps, regrets, squares, returns = curves
        return Trace(
            output,
            environment.gap(output),
            gap=gaps if self.objective == "suboptimality" else None,
            regret=np.cumsum(regrets) if self.objective == "regret" else None,
            uncertainty=np.cumsum(squares),
            returns=returns,
        )


def play(
    environment: Environment,
    policy: Floats | Ints,
    start: int,
    rng: np.random.Generator,
    chance: np.random.Generator,
) -> list[Step]:
    """One episode of a policy.

    A policy of a bandit, or the same in every stage, has no axis of stages.

    Args:
        environment: to play in.
        policy: probabilities or actions.
        start: the first state.
        rng: of the environment.
        chance: of the actions of a stochastic policy; a deterministic one draws none. Kept apart, so
            that methods that share a seed share the luck of their environment in every episode.
    """
    state, steps = start, list[Step]()
    for stage in range(environment.horizon):
        action = choose(policy, stage, state, chance)
        reward, next_state = environment.step(stage, state, action, rng)
        steps.append(Step(stage, state, action, reward, next_state))
        if next_state == NO_STATE:
            break
        state = next_state
    return steps


def choose(policy: Floats | Ints, stage: int, state: int, rng: np.random.Generator) -> int:
    """The action that a policy takes: [H, S, A] or [S, A] probabilities, [H, S] or [S] actions."""
    if np.issubdtype(policy.dtype, np.integer):
        return int(policy[stage, state] if policy.ndim == 2 else policy[state])
    row = policy[stage, state] if policy.ndim == 3 else policy[state]
    return draw(cumulative(row.astype(np.float64)), rng)
