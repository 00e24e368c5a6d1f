"""Do the confidence bounds hold? |V^ - V| <= U^ for all policies and all times at once, counted over many runs.

Every run has a random environment of its own, some offline data of the uniform policy, and an agent that
plays argmax V^ + U^. A run fails if at any time any policy's value lies outside its bound. Tabular: all
deterministic policies, by enumeration (values and bounds are those of the tabular oracle). Bandit: all policies,
by the worst action of each context. All runs go on side by side as arrays.

    python launch/hybrid_coverage.py --runs 1000 --out results/hybrid
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from kl_derail.hybrid import bonuses
from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.plumbing import markdown
from kl_derail.plumbing.statistics import wilson
from kl_derail.plumbing.writing import replacing

HORIZON, STATES, ACTIONS = 3, 2, 2
CONTEXTS, ARMS, DIMENSION = 4, 5, 3
CELLS = HORIZON * STATES * ACTIONS
SLACK = 1e-12
SAMPLED = 64
ENDS = (10, 100)
TABULAR_SCALE, BANDIT_SCALE = math.sqrt(15), 5.0

TabularBonus = Callable[[Floats], Floats]
"""Counts [R, H, S, A, S] to bonuses [R, H, S, A]."""


@dataclass(frozen=True)
class Found:
    """What became of a bonus in so many runs.

    Attributes:
        bonus: name.
        claimed: whether theory claims it for all but a share delta of the runs.
        runs: R.
        failed: runs in which a bound broke, for any policy at any time.
        ratio: mean U^ over mean |V^ - V|, over policies, runs and all times.
        ratio_at: the same after so many episodes.
        tightest: largest |V^ - V| / U^ of any policy and time: its median over runs.
    """

    bonus: str
    claimed: bool
    runs: int
    failed: int
    ratio: float
    ratio_at: dict[int, float]
    tightest: float


class Tally:
    """Adds up errors and bounds along the episodes of R runs.

    Args:
        runs: R.
    """

    def __init__(self, runs: int) -> None:
        self._worst = np.zeros(runs)
        self._sums = np.zeros(2)
        self._at: dict[int, float] = {}
        self._broken = np.zeros(runs, bool)

    def add(self, episode: int, error: Floats, bound: Floats) -> None:
        """Errors |V^ - V| and bounds U^ of policies, [R, policies]."""
        self.broken((error > bound + SLACK).any(axis=1))
        share = error / np.maximum(bound, SLACK)
        np.maximum(self._worst, share.max(axis=1), out=self._worst)
        means = np.array([bound.mean(), error.mean()])
        self._sums += means
        self._at[episode] = float(means[0] / means[1])

    def broken(self, runs: npt.NDArray[np.bool_]) -> None:
        """Runs [R] in which a bound is broken now."""
        self._broken |= runs

    def found(self, bonus: str, *, claimed: bool) -> Found:
        """The summary."""
        last = max(self._at)
        return Found(
            bonus,
            claimed,
            len(self._broken),
            int(self._broken.sum()),
            float(self._sums[0] / self._sums[1]),
            {t: self._at[t] for t in sorted({*(e for e in ENDS if e < last), last})},
            float(np.median(self._worst)),
        )


def draw(cumulative: Floats, rng: np.random.Generator) -> Ints:
    """One index per run from cumulative probabilities [R, K], by inverse CDF."""
    uniform = rng.random((len(cumulative), 1)) * cumulative[:, -1:]
    return np.asarray((cumulative <= uniform).sum(axis=1), np.int64)


class Rule(NamedTuple):
    """A rule for tabular bonuses.

    Attributes:
        bonus: the width of each (h, s, a).
        clip: whether values are clipped to what is attainable.
        claimed: whether theory claims it.
    """

    bonus: TabularBonus
    clip: bool
    claimed: bool


def tabular_rules(delta: float) -> dict[str, Rule]:
    """All rules by name; the last is too narrow on purpose: the study must be able to fail."""
    span = np.arange(HORIZON)[::-1, None, None].astype(float)

    def hoeffding(counts: Floats) -> Floats:
        return bonuses.hoeffding(counts.sum(axis=-1), span, STATES, CELLS, delta)

    def bernstein(counts: Floats) -> Floats:
        visits = counts.sum(axis=-1)
        shares = counts / np.maximum(visits, 1)[..., None]
        deviation = np.sqrt(shares * (1 - shares)).sum(axis=-1)
        return bonuses.bernstein(visits, deviation, span, STATES + 1, CELLS, delta)

    def published(counts: Floats) -> Floats:
        return bonuses.published(counts.sum(axis=-1), TABULAR_SCALE)

    return {
        "tabular, Hoeffding": Rule(hoeffding, clip=True, claimed=True),
        "tabular, Bernstein": Rule(bernstein, clip=True, claimed=True),
        "tabular, published": Rule(published, clip=False, claimed=False),
        "tabular, a tenth of Hoeffding": Rule(
            lambda c: hoeffding(c) / 10, clip=True, claimed=False
        ),
    }


def model(counts: Floats) -> Floats:
    """[R, H, S, A, S] empirical transitions; uniform where nothing was seen."""
    visits = counts.sum(axis=-1, keepdims=True)
    return np.where(visits > 0, counts / np.maximum(visits, 1), 1 / STATES)


def all_policies(weights: Floats, transitions: Floats, clip: bool) -> Floats:
    """[R, P] what every deterministic policy collects of weights [R, H, S, A] from a uniform start."""
    choices = np.array(list(itertools.product(range(ACTIONS), repeat=STATES)))
    values = np.zeros((len(weights), STATES, 1))  # [R, S, continuations]
    for stage in reversed(range(HORIZON)):
        q = weights[:, stage, ..., None] + np.einsum(
            "rsat,rtk->rsak", transitions[:, stage], values
        )
        chosen = np.stack([q[:, np.arange(STATES), each] for each in choices], axis=-1)
        values = chosen.reshape(len(weights), STATES, -1)
        if clip:
            values = values.clip(0, HORIZON - stage)
    return values.mean(axis=1)


def optimist(weights: Floats, transitions: Floats, clip: bool) -> Ints:
    """[R, H, S] greedy actions of the optimistic plan."""
    plan = np.empty(weights.shape[:3], np.int64)
    following = np.zeros((len(weights), STATES))
    for stage in reversed(range(HORIZON)):
        q = weights[:, stage] + np.einsum("rsat,rt->rsa", transitions[:, stage], following)
        q = q.clip(0, HORIZON - stage) if clip else q
        plan[:, stage], following = q.argmax(axis=-1), q.max(axis=-1)
    return plan


def tabular(name: str, rule: Rule, runs: int, offline: int, online: int, seed: int) -> Found:
    """Random MDPs with known rewards in [0, 1] and a uniform start."""
    bonus, clip, claimed = rule
    rng = np.random.default_rng(seed)
    shape = (runs, HORIZON, STATES, ACTIONS)
    transitions, rewards = rng.dirichlet(np.ones(STATES), size=shape), rng.random(shape)
    cumulative, every = transitions.cumsum(axis=-1), np.arange(runs)
    truth, counts = all_policies(rewards, transitions, clip=False), np.zeros((*shape, STATES))
    tally = Tally(runs)
    for episode in track(range(-offline, online), name, console=Console(stderr=True)):
        estimated, width = model(counts), bonus(counts)
        if episode >= 0:
            error = np.abs(all_policies(rewards, estimated, clip) - truth)
            tally.add(episode + 1, error, all_policies(width, estimated, clip))
            plan = optimist(rewards + width, estimated, clip)
        else:
            plan = rng.integers(ACTIONS, size=shape[:-1])
        state = rng.integers(STATES, size=runs)
        for stage in range(HORIZON):
            action = plan[every, stage, state]
            following = draw(cumulative[every, stage, state, action], rng)
            counts[every, stage, state, action, following] += 1
            state = following
    return tally.found(name, claimed=claimed)


def bandit(
    name: str, scale: float | None, delta: float, runs: int, offline: int, online: int, seed: int
) -> Found:
    """Random linear bandits, ridge 1, noise uniform in [-1, 1], ||theta|| = 1.

    Args:
        name: of the bonus.
        scale: of the published bonus; None for the valid radius.
        delta: of the valid radius.
        runs: R.
        offline: N0.
        online: N1.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    features = _units(rng.standard_normal((runs, CONTEXTS, ARMS, DIMENSION)))
    theta = _units(rng.standard_normal((runs, DIMENSION)))
    means, every = np.einsum("rsad,rd->rsa", features, theta), np.arange(runs)
    sample = rng.integers(ARMS, size=(SAMPLED, CONTEXTS))
    precision, target = np.tile(np.eye(DIMENSION), (runs, 1, 1)), np.zeros((runs, DIMENSION))
    tally = Tally(runs)
    for episode in track(range(-offline, online), name, console=Console(stderr=True)):
        inverse = np.linalg.inv(precision)
        guess = np.einsum("rsad,rde,re->rsa", features, inverse, target)
        norms = np.sqrt(np.einsum("rsad,rde,rsae->rsa", features, inverse, features))
        log_det = np.linalg.slogdet(precision)[1]
        radius = np.array([_radius(each, delta) if scale is None else scale for each in log_det])
        width, error = radius[:, None, None] * norms, guess - means
        context, arm = rng.integers(CONTEXTS, size=runs), rng.integers(ARMS, size=runs)
        if episode >= 0:
            tally.broken(worst_excess(error, width) > SLACK)
            of_policies = partial(_policy_means, sample=sample)
            tally.add(episode + 1, np.abs(of_policies(error)), of_policies(width))
            arm = (guess + width)[every, context].argmax(axis=1)
        phi = features[every, context, arm]
        reward = means[every, context, arm] + rng.uniform(-1, 1, size=runs)
        precision += phi[:, :, None] * phi[:, None, :]
        target += reward[:, None] * phi
    return tally.found(name, claimed=scale is None)


