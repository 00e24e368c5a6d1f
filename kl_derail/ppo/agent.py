"""The agent: a budgeted actor and its critic, both looking at the frozen base's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kl_derail.budget import BudgetHead, HeadOutput
from kl_derail.chat import Decision, View


class Critic(nn.Module):
    """MLP 128-128-1 with tanh; the last layer starts at zero, so that values do (study A).

    Args:
        inputs: width of its input.
        hidden: width of the two hidden layers.
    """

    def __init__(self, inputs: int, hidden: int = 128) -> None:
        super().__init__()
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), last
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """[N] values of [N, inputs]."""
        value: Tensor = self.layers(inputs).squeeze(-1)
        return value


class Agent(nn.Module):
    """Actor and critic on the state (base features, fraction of the episode that remains) and the budget left.

    Args:
        features: F, width of the base's features.
        vocabulary: V.
        budget_scale: the budget left is divided by it before it enters the networks (1: raw nats).
        overspend: the published KL target, which can exceed what is left.
    """

    def __init__(
        self, features: int, vocabulary: int, *, budget_scale: float = 1.0, overspend: bool = False
    ) -> None:
        super().__init__()
        self.head = BudgetHead(
            features + 1, vocabulary, budget_scale=budget_scale, overspend=overspend
        )
        self.critic = Critic(features + 2)

    def standardise(self, features: Tensor) -> None:
        """Measure mean and standard deviation of base features [N, F] and look at them in these units from now on."""
        device = features.device
        one, zero = torch.ones(1, device=device), torch.zeros(1, device=device)
        deviation = features.std(0, unbiased=False).clamp_min(1e-6)
        self.head.set_standardisation(
            torch.cat([features.mean(0), zero]), torch.cat([deviation, one])
        )

    def forward(self, view: View, alpha: Tensor | None = None) -> HeadOutput:
        """The actor's mixture in each of N views; `alpha` [N] from an earlier evaluation speeds it up."""
        start = None if alpha is None else alpha[:, None]
        output: HeadOutput = self.head(
            _state(view), view.budget_left, view.log_base, alpha_init=start
        )
        return output

    def value(self, view: View) -> Tensor:
        """[N] float32, the reward still to come as the critic sees it."""
        value: Tensor = self.critic(self.head.inputs(_state(view), view.budget_left))
        return value


class AgentPolicy:
    """The agent as the one who chooses tokens in a rollout."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def act(self, view: View) -> Decision:
        """The mixture of the agent's proposal and the base at the agent's KL target."""
        output = self._agent(view)
        mixture = output.mixture
        return Decision(
            log_probs=mixture.log_probs,
            kl=mixture.kl.squeeze(1),
            alpha=mixture.alpha.squeeze(1),
            fraction=output.fraction.float(),
            kl_target=output.kl_target,
        )


def _state(view: View) -> Tensor:
    return torch.cat([view.features, view.remaining[:, None]], dim=1)
