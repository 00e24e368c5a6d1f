"""Our own PPO with a budget neuron: options, the agent, the update, the run."""

from kl_derail.ppo.agent import Agent, AgentPolicy, Critic
from kl_derail.ppo.options import PRESETS, BudgetOptions, PPOOptions, RunOptions
from kl_derail.ppo.plan import TrainOptions
from kl_derail.ppo.trainer import train

__all__ = [
    "PRESETS",
    "Agent",
    "AgentPolicy",
    "BudgetOptions",
    "Critic",
    "PPOOptions",
    "RunOptions",
    "TrainOptions",
    "train",
]
