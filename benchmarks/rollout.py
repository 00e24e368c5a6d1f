"""Rollout against the bare cached decode of the same model, and the update against the rollout; one process.

The bare decode does what no rollout can do without: one forward pass a step with a cache, log-softmax, one draw a chat.
It runs twice, on our reserved cache and on transformers' own. The rollout adds the agent, the mixture at an exact KL,
the ledger, turn tracking, the record and the reward (its cache emptied each time). The agent's weights are random, so
that the mixture has something to solve at every step. Repeats alternate, so that a noisy machine hits all alike.

    python benchmarks/rollout.py --out results/benchmarks
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from rich.console import Console
from rich.table import Table
from transformers import DynamicCache, MixtralConfig, MixtralForCausalLM

from kl_derail.base.cache import reserved_cache
from kl_derail.chat import Draw, Stage, rollout, sample_tokens, score_replies, uniforms
from kl_derail.ppo.agent import Agent, AgentPolicy
from kl_derail.ppo.collect import Collector
from kl_derail.ppo.options import PPOOptions, RunOptions
from kl_derail.ppo.update import make_optimiser, update
from kl_derail.reward import ReplyScorer
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions, build_reward, build_stage

CHATS = 64
BUDGET = 20.0


def make_agent(stage: Stage) -> Agent:
    """An agent that proposes something at every step."""
    torch.manual_seed(0)
    agent = Agent(stage.n_features, stage.base.vocabulary, budget_scale=BUDGET)
    torch.nn.init.normal_(agent.head.linear.weight, std=0.02)
    return agent


@torch.inference_mode()
def bare_decode(stage: Stage, *, reserved: bool) -> int:
    """Forward, log-softmax, draw; returns the number of tokens."""
    model, length = stage.base.model, stage.scene.length
    steps = length - len(stage.opening)
    uniform = torch.from_numpy(uniforms(0, 0, range(CHATS), steps))
    cache = reserved_cache(model.config, length) if reserved else DynamicCache(config=model.config)
    ids = torch.tensor([stage.opening])
    for step in range(steps):
        logits = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        if step == 0:
            cache.batch_select_indices(torch.zeros(CHATS, dtype=torch.int64))
            logits = logits.expand(CHATS, -1)
        ids = sample_tokens(logits.log_softmax(-1), uniform[step])[:, None]
    return steps * CHATS


def full_rollout(stage: Stage, agent: Agent, scorer: ReplyScorer) -> int:
    """Everything that training does between two updates; returns the number of tokens."""
    scorer.restore({})
    played = rollout(stage, AgentPolicy(agent), Draw(0, 0, range(CHATS), BUDGET), keep_samples=True)
    score_replies(played, stage.scene, scorer)
    return int(played.steps.token.numel())


def tokens_per_second(work: dict[str, Callable[[], int]], repeats: int) -> dict[str, list[float]]:
    """Alternate between the kinds of work; tokens a second of each repeat, after one to warm up."""
    speeds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, function in work.items():
            start = time.perf_counter()
            tokens = function()
            if repeat:
                speeds[name].append(tokens / (time.perf_counter() - start))
    return speeds


def measure_rollout(stage: Stage, repeats: int) -> dict[str, object]:
    """Speeds of bare decode and rollout, and their ratio repeat by repeat."""
    agent, scorer = make_agent(stage), build_reward(RewardOptions(), torch.device("cpu"))
    speeds = tokens_per_second(
        {
            "bare decode": lambda: bare_decode(stage, reserved=True),
            "bare decode, transformers' cache": lambda: bare_decode(stage, reserved=False),
            "rollout": lambda: full_rollout(stage, agent, scorer),
        },
        repeats,
    )
    bare, plain, ours = speeds.values()
    return {
        "tokens_per_second": {name: statistics.median(values) for name, values in speeds.items()},
        "bare_step_ms": 1000 * CHATS / statistics.median(bare),
        "rollout_over_bare": _quartiles([b / a for a, b in zip(bare, ours, strict=True)]),
        "rollout_over_transformers": _quartiles([b / a for a, b in zip(plain, ours, strict=True)]),
    }


def measure_update(stage: Stage, repeats: int) -> dict[str, object]:
    """Seconds of an 8-epoch update over those of the rollout that fed it."""
    agent, ppo = make_agent(stage), PPOOptions(epochs=8, minibatch=8192)
    scorer = build_reward(RewardOptions(), torch.device("cpu"))
    collector = Collector(
        stage, agent, scorer, RewardOptions(), ppo, RunOptions(chats=CHATS), "bench"
    )
    optimiser = make_optimiser(agent, ppo)
    ratios = []
    for repeat in range(repeats + 1):
        collected = collector.collect(repeat, BUDGET, "expected")
        played = collector.watch.take()
        start = time.perf_counter()
        update(agent, optimiser, collected.batch, ppo, key=(0, repeat))
        ratios.append((time.perf_counter() - start) / (played["rollout"] + played["reward"]))
    return {"samples": collected.batch.size, "update_over_rollout": _quartiles(ratios[1:])}


def larger_base(folder: Path) -> str:
    """A Mixtral with random weights, large enough that a step takes more than 50 ms."""
    stage = build_stage(BaseOptions(), SceneOptions(), feature_layers=3)
    config = MixtralConfig(
        vocab_size=stage.base.vocabulary,
        hidden_size=768,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=12,
        num_key_value_heads=4,
        num_local_experts=4,
        max_position_embeddings=1024,
    )
    torch.manual_seed(0)
    MixtralForCausalLM(config).save_pretrained(folder)
    stage.base.tokenizer.save_pretrained(folder)
    return str(folder)


def _quartiles(values: list[float]) -> dict[str, float]:
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    return {"median": middle, "q25": low, "q75": high, "n": len(values)}


def run(repeats: int) -> dict[str, object]:
    """All measurements."""
    torch.set_num_threads(1)
    embedded = build_stage(BaseOptions(), SceneOptions(), feature_layers=3)
    results: dict[str, object] = {
        "embedded": measure_rollout(embedded, repeats),
        "update": measure_update(embedded, repeats),
    }
    with tempfile.TemporaryDirectory() as folder:
        scene = SceneOptions(opening=embedded.scene.opening, length=96)
        large = build_stage(BaseOptions(base=larger_base(Path(folder))), scene, feature_layers=3)
        results["larger"] = measure_rollout(large, max(2, repeats // 3))
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    return {"threads": 1, "machine": platform.machine(), **versions, **results}


def show(results: dict[str, object]) -> Table:
    """The ratios, which are what counts, with their quartiles over repeats."""
    table = Table("measured side by side", "ratio", "quartiles", "n", title="Rollout and update")
    for name, key in (("embedded", "rollout_over_bare"), ("embedded", "rollout_over_transformers"),
                      ("larger", "rollout_over_bare"), ("update", "update_over_rollout")):  # fmt: skip
        found = results[name][key]  # type: ignore[index]
        row = f"{found['median']:.3f}", f"{found['q25']:.3f} to {found['q75']:.3f}", str(found["n"])
        table.add_row(f"{name}: {key.replace('_', ' ')}", *row)
    return table


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, help="folder for rollout.json")
    options = parser.parse_args()
    results = run(options.repeats)
    Console().print(show(results))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "rollout.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
