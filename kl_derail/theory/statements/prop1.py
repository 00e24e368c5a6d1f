"""Proposition 1: staying close to an imitator that is close to the trusted policy is not staying close to that.

tau = Bern(0), pi = beta = Bern(min(eps, 1) / 2): KL(pi || beta) = 0 and KL(tau || beta) <= eps, but
KL(pi || tau) is infinite. A Bayesian imitator of tau is such a beta by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kl_derail.config import option
from kl_derail.errors import UserError
from kl_derail.plumbing.style import GREY, OKABE_ITO, caption, new_figure, plain_ticks
from kl_derail.theory.compiled import Floats
from kl_derail.theory.constraints import kl
from kl_derail.theory.mixture import LN2, first_belief, observe, prior
from kl_derail.theory.programs.machine import Machine
from kl_derail.theory.programs.table import machine_class
from kl_derail.theory.statements.base import Check, Result, distinct

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Proposition 1: KL(pi||beta) = 0 and a small KL(tau||beta) do not bound KL(pi||tau)"
ROUNDING = 1e-12
TRUSTED = Machine((1,), ((0, 0),))
"""tau: says 0 for ever."""


@dataclass(frozen=True)
class Options:
    """The closed form's eps, and the class that imitates tau."""

    epsilons: list[float] = option(
        [1.0, 0.1, 0.01, 0.001, 1e-4, 1e-6], "bounds on KL(tau||beta) (nats)", above=0
    )
    lengths: list[int] = option(
        [1, 10, 100, 1000, 10_000],
        "symbols of tau that the class has seen",
        minimum=1,
        maximum=1_000_000,
    )
    machines: list[str] = option([], "machines of the class; none listed: all within the limits")
    machine_bits: int = option(13, "longest machines of the class (bits)", minimum=5)
    max_states: int = option(3, "most states of a machine", minimum=1, maximum=26)


class Row(NamedTuple):
    """One pair pi = beta; divergences of the next symbol, nats.

    Attributes:
        beta: `Bern(min(eps, 1) / 2)`, or the class's mixture after some symbols of tau.
        eps: bound on KL(tau||beta); for the mixture, what is left of -log w(tau).
        symbols: what the class has seen; 0 for the closed form.
        beta_one: beta's probability of 1.
        log_beta_one: its logarithm, which is finite where the number is too small for a float.
        kl_pi_beta: KL(pi||beta), 0 as pi is beta.
        kl_tau_beta: KL(tau||beta).
        kl_pi_tau: KL(pi||tau).
    """

    beta: str
    eps: float
    symbols: int
    beta_one: float
    log_beta_one: float
    kl_pi_beta: float
    kl_tau_beta: float
    kl_pi_tau: float


def run(options: Options) -> Result:
    """Closed form and measured; the mixture's probabilities are given that it goes on.

    Raises:
        UserError: the class does not hold tau, or comes to say what tau says.
    """
    epsilons = distinct("--epsilons", options.epsilons)
    lengths = sorted(distinct("--lengths", options.lengths))
    table = machine_class(options.machines, options.machine_bits, options.max_states)
    place = table.row(TRUSTED)
    if place is None:
        raise UserError(f"--machines: the class does not hold tau, `{TRUSTED}`")
    log_prior = prior(table.bits)
    zeros = np.zeros(lengths[-1] + 1, np.uint8)
    _, predictive = observe(table, first_belief(table, log_prior), zeros)
    refuted = [count for count in lengths if predictive[count, 1] == -np.inf]
    if refuted:
        raise UserError(
            f"--machines: after {refuted[0]} symbols of tau no program of the class says 1, so that "
            "beta is tau and pi strays nowhere; list one that may, as `A 1/2 A A`"
        )
    spent = -predictive[:, 0]
    closed = [_closed_row(eps) for eps in epsilons]
    mixed = [
        _mixture_row(predictive[count], count, -log_prior[place] - float(spent[:count].sum()))
        for count in lengths
    ]
    total = float(spent.sum()), float(-log_prior[place])
    return Result(TITLE, [*closed, *mixed], _checks(closed, mixed, *total))


