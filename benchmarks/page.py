"""A page of 1000 episodes of 512 tokens in a headless browser: seconds to the first episode, frames while scrolling.

64 chats are really played on the built-in base (with five candidates a token) and repeated, each time with other
numbers, so that no two are alike to the packer. They go through the log on disk. Every opening is a fresh browser.

    python benchmarks/page.py --out results/benchmarks      # needs playwright and a system's chromium
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from kl_derail.chat import Draw, rollout, score_replies
from kl_derail.chat.record import Origin, record
from kl_derail.inspect.html import write_page
from kl_derail.ppo.agent import Agent, AgentPolicy
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions, build_reward, build_stage
from kl_derail.transcripts import Episode, Ragged, read_episodes, write_episodes

if TYPE_CHECKING:
    from playwright.sync_api import Page

BUDGET = 20.0
PLAYED = 64
NOISY = (
    "kl", "log_ratio", "kl_k3", "base_log_prob", "policy_log_prob", "base_entropy", "budget_left",
    "kl_target", "alpha", "fraction",
)  # fmt: skip

SCROLL = """async (frames) => {
  const list = document.getElementById("list"), times = [];
  const far = list.scrollHeight - list.clientHeight;
  let before = await new Promise(requestAnimationFrame);
  for (let frame = 1; frame <= frames; frame++) {
    list.scrollTop = far * frame / frames;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times;
}"""

SWITCH = """async ([keys, done]) => {
  const times = [];
  for (const key of keys) {
    const start = performance.now();
    const before = document.querySelector("h2").textContent;
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    while (done && document.querySelector("h2").textContent === before) await new Promise((go) => setTimeout(go, 0));
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - start);
  }
  return times;
}"""


def played_episodes(length: int, chats: int, candidates: int) -> list[Episode]:
    """Chats of an agent with random weights, with so many top candidates a token."""
    torch.set_num_threads(1)
    stage = build_stage(BaseOptions(), SceneOptions(length=length), feature_layers=3)
    torch.manual_seed(0)
    agent = Agent(stage.n_features, stage.base.vocabulary, budget_scale=BUDGET)
    torch.nn.init.normal_(agent.head.linear.weight, std=0.02)
    played = rollout(stage, AgentPolicy(agent), Draw(0, -1, range(chats), BUDGET), top_k=candidates)
    scorer = build_reward(RewardOptions(), torch.device("cpu"))
    rewards = score_replies(played, stage.scene, scorer)
    return record(played, stage, rewards, Origin("benchmark", "agent"))


def many(played: list[Episode], episodes: int) -> Iterator[Episode]:
    """The chats again and again, every number of every repetition scaled by a factor of its own."""
    rng = np.random.default_rng(0)
    for number in range(episodes):
        columns = played[number % len(played)].columns() | {"episode": number}
        for name in NOISY:
            columns[name] = columns[name] * rng.uniform(0.9, 1, columns["length"])
        for name in ("top_base_log_probs", "top_policy_log_probs"):
            found = columns[name]
            columns[name] = Ragged(
                found.values * rng.uniform(1, 1.1, len(found.values)), found.offsets
            )
        yield Episode.from_columns(columns)


def open_and_use(page: Page, url: str, frames: int) -> dict[str, Any]:
    """Seconds to the first episode painted, milliseconds a frame and a key."""
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    wall = time.perf_counter() - start
    ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime / 1000")
    found = {"ready_s": ready, "ready_wall_s": wall, "frame_ms": page.evaluate(SCROLL, frames)}
    found["next_episode_ms"] = page.evaluate(SWITCH, [["j"] * 20, True])
    found["switch_map_ms"] = page.evaluate(SWITCH, [list("2345"), False])
    start = time.perf_counter()
    page.fill("#search", "proud of you")
    page.locator("#count").filter(has_text=re.compile(r"^(?!1000 )\d+ of")).wait_for()
    return found | {"first_search_s": time.perf_counter() - start}


def measure(path: Path, repeats: int, frames: int) -> dict[str, Any]:
    """Repeats, each in a fresh browser, pooled."""
    from playwright.sync_api import sync_playwright

    found: list[dict[str, Any]] = []
    with sync_playwright() as playwright:
        for _ in range(repeats):
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            found.append(open_and_use(page, path.as_uri(), frames))
            version = browser.version
            browser.close()
    pooled = {name: np.ravel([each[name] for each in found]).tolist() for name in found[0]}
    late = sum(each > 1000 / 30 for each in pooled["frame_ms"]) / len(pooled["frame_ms"])
    return {
        "chromium": version,
        "late_frames": late,
        **{name: _quartiles(values) for name, values in pooled.items()},
    }


def _quartiles(values: list[float]) -> dict[str, float]:
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    return {"median": middle, "q25": low, "q75": high, "max": max(values), "n": len(values)}


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Play, write, read, make the page, use it."""
    played = played_episodes(options.length, min(PLAYED, options.episodes), options.candidates)
    log = write_episodes(folder / "many.parquet", list(many(played, options.episodes)))
    episodes = read_episodes(log)
    start = time.perf_counter()
    path = write_page(folder / "many.html", [("many", episodes)])
    seconds = time.perf_counter() - start
    return {
        "episodes": len(episodes),
        "tokens": options.length,
        "candidates": options.candidates,
        "page_MB": path.stat().st_size / 1e6,
        "write_s": seconds,
        **measure(path, options.repeats, options.frames),
    }


def show(results: dict[str, Any]) -> Table:
    """Medians and quartiles; n is repeats, or repeats times frames or keys."""
    title = "{episodes} x {tokens} tokens, {candidates} candidates, {page_MB:.1f} MB, written in {write_s:.1f} s"
    table = Table("", "median", "quartiles", "max", "n", title=title.format(**results))
    for name, found in results.items():
        if isinstance(found, dict):
            spread = f"{found['q25']:.3g} to {found['q75']:.3g}"
            table.add_row(
                name, f"{found['median']:.3g}", spread, f"{found['max']:.3g}", str(found["n"])
            )
    table.add_row("frames above 33 ms", f"{100 * results['late_frames']:.1f} %", "", "", "")
    return table


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--candidates", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--out", type=Path, help="folder for page.json")
    options = parser.parse_args()
    if find_spec("playwright") is None or shutil.which("chromium") is None:
        print("page.py: skipped, needs playwright and a system's chromium")
        return
    with tempfile.TemporaryDirectory() as folder:
        results = run(options, Path(folder))
    Console().print(show(results))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "page.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
