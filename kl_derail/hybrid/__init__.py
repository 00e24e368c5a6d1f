"""Reinforcement learning from offline data and online interaction (Huang et al., UAI 2025).

An oracle gives, for any data, a value estimate V^ and an uncertainty U^ of every policy. The
hybrid agent plays argmax V^ + U^ online and puts out argmax V^ - U^ (`agent`). Environments and
oracles are there for tabular MDPs, linear bandits and one linear model per arm; `compiled` holds
the same in machine code for `experiment`.

With an environment and an oracle of one's own, two coins whose chances are unknown:

>>> import numpy as np
>>> from kl_derail.hybrid.agent import HybridAgent
>>> from kl_derail.hybrid.data import collect
>>> from kl_derail.hybrid.environments.base import NO_STATE, Environment
>>> from kl_derail.hybrid.oracles.base import Estimate, Oracle
>>> class Coins(Environment):
...     shape, fingerprint = (1, 2), "two coins"
...     def reset(self, rng):
...         return 0
...     def step(self, stage, state, action, rng):
...         return float(rng.random() < (0.3, 0.6)[action]), NO_STATE
>>> class Means(Oracle):
...     def __init__(self):
...         self.heads, self.tosses = np.zeros(2), np.zeros(2)
...     def update(self, step):
...         self.heads[step.action] += step.reward
...         self.tosses[step.action] += 1
...     def estimates(self):
...         tosses = np.maximum(self.tosses, 1)
...         return self.heads / tosses, np.sqrt(2 / tosses)
...     def estimate(self, policy, context=None):
...         return Estimate(*(float(each[policy[0]]) for each in self.estimates()))
...     def argmax(self, value_weight, uncertainty_weight):
...         value, uncertainty = self.estimates()
...         return np.argmax([value_weight * value + uncertainty_weight * uncertainty], axis=1)
>>> rng = np.random.default_rng(0)
>>> data = collect(Coins(), policy=np.array([[0.5, 0.5]]), n=100, rng=rng)
>>> HybridAgent("regret").run(Coins(), Means(), data, episodes=200, rng=rng).output
array([1])
"""