def _closed_row(eps: float) -> Row:
    return _row(f"Bern(min({eps:g}, 1) / 2)", eps, 0, math.log(min(eps, 1)) - LN2)


def _mixture_row(predictive: Floats, symbols: int, left: float) -> Row:
    log_one = float(predictive[1] - np.logaddexp(*predictive))
    return _row(f"mixture after {symbols}", left, symbols, log_one)


def _row(name: str, eps: float, symbols: int, log_one: float) -> Row:
    """A row: KL(pi||tau) is infinite as soon as pi(1) > 0, however small."""
    one = math.exp(log_one)
    to_tau = math.inf if log_one > -math.inf else 0.0
    return Row(name, eps, symbols, one, log_one, 0.0, -math.log1p(-one), to_tau)


def bernoulli(one: float) -> Floats:
    """Probabilities of 0 and 1, [2]."""
    return np.array([1 - one, one])


def _checks(
    closed: Sequence[Row], mixed: Sequence[Row], spent: float, allowed: float
) -> list[Check]:
    rows = [*closed, *mixed]
    by_definition = [kl(bernoulli(0.0), bernoulli(row.beta_one)) for row in rows]
    distances = [
        abs(row.kl_tau_beta - found) for row, found in zip(rows, by_definition, strict=True)
    ]
    return [
        Check(
            "KL(tau||beta) - eps, largest (closed form)",
            max(row.kl_tau_beta - row.eps for row in closed),
            "<=",
            0.0,
        ),
        Check(
            "-log(1 - beta(1)) to KL(tau||beta) by definition, largest",
            max(distances),
            "=",
            0.0,
            ROUNDING,
        ),
        Check(
            "KL(tau||mixture) - what is left of -log w(tau), largest",
            max(row.kl_tau_beta - row.eps for row in mixed),
            "<=",
            0.0,
            ROUNDING,
        ),
        Check("sum of -log mixture(0|h) <= -log w(tau), nats", spent, "<=", allowed),
        Check("KL(pi||tau), least = inf", min(row.kl_pi_tau for row in rows), "=", math.inf),
    ]


def draw(result: Result) -> Figure:
    """KL(tau||beta) against eps, and of the mixture against what it has seen; KL(pi||tau) is off the scale."""
    closed = [row for row in result.rows if not row.symbols]
    mixed = [row for row in result.rows if row.symbols]
    figure = new_figure(2.6)
    left, right = figure.subplots(1, 2)
    eps = [row.eps for row in closed]
    left.plot(eps, eps, color=GREY, linestyle=":", label="eps")
    left.plot(
        eps,
        [row.kl_tau_beta for row in closed],
        "o-",
        markersize=3.5,
        color=OKABE_ITO[0],
        label="KL(tau||beta)",
    )
    left.set(xlabel="eps (nats)", title="beta = Bern(min(eps, 1) / 2)")
    seen = [row.symbols for row in mixed]
    right.plot(
        seen,
        [row.kl_tau_beta for row in mixed],
        "o-",
        markersize=3.5,
        color=OKABE_ITO[0],
        label="KL(tau||mixture)",
    )
    right.set(xlabel="symbols of tau seen", title="beta = mixture of the class")
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", ylabel="nats, next symbol")
        top = axis.get_ylim()[1]
        axis.plot([], [], "^", markersize=4, color=OKABE_ITO[1], label="KL(pi||tau) = infinite")
        places = eps if axis is left else seen
        axis.plot(places, [top] * len(places), "^", markersize=4, color=OKABE_ITO[1], clip_on=False)
        axis.set_ylim(top=top)
        plain_ticks(axis.xaxis, places)
        axis.legend(loc="lower right" if axis is left else "lower left")
    plain_ticks(left.yaxis, [10.0**power for power in range(-6, 1)])
    plain_ticks(right.yaxis, [10.0**power for power in range(-300, 1, 50)])
    caption(
        figure,
        "tau says 0 for ever; pi = beta, so KL(pi||beta) = 0 everywhere. However little beta differs "
        "from tau, pi does what tau never does.",
    )
    return figure
