"""Random classes of models and random policies: cases for the pessimistic imitator's inequality.

C cases, N models, V symbols, T steps. Histories of t symbols are numbered [V^t], each before its
continuations: symbol x after history h makes h V + x.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kl_derail.theory.compiled import Floats
from kl_derail.theory.pessimism import pointwise_minimum, top_set

ZERO_SHARE = 0.15
"""Share of a model's probabilities that are zero."""


class Cases(NamedTuple):
    """Both sides of the inequality.

    Attributes:
        pessimistic: [C] sum of pi log(pi / nu_alpha) over whole sequences, nats.
        trusted: [C] sum of pi log(pi / mu), nats; may be infinite where mu is outside the set.
    """

    pessimistic: Floats
    trusted: Floats


def random_cases(
    rng: np.random.Generator,
    drawn: int,
    shape: tuple[int, int, int],
    *,
    keep_inside: bool = True,
) -> Cases:
    """Draw so many classes, posteriors, alphas and policies; keep those where the condition can be met.

    The policy never asks for help.

    Args:
        rng: of all draws.
        drawn: how many are drawn; of those with mu inside, an eighth (8 models, 2 symbols, 4 steps) to
            a third (5, 3, 3) are kept.
        shape: (N, V, T).
        keep_inside: the policy goes only where mu is in the set of models, at every history that it
            can reach: the inequality's condition. Otherwise it goes wherever nu_alpha lets it.
    """
    models, symbols, steps = shape
    tables = [_models(rng, (drawn, symbols**step, models), symbols) for step in range(steps)]
    log_prior = np.log(rng.dirichlet(np.ones(models), drawn))[:, None]
    alpha = rng.uniform(0.3, 1, (drawn, 1, 1))
    minima, inside = _pessimists(tables, log_prior, alpha)
    allowed = _allowed(minima, [each if keep_inside else np.ones_like(each) for each in inside])
    kept = allowed[0].any(axis=(1, 2))
    policy = [_policy(rng, each[kept]) for each in allowed]
    mu = [table[kept, :, 0] for table in tables]
    return Cases(
        _divergence(policy, [minimum[kept] for minimum in minima]), _divergence(policy, mu)
    )


def _models(rng: np.random.Generator, shape: tuple[int, ...], symbols: int) -> Floats:
    """Semimeasures [C, V^t, N, V]: uniform on the simplex with one more outcome, some set to zero."""
    drawn = rng.dirichlet(np.ones(symbols + 1), shape)[..., :symbols]
    return drawn * (rng.random(drawn.shape) >= ZERO_SHARE)


def _pessimists(
    tables: list[Floats], log_prior: Floats, alpha: Floats
) -> tuple[list[Floats], list[npt.NDArray[np.bool_]]]:
    """nu_alpha [C, V^t, V] at every history, and whether model 0, which is mu, is in the set, [C, V^t]."""
    minima, inside, log_weights = [], [], log_prior
    for table in tables:
        some = np.isfinite(log_weights).any(axis=-1, keepdims=True)
        held = top_set(np.where(some, log_weights, 0), alpha) & some
        minima.append(pointwise_minimum(table, held | ~some) * some)
        inside.append(held[..., 0])
        with np.errstate(divide="ignore"):
            after = log_weights[:, :, None] + np.log(table).swapaxes(2, 3)
        log_weights = after.reshape(len(table), -1, table.shape[2])
    return minima, inside


def _allowed(
    minima: list[Floats], inside: list[npt.NDArray[np.bool_]]
) -> list[npt.NDArray[np.bool_]]:
    """Steps [C, V^t, V] that the policy may take: nu_alpha can, and mu stays in the set to the end."""
    ahead: npt.NDArray[np.bool_] = np.ones(minima[-1].shape, np.bool_)
    found = list[npt.NDArray[np.bool_]]()
    for minimum, here in zip(reversed(minima), reversed(inside), strict=True):
        found.insert(0, (minimum > 0) & ahead.reshape(minimum.shape) & here[..., None])
        ahead = np.asarray(found[0].any(axis=-1))
    return found


def _policy(rng: np.random.Generator, allowed: npt.NDArray[np.bool_]) -> Floats:
    """Uniform on the simplex of the allowed steps, [C, V^t, V]; zeros where there are none."""
    drawn = rng.exponential(size=allowed.shape) * allowed
    total = drawn.sum(axis=-1, keepdims=True)
    return drawn / np.where(total > 0, total, 1)


def _divergence(policy: list[Floats], base: list[Floats]) -> Floats:
    """Sum over whole sequences of pi log(pi / base), by the chain rule, [C]."""
    reached, total = np.ones((len(policy[0]), 1)), np.zeros(len(policy[0]))
    for rows, below in zip(policy, base, strict=True):
        taken = rows > 0
        with np.errstate(divide="ignore"):
            ratio = np.log(np.where(taken, rows, 1) / np.where(taken, below, 1))
        cost = np.where(reached > 0, (rows * ratio).sum(axis=-1), 0)  # not infinity times 0
        total += (reached * cost).sum(axis=-1)
        reached = (reached[..., None] * rows).reshape(len(rows), -1)
    return total
