"""The promise put to the test: no episode, under any actor, spends more KL than its budget.

Plays thousands of episodes with actors made to break the ledger (huge, NaN, infinite and one-hot proposals, all
mass on tokens that the base rules out) and, if given, with trained runs. The KL of every step is then recomputed in
float64 from proposal, base and alpha, without asking the ledger, and summed by episode.

    python launch/budget_promise.py --episodes 10000 --run runs/demo --out results/budget_promise
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from kl_derail.budget import mixture_kl
from kl_derail.chat import Decision, Draw, Stage, View, rollout
from kl_derail.ppo.agent import Agent, AgentPolicy
from kl_derail.ppo.command import read_options
from kl_derail.ppo.session import open_trained
from kl_derail.setup import BaseOptions, SceneOptions, build_stage

CHATS = 64
BUDGETS = (0.0, 1e-6, 0.3, 5.0, 20.0, 1000.0)


class Audit:
    """Plays an agent and adds up, in float64 and on its own, what every chat really spends.

    Args:
        agent: whose proposals are mixed with the base.
        spoil: changes what the agent sees of the base.
    """

    def __init__(self, agent: Agent, spoil: Callable[[View], View]) -> None:
        self._agent, self._spoil = agent, spoil
        self.spent = torch.zeros(CHATS, dtype=torch.float64)

    def act(self, view: View) -> Decision:
        """The agent's decision; its KL recomputed from proposal, base and alpha."""
        view = self._spoil(view)
        decision = AgentPolicy(self._agent).act(view)
        proposal = self._agent(view).log_proposal
        again = mixture_kl(proposal, view.log_base, decision.alpha[:, None])
        self.spent.index_add_(0, view.chats, again.flatten())
        return decision


def as_it_is(view: View) -> View:
    """Nothing is spoilt."""
    return view


def ruled_out(view: View) -> View:
    """The base as if it had ruled out half of its vocabulary."""
    log_base = view.log_base.clone()
    log_base[:, ::2] = -torch.inf
    return view._replace(log_base=log_base.log_softmax(-1))


def actor(stage: Stage, fill: Callable[[Tensor], None]) -> Agent:
    """An agent whose weights `fill` has poisoned; all of them want the whole budget at once."""
    agent = Agent(stage.n_features, stage.base.vocabulary, budget_scale=1.0)
    with torch.no_grad():
        fill(agent.head.linear.weight)
        fill(agent.head.linear.bias)
        agent.head.linear.bias[0] = 50.0
        agent.head.linear.weight[0] = 0.0
    return agent


def one_hot(weight: Tensor) -> None:
    """All mass on token 6, which `ruled_out` rules out."""
    weight.zero_()
    if weight.dim() == 1:
        weight[7] = 1e4


class Actor(NamedTuple):
    """A name, an agent, what it sees of the base."""

    name: str
    agent: Agent
    spoil: Callable[[View], View] = as_it_is


def adversaries(stage: Stage) -> list[Actor]:
    """Actors made to break the ledger."""
    torch.manual_seed(0)

    return [
        Actor("random", actor(stage, lambda weight: weight.normal_(std=0.3))),
        Actor("random, huge", actor(stage, lambda weight: weight.normal_(std=1e4))),
        Actor("random, 1e38", actor(stage, lambda weight: weight.normal_(std=1e38))),
        Actor("NaN here and there", actor(stage, lambda weight: _sprinkle(weight, float("nan")))),
        Actor(
            "infinity here and there", actor(stage, lambda weight: _sprinkle(weight, float("inf")))
        ),
        Actor("one token", actor(stage, one_hot)),
        Actor("one token that the base rules out", actor(stage, one_hot), ruled_out),
        Actor(
            "random, half of the tokens ruled out",
            actor(stage, lambda w: w.normal_(std=1.0)),
            ruled_out,
        ),
    ]


def _sprinkle(weight: Tensor, value: float) -> None:
    weight.normal_(std=0.3)
    weight.view(-1)[::997] = value


def trained(path: Path) -> Actor:
    """A run's newest agent."""
    saved = read_options(path, "run")
    return Actor(f"trained: {path.name}", open_trained(saved, saved, path).agent)


def audit(stage: Stage, who: Actor, batches: int, seed: int) -> dict[str, object]:
    """Play an actor under every budget in turn; count the episodes that spent too much."""
    slack = 1e-9 * stage.scene.length
    episodes, above, worst, most = 0, 0, float("-inf"), 0.0
    for number in range(batches):
        budget = BUDGETS[number % len(BUDGETS)]
        policy = Audit(who.agent, who.spoil)
        rollout(stage, policy, Draw(seed, number, range(CHATS), budget))
        excess = policy.spent - budget
        episodes += CHATS
        above += int((excess > slack).sum())
        worst = max(worst, float(excess.max()))
        most = max(most, float(policy.spent.max()))
    return {"actor": who.name, "episodes": episodes, "above": above, "worst": worst, "most": most}


def show(rows: list[dict[str, object]], slack: float) -> str:
    """A Markdown table, an actor a line."""
    lines = [
        f"Budgets {', '.join(f'{b:g}' for b in BUDGETS)} nats in turn; slack {slack:.1e} nats.",
        "",
        "| actor | episodes | above budget | worst episode minus budget (nats) | most spent (nats) |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['actor']} | {r['episodes']} | {r['above']} | {r['worst']:.2e} | {r['most']:.3f} |"
        for r in rows
    ]
    total, above = (
        sum(int(str(r["episodes"])) for r in rows),
        sum(int(str(r["above"])) for r in rows),
    )
    return "\n".join([*lines, f"| all | {total} | {above} | | |"]) + "\n"


def main() -> int:
    """Play, recompute, write; exit code 1 if any episode spent too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument(
        "--run", type=Path, action="append", default=[], help="also audit this run's agent"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/budget_promise"))
    options = parser.parse_args()
    stage = build_stage(BaseOptions(), SceneOptions(length=options.length), feature_layers=3)
    actors = adversaries(stage) + [trained(path) for path in options.run]
    batches = -(-options.episodes // (CHATS * len(actors)))
    rows = [
        audit(stage, who, batches, options.seed)
        for who in track(actors, description="actors", console=Console(stderr=True))
    ]
    text = show(rows, 1e-9 * options.length)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "budget_promise.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.out / "budget_promise.md").write_text(text)
    print(text)
    return int(any(row["above"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
