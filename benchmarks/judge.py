"""Asking with everything that the command adds, against a bare concurrent client, side by side.

Both ask the same questions about chats of the built-in base, over HTTP, of a server in a process of its own that
answers after a fixed delay. Ours starts from the pairs: words, keys, log, forced onto the disk. The bare client
gets its requests ready made, and keeps the answers in memory: `AsyncOpenAI`, tasks, a semaphore. A third one does
the same without the OpenAI client, by HTTP alone: no retries, no checks. Repeats alternate, so that a noisy machine
hits all alike; ratios are those of neighbours.

    python benchmarks/judge.py --out results/benchmarks
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
import openai
import torch
from rich.console import Console
from rich.table import Table

from kl_derail.chat import BasePolicy, Draw, rollout, score_replies
from kl_derail.chat.record import Origin, record
from kl_derail.judge.asking import ask_all, keyed
from kl_derail.judge.client import NO_KEY, ApiJudge, body, request
from kl_derail.judge.costs import Purse
from kl_derail.judge.judges import QUALITIES, Transcript
from kl_derail.judge.options import EndpointOptions
from kl_derail.judge.pairs import Comparison, make_pairs, transcript
from kl_derail.judge.plan import Asked, plan
from kl_derail.judge.question import marked
from kl_derail.judge.records import open_log, read_answers
from kl_derail.setup import BaseOptions, RewardOptions, SceneOptions, build_reward, build_stage

CHATS = 50
"""Chats in lockstep."""

ANSWER = {
    "model": "gpt-3.5-turbo",
    "object": "chat.completion",
    "id": "1",
    "created": 0,
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"verdict": "first"}'},
        }
    ],
    "usage": {"prompt_tokens": 700, "completion_tokens": 7, "total_tokens": 707},
}


class Delayed(asyncio.Protocol):
    """Answers every request of a connection after the delay, whatever it asks."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._buffer = b""
        body = json.dumps(ANSWER).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._reply = head.encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Once a request is whole, answer it in time."""
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if blank and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            self._buffer = b""
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._reply)  # type: ignore[attr-defined]


async def serve(delay: float) -> None:
    """Serve until this process is ended; the port goes to standard output."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Delayed(delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(delay: float) -> Iterator[str]:
    """The base URL of a server in a process of its own."""
    command = [sys.executable, __file__, "--serve", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()


def chats(count: int) -> list[Transcript]:
    """Chats of the built-in base, 256 tokens long."""
    torch.set_num_threads(1)
    stage = build_stage(BaseOptions(), SceneOptions(), feature_layers=1)
    scorer = build_reward(RewardOptions(), torch.device("cpu"))
    found: list[Transcript] = []
    while len(found) < count:
        draw = Draw(0, -1, range(len(found), len(found) + CHATS), 0.0)
        played = rollout(stage, BasePolicy(), draw)
        rewards = score_replies(played, stage.scene, scorer)
        found += map(transcript, record(played, stage, rewards, Origin("benchmark", "base")))
    return found[:count]


def ours(asked: Sequence[Asked], options: EndpointOptions, folder: Path) -> float:
    """Seconds from the pairs to the closed log."""
    log_file = folder / f"{time.time_ns()}.jsonl"
    marked.cache_clear()
    start = time.perf_counter()
    questions = keyed(partial(request, options), [each.question for each in asked])
    with open_log(log_file) as log:
        judge = ApiJudge(options, NO_KEY)
        ask_all(judge, questions, log, Purse(None), options.concurrency)
    seconds = time.perf_counter() - start
    assert len(read_answers(log_file)) == len(asked)
    return seconds


def bare(bodies: Sequence[dict[str, object]], options: EndpointOptions) -> float:
    """Seconds of the client alone."""

    async def all_of_them() -> int:
        gate = asyncio.Semaphore(options.concurrency)
        async with openai.AsyncOpenAI(api_key=NO_KEY, base_url=options.base_url) as client:

            async def one(body: dict[str, object]) -> str | None:
                async with gate:
                    found = await client.chat.completions.create(**body)  # type: ignore[call-overload]
                    return found.choices[0].message.content  # type: ignore[no-any-return]

            return len(await asyncio.gather(*map(one, bodies)))

    start = time.perf_counter()
    assert asyncio.run(all_of_them()) == len(bodies)
    return time.perf_counter() - start


def plain(bodies: Sequence[dict[str, object]], options: EndpointOptions) -> float:
    """Seconds of HTTP alone."""

    async def all_of_them() -> int:
        gate = asyncio.Semaphore(options.concurrency)
        async with httpx2.AsyncClient(trust_env=False) as client:

            async def one(body: dict[str, object]) -> object:
                async with gate:
                    response = await client.post(f"{options.base_url}/chat/completions", json=body)
                    return response.json()["choices"][0]["message"]["content"]

            return len(await asyncio.gather(*map(one, bodies)))

    start = time.perf_counter()
    assert asyncio.run(all_of_them()) == len(bodies)
    return time.perf_counter() - start


def run(pairs: int, concurrency: int, delay: float, repeats: int) -> dict[str, object]:
    """Seconds and ratios, after one short repeat to warm up."""
    found = chats(2 * pairs)
    comparison = Comparison("halves", make_pairs(found[:pairs], found[pairs:], pairs, seed=0))
    asked = plan([comparison], QUALITIES, both_orders=True, ties=True, repeats=1, seed=0)
    with serving(delay) as url, tempfile.TemporaryDirectory() as name:
        options = EndpointOptions(base_url=url, concurrency=concurrency, structured="off")
        bodies = [dict(body(options, each.question)) for each in asked]
        works: dict[str, Callable[[int], float]] = {
            "ours": lambda first: ours(asked[:first], options, Path(name)),
            "bare client": lambda first: bare(bodies[:first], options),
            "plain HTTP": lambda first: plain(bodies[:first], options),
        }
        for work in works.values():
            work(100)
        seconds: dict[str, list[float]] = {each: [] for each in works}
        for repeat in range(repeats):
            for each in [*works] if repeat % 2 else [*works][::-1]:
                seconds[each].append(works[each](len(asked)))
    return {
        "requests": len(asked),
        "pairs": pairs,
        "concurrency": concurrency,
        "delay_seconds": delay,
        "repeats": repeats,
        "machine": platform.machine(),
        "openai": openai.__version__,
        "ideal_requests_a_second": concurrency / delay,
        "requests_a_second": {
            name: _quartiles([len(asked) / each for each in values])
            for name, values in seconds.items()
        },
        "ratio": {
            name: _quartiles(
                [there / here for here, there in zip(seconds["ours"], values, strict=True)]
            )
            for name, values in seconds.items()
            if name != "ours"
        },
    }


def _quartiles(values: Sequence[float]) -> dict[str, float]:
    low, middle, high = (float(each) for each in np.quantile(values, (0.25, 0.5, 0.75)))
    return {"median": middle, "low": low, "high": high}


def show(results: dict[str, object]) -> Table:
    """Rates, and the ratio, which is what counts."""
    table = Table("", "median", "lower quartile", "upper quartile")
    rates: dict[str, dict[str, float]] = results["requests_a_second"]  # type: ignore[assignment]
    ratios: dict[str, dict[str, float]] = results["ratio"]  # type: ignore[assignment]
    for name, found, form in (
        *((f"{name}, requests a second", found, ".0f") for name, found in rates.items()),
        *((f"ours, of {name}", found, ".2f") for name, found in ratios.items()),
    ):
        table.add_row(name, *(format(found[key], form) for key in ("median", "low", "high")))
    return table


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--delay", type=float, default=0.05, help="of the server, in seconds")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, help="folder for judge.json")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("pairs", "concurrency", "repeats"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: found {getattr(options, name)}, allowed 1 or more")
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    results = run(options.pairs, options.concurrency, options.delay, options.repeats)
    Console().print(show(results))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "judge.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
