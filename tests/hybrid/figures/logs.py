"""Logs by hand: power laws with noise that the methods of a trial share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kl_derail.hybrid.experiment.log import TrialCurve, append, checkpoints

METHODS = {"online": ("", 0, 1.0), "rho1": ("optimal", 500, 0.5), "rho2": ("uniform", 500, 0.7)}
SIZES = {
    "online": ("", 0, 1.0),
    "N0=500": ("uniform", 500, 0.8),
    "N0=1000": ("uniform", 1000, 0.6),
    "N0=2000": ("uniform", 2000, 0.4),
}


def write_log(
    folder: Path,
    objective: str = "suboptimality",
    *,
    methods: dict[str, tuple[str, int, float]] = METHODS,
    trials: int = 12,
    episodes: int = 20_000,
) -> Path:
    """An experiment's log: gap ~ level / sqrt(t + 50), regret its sum."""
    t = checkpoints(episodes)
    every = np.arange(1, episodes + 1)
    for trial in range(trials):
        shared = np.random.default_rng(trial)
        level = shared.gamma(20) / 20
        rows = []
        for place, (method, (behaviour, n_offline, size)) in enumerate(methods.items()):
            own = np.random.default_rng([trial, place])
            gap = size * level / np.sqrt(every + 50) * (1 + 0.1 * own.standard_normal(episodes))
            sums, at = np.cumsum(gap), t - 1
            regret = objective == "regret"
            rows.append(
                TrialCurve(
                    method,
                    behaviour,
                    n_offline,
                    objective,
                    trial,
                    t,
                    None if regret else gap[at],
                    None if regret else sums[at] / t,
                    sums[at] if regret else None,
                    size * np.log1p(t) * (1 + 0.05 * own.standard_normal()),
                    0.01,
                )
            )
        append(folder, trial, rows)
    return folder
