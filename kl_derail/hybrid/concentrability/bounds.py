"""The orders of growth that theory promises, as curves; constants and logarithms are dropped.

N0 offline and N1 online episodes; an infinite coefficient makes the offline data worthless. Arguments
broadcast. Upper and lower bounds of the study have the same order, so one curve stands for both;
`two_point` is a lower bound with its constant.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import rel_entr

from kl_derail.hybrid.arrays import Floats


def effective(n_offline: npt.ArrayLike, n_online: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """N0 / C + N1: how many online episodes both kinds of data are worth."""
    return np.asarray(np.divide(n_offline, c) + np.asarray(n_online))


def suboptimality(n_offline: npt.ArrayLike, n_online: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """1 / sqrt(N0 / C(pi* | rho) + N1)."""
    return np.asarray(1 / np.sqrt(effective(n_offline, n_online, c)))


def regret(n_offline: npt.ArrayLike, n_online: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """sqrt(N1) sqrt(N1 / (N0 / C(pi^-eps | rho) + N1))."""
    return np.asarray(n_online / np.sqrt(effective(n_offline, n_online, c)))


def offline(n_offline: npt.ArrayLike, c_classical: npt.ArrayLike) -> Floats:
    """sqrt(C_cl / N0): pessimism on the offline data alone."""
    return np.asarray(np.sqrt(np.divide(c_classical, n_offline)))


def online(n_online: npt.ArrayLike) -> Floats:
    """1 / sqrt(N1): optimism without offline data."""
    return np.asarray(1 / np.sqrt(n_online))


def earlier_hybrid(
    n_offline: npt.ArrayLike,
    n_online: npt.ArrayLike,
    c_offline: npt.ArrayLike,
    c_online: npt.ArrayLike,
) -> Floats:
    """sqrt(C_off / (N0 + N1)) + sqrt(C_on / N1): the earlier way to use both."""
    both = np.add(n_offline, n_online)
    return np.asarray(np.sqrt(np.divide(c_offline, both)) + np.sqrt(np.divide(c_online, n_online)))


def two_point(samples: float) -> tuple[float, float]:
    """The least worst-case gap that any learner can guarantee on a two-point instance.

    A known action pays 1/2; another pays 1/2 + g or 1/2 - g, in {0, 1}, and was tried `samples`
    times (expected). By Bretagnolle and Huber the larger of both gaps is at least
    (g / 4) exp(-samples KL(1/2 - g, 1/2 + g)); here for the g that makes this largest.

    Returns:
        The bound, and its g.
    """

    def bound(gap: float) -> float:
        kl = float(rel_entr(0.5 - gap, 0.5 + gap) + rel_entr(0.5 + gap, 0.5 - gap))
        return gap / 4 * float(np.exp(-samples * kl))

    # The KL is at least 8 g^2, so the best g is at most 1 / sqrt(16 samples).
    most = min(0.5, 0.25 / np.sqrt(samples)) if samples > 0 else 0.5
    found = minimize_scalar(
        lambda gap: -bound(gap), bounds=(0, most), method="bounded", options={"xatol": 1e-6 * most}
    )
    return bound(float(found.x)), float(found.x)
