"""The pessimistic imitator: as likely as the least of the models that hold the top posterior mass.

nu_alpha(x|h) = min of nu(x|h) over the smallest set of top models whose posterior reaches alpha.
What it lacks to one is the probability of asking for help.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.theory.compiled import Floats
from kl_derail.theory.mixture import Belief, move_on, normalised, observe
from kl_derail.theory.programs.machine import LEVELS, Machine
from kl_derail.theory.programs.table import MachineTable


def top_set(log_weights: Floats, alpha: float | Floats) -> npt.NDArray[np.bool_]:
    """Which models belong to the smallest set of top models whose posterior mass reaches alpha.

    Of models with equal weight, those with the lower index come first. Masses are added up from the
    least on, in logarithms, so that no small one is lost; at alpha = 1 all that are not refuted belong.

    Args:
        log_weights: [..., N] log of weights with any sum, nats; at least one is finite.
        alpha: in (0, 1], a number or [..., 1].
    """
    order = np.argsort(-log_weights, axis=-1, kind="stable")
    ranked = np.take_along_axis(normalised(log_weights), order, axis=-1)
    tail = np.logaddexp.accumulate(ranked[..., ::-1], axis=-1)[..., ::-1]
    with np.errstate(divide="ignore"):
        left_out = np.log(1 - np.asarray(alpha, np.float64))
    held = np.empty(order.shape, bool)
    kept = tail > left_out
    kept[..., 0] = True  # however small alpha is
    np.put_along_axis(held, order, kept, axis=-1)
    return held


def pointwise_minimum(probabilities: Floats, held: npt.NDArray[np.bool_]) -> Floats:
    """nu_alpha: the least of the held models' probabilities of each symbol, [..., V].

    Args:
        probabilities: [..., N, V] of each model.
        held: [..., N], as `top_set` gives it, at least one a row.
    """
    return np.asarray(np.where(held[..., None], probabilities, np.inf).min(axis=-2))


def pessimistic(table: MachineTable, belief: Belief, alpha: float) -> Floats:
    """nu_alpha of the next symbol over a class of machines, [2]; the rest is asking for help."""
    held = np.flatnonzero(top_set(belief.log_weights, alpha))
    return np.asarray(LEVELS[table.emissions[held, belief.states[held]]].min(axis=0))


class Apprenticeship(NamedTuple):
    """How an imitator fared that asks the demonstrator, T turns.

    Attributes:
        asking: probability of asking for help in each turn, [T].
        within: whether nu_alpha was at most the demonstrator's probability of both actions, [T].
    """

    asking: Floats
    within: npt.NDArray[np.bool_]


def apprentice(
    table: MachineTable, log_prior: Floats, trusted: Machine, alpha: float, turns: int, seed: int
) -> Apprenticeship:
    """Act by nu_alpha; where it asks, the demonstrator acts, and only that is evidence about actions.

    The demonstrator's program says the observations too, whoever acted, and they are evidence always.

    Args:
        table: the class.
        log_prior: [N] nats.
        trusted: the demonstrator; must not halt.
        alpha: posterior mass of the set.
        turns: T.
        seed: of all draws.
    """
    belief, state = Belief(log_prior, np.zeros(len(log_prior), np.uint8)), 0
    asking, within = np.zeros(turns), np.zeros(turns, bool)
    for turn, (own, shown, seen) in enumerate(np.random.default_rng(seed).random((turns, 3))):
        table, belief = _living(table, belief)
        minimum, truth = pessimistic(table, belief, alpha), LEVELS[trusted.emissions[state]]
        asking[turn] = 1 - minimum.sum()
        within[turn] = (minimum <= truth).all()
        if own < minimum.sum():
            action = int(own >= minimum[0])
            belief = move_on(table, belief, action)
        else:
            action = int(shown >= truth[0])
            belief, _ = observe(table, belief, np.array([action], np.uint8))
        state = trusted.moves[state][action]
        observation = int(seen >= LEVELS[trusted.emissions[state]][0])
        belief, _ = observe(table, belief, np.array([observation], np.uint8))
        state = trusted.moves[state][observation]
    return Apprenticeship(asking, within)


def _living(table: MachineTable, belief: Belief) -> tuple[MachineTable, Belief]:
    """Without the refuted machines, once they are the most: they never come back."""
    alive = np.isfinite(belief.log_weights)
    if 2 * np.count_nonzero(alive) > len(alive):
        return table, belief
    return table.rows(alive), Belief(belief.log_weights[alive], belief.states[alive])
