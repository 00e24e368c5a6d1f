"""Coefficients of earlier work, beside the new one: ratios of visits, and where offline data end.

Visits are occupancies [pairs], as in `kl_derail.hybrid.concentrability.problems`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from kl_derail.hybrid.arrays import Floats
from kl_derail.hybrid.concentrability.bounds import earlier_hybrid
from kl_derail.hybrid.concentrability.problems import RANK_TOLERANCE
from kl_derail.hybrid.environments.arms import ArmsBandit
from kl_derail.hybrid.environments.bandit import LinearBandit


class Split(NamedTuple):
    """The parts that offline data answer for, and the rest.

    Attributes:
        c_offline: C_off, the largest reach / d^rho among the parts left to offline data, as a share of
            the number of parts of a stage; 0 for none.
        c_online: C_on, the parts of a stage that online interaction has to learn, as a share of the same.
    """

    c_offline: float
    c_online: float


class Splits(NamedTuple):
    """All sensible splits of P parts, from all online to all offline; see `Split`.

    Attributes:
        c_offline: [P + 1], rising.
        c_online: [P + 1], falling from 1 to 0.
    """

    c_offline: Floats
    c_online: Floats


def ratios(target: Floats, data: Floats) -> Floats:
    """D / d^rho of each pair: 0 where d is 0, infinite where only d^rho is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(target > 0, target / data, 0.0)


def ratio(target: Floats, data: Floats) -> float:
    """The largest d / d^rho.

    For the optimal policy: single-policy concentrability (Rashidinejad et al., 2021). With `reach`
    in place of d: the largest over all policies.
    """
    return float(ratios(target, data).max())


def partial_ratio(target: Floats, data: Floats, missing: float) -> float:
    """The least largest ratio over sets that hold all but a share `missing` of the target's visits.

    Single-policy partial concentrability (Li, Zhan, Lee, Chi and Chen, 2023), without the clipping.
    """
    by_ratio = np.argsort(ratios(target, data), axis=None)
    held = np.cumsum(target.ravel()[by_ratio])
    enough = int(np.searchsorted(held, (1 - missing) * held[-1] * (1 - 1e-12)))
    return float(ratios(target, data).ravel()[by_ratio[min(enough, held.size - 1)]])


def splits(reach: Floats, data: Floats, *, stages: int = 1) -> Splits:
    """All ways to leave the k best-covered parts to offline data and the others to online interaction.

    After Tan and Xu (2024): offline data pay for the worst coverage in their part, online interaction
    for the size of its own. Both are divided by the number of parts of a stage: pairs (S A), or
    dimensions of a linear model (see `directions`). So all online is C_on = 1, and so is all offline,
    C_off = 1, of data that are spread evenly over what is always within reach.

    Args:
        reach: [parts] the most that any policy visits each part.
        data: [parts] visits of the behaviour policy.
        stages: over which the parts are spread, H.
    """
    worst = np.concatenate([[0.0], np.sort(ratios(reach, data), axis=None)])
    return Splits(worst * stages / reach.size, np.arange(reach.size, -1, -1) / reach.size)


class Directions(NamedTuple):
    """The parts of linear models: the principal directions x of the data of each.

    Attributes:
        reach: [M, D] the largest x' E_pi[phi phi'] x of any policy.
        data: [M, D] x' E_rho[phi phi'] x.
    """

    reach: Floats
    data: Floats


def directions(environment: LinearBandit | ArmsBandit, data: Floats) -> Directions:
    """The parts into which `splits` divides a bandit's D dimensions, or the A D of one model per arm.

    With one-hot features these are the pairs.

    Args:
        environment: the bandit.
        data: [S, A] occupancy of the behaviour policy.
    """
    contexts = environment.contexts
    if isinstance(environment, LinearBandit):
        each = _principal(environment.features, contexts, data)
        return Directions(*(part[None] for part in each))
    models = [_principal(environment.users[:, None], contexts, arm[:, None]) for arm in data.T]
    return Directions(*(np.stack(part) for part in zip(*models, strict=True)))


def _principal(features: Floats, contexts: Floats, data: Floats) -> tuple[Floats, Floats]:
    """Reach and data [D] along the principal directions of the data, of features [S, A, D]."""
    moment = np.einsum("sa,sad,sae->de", data, features, features)
    scales, axes = np.linalg.eigh(moment)
    scales = np.where(scales > RANK_TOLERANCE * max(scales[-1], 0.0), scales, 0.0)
    return contexts @ np.square(features @ axes).max(axis=1), scales


def best_split(every: Splits, n_offline: int, n_online: int) -> Split:
    """The split that minimises the earlier hybrid bound at N0 and N1 > 0."""
    best = int(np.argmin(earlier_hybrid(n_offline, n_online, *every)))
    return Split(float(every.c_offline[best]), float(every.c_online[best]))


def relative_condition_number(features: Floats, target: Floats, data: Floats) -> float:
    """The largest x' E_pi[phi phi'] x / x' E_rho[phi phi'] x: what ratios become with linear features.

    Args:
        features: [S, A, D].
        target: [S, A] occupancy of the policy asked about.
        data: [S, A] occupancy of the behaviour policy.

    Returns:
        Infinity where the data leave out a direction that the target uses.
    """
    moments = [np.einsum("sa,sad,sae->de", each, features, features) for each in (target, data)]
    scales, directions = np.linalg.eigh(moments[1])
    seen = scales > 1e-10 * scales[-1]
    unseen = directions[:, ~seen]
    if np.trace(unseen.T @ moments[0] @ unseen) > 1e-10 * np.trace(moments[0]):
        return np.inf
    inside = directions[:, seen]
    return float(eigh(inside.T @ moments[0] @ inside, np.diag(scales[seen]), eigvals_only=True)[-1])
