"""A chat-completions endpoint on this machine that answers, and fails, as it is told."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

MODEL = "gpt-3.5-turbo"


class Reply(NamedTuple):
    """What goes over the wire.

    Attributes:
        status: HTTP status.
        body: as it stands.
        headers: besides the length.
        delay: seconds before anything is sent.
        cut: bytes of head and body that are sent before the connection is cut; None: all.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    delay: float = 0.0
    cut: int | None = None


class Asked(NamedTuple):
    """What came in: the body, how often it came before, and the headers, their names in lower case."""

    body: dict[str, Any]
    before: int
    headers: dict[str, str]


def completion(text: str | None, *, model: str = MODEL, **message: object) -> dict[str, Any]:
    """A whole chat completion that says `text`."""
    said = {"role": "assistant", "content": text, **message}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
    }


def says(text: str | None, **more: Any) -> Reply:
    """The reply that holds such a completion."""
    return Reply(body=json.dumps(completion(text, **more)).encode())


def verdict(word: str) -> Reply:
    """An answer in the form that is asked for."""
    return says(json.dumps({"verdict": word}))


def failure(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return Reply(status, body, {name.replace("_", "-"): text for name, text in headers.items()})


@dataclass
class Endpoint:
    """The server: its address, and all that came in."""

    url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, in order, retries and all."""
        return [each.body for each in self.asked]


@contextmanager
def endpoint(reply: Callable[[Asked], Reply]) -> Iterator[Endpoint]:
    """A server in a thread of its own, which ends with the block."""
    loop = asyncio.new_event_loop()
    found = Endpoint("")
    server = _Server(reply, found)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        found.url = f"http://127.0.0.1:{port}/v1"
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Server:
    def __init__(self, reply: Callable[[Asked], Reply], found: Endpoint) -> None:
        self._reply, self._found = reply, found
        self._counts: Counter[bytes] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        self._tasks.discard(task)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.lower(): text for name, text in re.findall(r"^([\w-]+): (.*)\r$", head, re.M)
        }
        raw = await reader.readexactly(int(headers["content-length"]))
        asked = Asked(json.loads(raw), self._counts[raw], headers)
        self._counts[raw] += 1
        self._found.asked.append(asked)
        reply = self._reply(asked)
        await asyncio.sleep(reply.delay)
        status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
        lines = {
            "Content-Length": len(reply.body),
            "Content-Type": "application/json",
            **reply.headers,
        }
        shown = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
        data = f"HTTP/1.1 {status}\r\n{shown}\r\n".encode() + reply.body
        writer.write(data if reply.cut is None else data[: reply.cut])
        await writer.drain()
        return reply.cut is None
