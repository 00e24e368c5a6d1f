"""Starting a behaviour only sometimes: what a probability p of doing so costs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

Floats = npt.NDArray[np.float64]


def start_cost(p: npt.ArrayLike, q: npt.ArrayLike, continuation: npt.ArrayLike = 0.0) -> Floats:
    """Exact KL, in nats, of a policy that starts a behaviour with probability p, and else follows the base.

    An expectation over chats: one that starts needs more, see `start_budget`.
    KL(Bern(p) || Bern(q)) + p x continuation: the chain rule for a policy that decides once, then
    plays the first turn as the base would if it said it, or what the base says otherwise.
    Increasing in p from p = q on. At p = 1 it is -log q + continuation, the price of the behaviour itself.

    Args:
        p: probability of starting, in [0, 1].
        q: mass that the base gives the start: exp(-cost of the first turn).
        continuation: cost of all that follows a start, nats.

    Returns:
        float64, the arguments broadcast; inf where p > 0 = q.

    >>> round(float(start_cost(1.0, 0.5, 3.0)), 6), float(start_cost(0.25, 0.25, 0.0))
    (3.693147, 0.0)
    """
    found: Floats = _decision(p, q) + np.asarray(p, np.float64) * np.asarray(continuation)
    return found


def start_budget(p: npt.ArrayLike, q: npt.ArrayLike, continuation: npt.ArrayLike = 0.0) -> Floats:
    """The budget, in nats, that a chat needs which starts a behaviour with probability p, and did start.

    KL(Bern(p) || Bern(q)) + continuation: a hard budget holds on every path, and a path that starts pays
    for all that follows, however seldom that is. At p = 1 it is `start_cost`, elsewhere more.

    Args:
        p: probability of starting, in [0, 1].
        q: mass that the base gives the start: exp(-cost of the first turn).
        continuation: cost of all that follows a start, nats.

    Returns:
        float64, the arguments broadcast; inf where p > 0 = q.

    >>> round(float(start_budget(1.0, 0.5, 3.0)), 6), float(start_budget(0.25, 0.25, 3.0))
    (3.693147, 3.0)
    """
    found: Floats = _decision(p, q) + np.asarray(continuation, np.float64)
    return found


def _decision(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """KL(Bern(p) || Bern(q)), nats."""
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if np.any((p < 0) | (p > 1) | (q < 0) | (q > 1)):
        raise ValueError("p and q are probabilities")
    found: Floats = np.maximum(rel_entr(p, q) + rel_entr(1 - p, 1 - q), 0.0)
    return found
