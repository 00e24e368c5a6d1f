"""The pessimistic imitator: what it promises, and how often it asks for help.

For policies that never ask: sum pi log(pi / nu_alpha) >= sum pi log(pi / mu), if mu is in the set of
models at every history that pi can reach (Cohen, Hutter, Bengio and Russell, 2025).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.plumbing.statistics import t_interval
from kl_derail.plumbing.style import caption, colours, new_figure, plain_ticks
from kl_derail.theory.compiled import Floats
from kl_derail.theory.mixture import prior
from kl_derail.theory.pessimism import Apprenticeship, apprentice
from kl_derail.theory.programs.machine import Machine, parse_machine, sample
from kl_derail.theory.programs.table import MachineTable, machine_class
from kl_derail.theory.random_imitators import random_cases
from kl_derail.theory.statements.base import Check, Result, distinct, skipped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "The pessimistic imitator: nu_alpha bounds the trusted model, and asks less as it learns"
ROUNDING = 1e-12
BATCH = 5000
SHAPE = (5, 3, 3)
"""Models, symbols and steps of a random case."""


@dataclass(frozen=True)
class Options:
    """The class, the demonstrator, and how many random cases."""

    trusted: str = option("A 1/8 B B; B 1/4 A A", "trusted program that demonstrates")
    alphas: list[float] = option(
        [0.9, 0.9999, 0.99999, 0.999999], "posterior mass of the set", above=0, maximum=1
    )
    turns: int = option(3000, "length of an apprenticeship (turns)", minimum=11, maximum=1_000_000)
    machines: list[str] = option([], "machines of the class; none listed: all within the limits")
    machine_bits: int = option(13, "longest machines of the class (bits)", minimum=5)
    max_states: int = option(3, "most states of a machine", minimum=1, maximum=26)
    repeats: int = option(5, "apprenticeships an alpha", minimum=1, maximum=1000)
    cases: int = option(
        10_000, "random cases of the inequality, at least", minimum=1, maximum=10**7
    )
    seed: int = option(0, "first seed", minimum=0)


class Row(NamedTuple):
    """One alpha, one span of turns.

    Attributes:
        alpha: posterior mass of the set.
        left_out: 1 - alpha.
        first: turn of the span.
        last: turn of the span.
        asking: share of turns in which it asks, mean over apprenticeships.
        low: of a 95 % interval (Student) over apprenticeships.
        high: of it.
        within: share of turns in which nu_alpha is at most the demonstrator's probability.
        risk: bound on the probability that the demonstrator's program ever leaves the set.
    """

    alpha: float
    left_out: float
    first: int
    last: int
    asking: float
    low: float
    high: float
    within: float
    risk: float


def run(options: Options) -> Result:
    """Apprenticeships at every alpha, random cases, and a case outside the condition.

    Raises:
        UserError: the demonstrator halts, or is not in the class.
    """
    table = machine_class(options.machines, options.machine_bits, options.max_states)
    trusted = _demonstrator(options, table)
    alphas = distinct("--alphas", options.alphas)
    rows = [row for alpha in alphas for row in _rows(options, table, trusted, alpha)]
    return Result(TITLE, rows, [*_promise(options), *_asking(rows, alphas)])


def _demonstrator(options: Options, table: MachineTable) -> Machine:
    trusted = parse_machine(options.trusted)
    if table.row(trusted) is None:
        raise UserError(
            f"--trusted: `{trusted}` ({len(trusted.code())} bits) is not in the class: list it in "
            f"--machines, or raise --machine_bits ({options.machine_bits}) or --max_states"
        )
    if len(sample(trusted, 2 * options.turns, options.seed)) < 2 * options.turns:
        raise UserError(f"--trusted: `{trusted}` halts")
    return trusted


def _rows(options: Options, table: MachineTable, trusted: Machine, alpha: float) -> list[Row]:
    log_prior = prior(table.bits)
    found = [
        apprentice(table, log_prior, trusted, alpha, options.turns, options.seed + repeat)
        for repeat in range(options.repeats)
    ]
    edges = [0, *(e for e in _EDGES if e < options.turns), options.turns]
    risk = risk_bound(alpha, float(log_prior[table.row(trusted)]))
    return [_row(alpha, first, last, found, risk) for first, last in pairwise(edges)]


def risk_bound(alpha: float, log_prior: float) -> float:
    """Bound on the probability that a true model of that prior (nats) is ever left out of the set.

    A model left out has a posterior of at most 1 - alpha, and 1 / posterior of the true model is a
    supermartingale that begins at 1 / prior (Ville's inequality). At most 1, where it says nothing.

    >>> risk_bound(0.99, math.log(0.1))
    0.1...
    """
    return min(1.0, (1 - alpha) / math.exp(log_prior))


_EDGES = tuple(step * 10**power for power in range(1, 7) for step in (1, 3))


def _row(alpha: float, first: int, last: int, found: Sequence[Apprenticeship], risk: float) -> Row:
    asking = t_interval([each.asking[first:last].mean() for each in found])
    within = float(np.mean([each.within[first:last].mean() for each in found]))
    low, high = np.clip([asking.low, asking.high], 0, 1).tolist()  # a share
    return Row(alpha, 1 - alpha, first + 1, last, asking.estimate, low, high, within, risk)


def _promise(options: Options) -> list[Check]:
    """The inequality in random cases, and how often it breaks where mu may leave the set."""
    rng = np.random.default_rng(options.seed)
    inside, outside = (_gaps(rng, options.cases, keep_inside=keep) for keep in (True, False))
    claim = f"KL to mu - KL to nu_alpha, largest of {len(inside)} cases with mu in the set"
    broken = f"share of {len(outside)} cases that break it where mu may be outside"
    return [
        Check(claim, float(inside.max()), "<=", 0.0, ROUNDING),
        Check(f"0 < {broken}", 0.0, "<", float((outside > ROUNDING).mean())),
    ]


def _gaps(rng: np.random.Generator, cases: int, *, keep_inside: bool) -> Floats:
    """KL to mu less KL to nu_alpha, nats, in at least so many random cases."""
    found: list[Floats] = []
    while sum(map(len, found)) < cases:
        drawn = random_cases(rng, BATCH, SHAPE, keep_inside=keep_inside)
        found.append(drawn.trusted - drawn.pessimistic)
    return np.concatenate(found)


def _asking(rows: Sequence[Row], alphas: Sequence[float]) -> list[Check]:
    checks = []
    for alpha in alphas:
        mine = [row for row in rows if row.alpha == alpha]
        claim = (
            f"alpha {alpha}: it asks less in turns {mine[-1].first}-{mine[-1].last} than at first"
        )
        if mine[0].asking:
            checks.append(Check(claim, mine[-1].asking, "<", mine[0].asking))
        else:
            checks.append(skipped(claim, "<", "it never asks at first"))
    return checks


def draw(result: Result) -> Figure:
    """Asking, and staying within the demonstrator, against turns; one line an alpha."""
    figure = new_figure(2.8)
    left, right = figure.subplots(1, 2)
    alphas = sorted({row.alpha for row in result.rows})
    for alpha, colour in zip(alphas, colours(len(alphas)), strict=True):
        rows = [row for row in result.rows if row.alpha == alpha]
        middles = [(row.first * row.last) ** 0.5 for row in rows]
        left.plot(
            middles,
            [row.asking for row in rows],
            "o-",
            markersize=3.5,
            color=colour,
            label=f"alpha = {alpha}",
        )
        low, high = [row.low for row in rows], [row.high for row in rows]
        left.fill_between(middles, low, high, color=colour, alpha=0.15, linewidth=0)
        right.plot(middles, [row.within for row in rows], "o-", markersize=3.5, color=colour)
    left.set(xscale="log", xlabel="turn", ylabel="share of turns with help", ylim=(0, None))
    right.set(xscale="log", xlabel="turn", ylim=(-0.03, 1.03))
    right.set_ylabel("share of turns within")
    left.legend()
    for axis in (left, right):
        plain_ticks(axis.xaxis, [edge for edge in (1, *_EDGES) if edge <= result.rows[-1].last])
    caption(
        figure,
        "Within: nu_alpha is at most the demonstrator's probability of both actions. Means over spans "
        "of turns; bands: 95 % t intervals over apprenticeships. When it asks, the demonstrator acts, "
        "and only then does an action count as evidence.",
    )
    return figure