def worst_excess(error: Floats, width: Floats) -> Floats:
    """[R] the largest |V^ - V| - U^ of any policy: its action in each context is the worst there.

    Args:
        error: [R, S, A] error of each mean reward; contexts are equally likely.
        width: [R, S, A] uncertainty of each.
    """
    both = [(signed - width).max(axis=2).mean(axis=1) for signed in (error, -error)]
    return np.maximum(*both)


def _units(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _radius(log_det: float, delta: float) -> float:
    return bonuses.elliptical_radius(log_det, 1.0, 1.0, 1.0, delta)


def _policy_means(values: Floats, sample: Ints) -> Floats:
    """[R, policies] means over contexts of values [R, S, A] at the policies' actions."""
    return np.asarray(values[:, np.arange(CONTEXTS), sample].mean(axis=-1))


def study(delta: float, runs: int, offline: int, online: int, seed: int) -> list[Found]:
    """All bonuses, each on the same environments."""
    sizes = (runs, offline, online, seed)
    found = [tabular(name, rule, *sizes) for name, rule in tabular_rules(delta).items()]
    valid = bandit("bandit, elliptical", None, delta, *sizes)
    return [*found, valid, bandit("bandit, published", BANDIT_SCALE, delta, *sizes)]


def show(found: list[Found], delta: float, offline: int) -> str:
    """A Markdown table, a bonus a line."""
    ends = list(found[0].ratio_at)
    head = ["bonus", "claimed", "runs", "failed", "share (95 %)", "U/error, all times"]
    head += [*(f"U/error, t = {t}" for t in ends), "tightest, median"]
    rows = []
    for each in found:
        share = wilson(each.failed, each.runs)
        rows.append([each.bonus, "yes" if each.claimed else "no", str(each.runs), str(each.failed)])
        rows[-1] += [f"{share.estimate:.3f} ({share.low:.3f} to {share.high:.3f})"]
        rows[-1] += [
            f"{each.ratio:.1f}",
            *(f"{each.ratio_at[t]:.1f}" for t in ends),
            f"{each.tightest:.3f}",
        ]
    lines = [
        f"A run fails if |V^ - V| > U^ for any policy after any of {ends[-1]} online episodes"
        f" ({offline} offline episodes before). U/error: mean U^ over mean |V^ - V|: a mean of"
        " ratios would have no bound, since single errors come close to 0. Tightest: the largest"
        f" |V^ - V| / U^ of a run. Claimed: by theory, for all but a share of {delta:g} of the runs.",
        f"Tabular: H = {HORIZON}, S = {STATES}, A = {ACTIONS}, all {ACTIONS ** (HORIZON * STATES)}"
        f" deterministic policies. Bandit: {CONTEXTS} contexts, {ARMS} arms, d = {DIMENSION}, all policies"
        f" (ratios: {SAMPLED} sampled ones).",
    ]
    return "\n\n".join([*lines, markdown.table(head, rows)]) + "\n"


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number from `least` on."""

    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"found {text}, allowed whole numbers >= {least}")
        return int(text)

    return whole


def probability(text: str) -> float:
    """Reads a number within (0, 1)."""
    try:
        if 0 < float(text) < 1:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"found {text}, allowed numbers > 0 and < 1")


def main() -> int:
    """Run, write coverage.json and coverage.md; exit code 1 if a valid bonus fails too often."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=at_least(1), default=1000)
    parser.add_argument("--offline", type=at_least(0), default=20)
    parser.add_argument("--online", type=at_least(1), default=1000)
    parser.add_argument("--delta", type=probability, default=0.05)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--out", type=Path, default=Path("results/hybrid"))
    options = parser.parse_args()
    found = study(options.delta, options.runs, options.offline, options.online, options.seed)
    text = show(found, options.delta, options.offline)
    record = {"delta": options.delta, "seed": options.seed, "found": [asdict(f) for f in found]}
    for name, content in (("json", json.dumps(record, indent=1) + "\n"), ("md", text)):
        with replacing(options.out / f"coverage.{name}") as partial_file:
            partial_file.write_text(content)
    print(text)
    return int(any(each.claimed and each.failed > options.delta * each.runs for each in found))


if __name__ == "__main__":
    raise SystemExit(main())
