"""Coverage of worlds that are known by recorded episodes: two rows a method, in a model and by sampling."""

from __future__ import annotations

import numpy as np

from kl_derail.hybrid.concentrability import Coverage, Split, coverage, default_gap
from kl_derail.hybrid.concentrability.recorded import reference_problem, sampled
from kl_derail.hybrid.experiment.mountain_car import share
from kl_derail.hybrid.figures.coverage import ErrorRatio, Row, SampledEnds, covered_methods
from kl_derail.hybrid.figures.study import Study
from kl_derail.hybrid.figures.world import Recorded

MODEL, SAMPLED = "model, discounted", "sampled episodes"
NONE = Split(np.nan, np.nan)


def recorded_rows(study: Study, world: Recorded) -> list[Row]:
    """For each hybrid method with offline data: what a mixture of both behaviours covers."""
    asked, found = reference_problem(world.reference), []
    for log in covered_methods(study):
        n_online, weight = int(log.episodes[-1]), share(log.behaviour)
        visits = (1 - weight) * world.occupancies[0] + weight * world.occupancies[1]
        data = visits / visits.sum()
        facts = (study.title, log.method, log.behaviour, log.n_offline, n_online)
        exact = coverage(asked, data, default_gap(log.n_offline, n_online))
        value, low, high, _ = sampled(world.optimal, world.behaviours, data, weight)
        for kind, numbers, ends in (
            (MODEL, exact, SampledEnds(np.nan, np.nan)),
            (SAMPLED, _only(value), SampledEnds(low, high)),
        ):
            nothing = (NONE, np.nan, ErrorRatio(np.nan, np.nan, np.nan))
            found.append(Row(*facts, kind, numbers, ends, *nothing))
    return found


def _only(c_optimal: float) -> Coverage:
    """A coverage of which only C of the optimal policy is known."""
    return Coverage(np.nan, c_optimal, np.nan, np.nan, np.nan, np.nan, np.nan)
