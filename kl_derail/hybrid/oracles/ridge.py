"""Ridge regression that learns one observation at a time. D dimensions."""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid import arrays
from kl_derail.hybrid.arrays import Floats

RESOLVE_EVERY = 1000
"""Updates between exact inversions, which wipe out the drift of the updates in between."""


class Ridge:
    """Lambda = ridge I + sum phi phi^T and its inverse, b = sum phi r, theta^ = Lambda^-1 b.

    The inverse follows by the formula of Sherman and Morrison and is solved anew from time to time.

    Attributes:
        moment: Lambda, [D, D].
        inverse: of Lambda, [D, D].
        target: b, [D].
    """

    def __init__(
        self, dimension: int, ridge: float = 1.0, *, resolve_every: int = RESOLVE_EVERY
    ) -> None:
        arrays.check_number("ridge", ridge, "a finite number > 0", lambda number: number > 0)
        self.ridge, self.resolve_every = ridge, resolve_every
        self.moment: Floats = np.eye(dimension) * ridge
        self.inverse: Floats = np.eye(dimension) / ridge
        self.target: Floats = np.zeros(dimension)
        self._updates = 0

    def update(self, phi_D: Floats, reward: float) -> None:
        """Learn from one observation."""
        self.moment += np.multiply.outer(phi_D, phi_D)
        self.target += phi_D * reward
        self._updates += 1
        if self._updates % self.resolve_every == 0:
            self.inverse = symmetric_inverse(self.moment)
        else:
            direction = self.inverse @ phi_D
            scaled = direction / (1 + phi_D @ direction)
            self.inverse -= np.multiply.outer(direction, scaled)

    def update_all(self, phi_ND: Floats, rewards_N: Floats) -> None:
        """Learn from many observations at once."""
        self.moment += phi_ND.T @ phi_ND
        self.target += phi_ND.T @ rewards_N
        self.inverse = symmetric_inverse(self.moment)

    @property
    def theta(self) -> Floats:
        """theta^, [D]."""
        return np.asarray(self.inverse @ self.target)

    @property
    def log_det_ratio(self) -> float:
        """log(det Lambda / det(ridge I)), of `bonuses.elliptical_radius`."""
        log_det = float(np.linalg.slogdet(self.moment).logabsdet)
        return log_det - len(self.target) * float(np.log(self.ridge))

    def norms(self, phi_DN: Floats) -> Floats:
        """||phi|| in the inverse of Lambda, [N]; summed over dimensions in ascending order."""
        squares = (phi_DN * (self.inverse @ phi_DN)).sum(axis=0)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def symmetric_inverse(matrix_DD: Floats) -> Floats:
    """Inverse of a symmetric matrix, exactly symmetric."""
    inverse = np.linalg.inv(matrix_DD)
    return np.asarray((inverse + inverse.T) / 2)
