"""Coverage of recorded episodes by a world that is no finite model itself: through a model learnt from many.

The model is learnt from all that was ever recorded, far more than any experiment's data. Its optimal policy
stands for the optimal one. Two answers: exact in the model, discounted; and from driven episodes, neither
discounted nor endless. Both price pairs by their share of the data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kl_derail.hybrid.arrays import Floats, Ints
from kl_derail.hybrid.concentrability.problems import Problem, count_prices, discounted_problem
from kl_derail.hybrid.concentrability.sampled import sampled_concentrability
from kl_derail.plumbing.statistics import Interval


class Reference(NamedTuple):
    """A learnt discounted model.

    Attributes:
        successors: [S, A, K] states that were seen to follow.
        times: [S, A, K] how often; 0 where the successor is none.
        rewards: [S] of being in a state.
        initial: [S] distribution of starts.
        discount: gamma.
    """

    successors: Ints
    times: Ints
    rewards: Floats
    initial: Floats
    discount: float


class Visits(NamedTuple):
    """Steps of E episodes of at most L steps: [E, L] each, and lengths [E]."""

    states: Ints
    actions: Ints
    lengths: Ints


def reference_problem(reference: Reference) -> Problem:
    """The model as a problem; whoever does what was never tried stays where it is."""
    states, actions, _ = reference.times.shape
    transitions = np.zeros((states, actions, states))
    rows = np.indices(reference.times.shape)
    np.add.at(transitions, (rows[0], rows[1], reference.successors), reference.times)
    tried = transitions.sum(axis=-1, keepdims=True)
    stay = np.eye(states)[:, None]
    transitions = np.where(tried > 0, transitions / np.maximum(tried, 1), stay)
    rewards = np.repeat(reference.rewards[:, None], actions, axis=1)
    return discounted_problem(transitions, rewards, reference.initial, reference.discount)


def optimal_actions(reference: Reference) -> Ints:
    """[S] an optimal action of the model in every state, reached from its starts or not."""
    anywhere = np.full(len(reference.rewards), 1 / len(reference.rewards))
    asked = reference_problem(reference._replace(initial=anywhere))
    return np.asarray(asked.best(asked.rewards).argmax(axis=1))


def episode_prices(visits: Visits, data: Floats) -> Floats:
    """[E] sum over each episode of 1 / sqrt(share of the data at the pair).

    Args:
        visits: the episodes.
        data: [S, A] share of the data at each pair.
    """
    prices = count_prices(data)[visits.states, visits.actions]
    taken = np.arange(visits.states.shape[1]) < visits.lengths[:, None]
    return np.asarray(np.where(taken, prices, 0.0).sum(axis=1))


def sampled(
    target: Visits, behaviours: tuple[Visits, Visits], data: Floats, weight: float
) -> Interval:
    """C(pi | rho) from episodes of pi and of both parts of a mixture rho.

    Args:
        target: episodes of pi.
        behaviours: equally many episodes of each part.
        data: [S, A] share of the mixture's data at each pair.
        weight: share of the second part's episodes.
    """
    episodes = len(behaviours[0].lengths)
    second = round(weight * episodes)
    first, later = (episode_prices(each, data) for each in behaviours)
    mixed = np.concatenate([first[: episodes - second], later[:second]])
    return sampled_concentrability(episode_prices(target, data), mixed)
