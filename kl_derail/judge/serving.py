"""A model of the hub, or of a folder, as an OpenAI-compatible endpoint on this machine, while it is needed."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from kl_derail.errors import UserError

PATIENCE = 600.0
"""Seconds that a model may take to load."""

GRACE = 10.0
"""Seconds that a server may take to end."""

DIGEST = 16
"""Hexadecimal digits of the fingerprint of a folder."""

_POLL = 0.1


@contextmanager
def served(model: str, patience: float = PATIENCE) -> Iterator[str]:
    """The base URL of `transformers serve` for a model; the server ends with the block.

    It holds no answer to a schema, and samples only if the model's generation_config says `do_sample`.

    Args:
        model: folder or hub id; its tokenizer needs a chat template.
        patience: seconds that it may take to load.

    Raises:
        UserError: it cannot be served; with the last line that the server wrote.
    """
    if find_spec("uvicorn") is None or find_spec("fastapi") is None:
        raise UserError("serve: needs the extra serve: pip install kl_derail[serve]")
    port = _free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", model]
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours: we end it once nobody asks any more
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}/health", model, output, patience)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            _end(server)


def fingerprint(model: str) -> str:
    """What a folder or hub id holds now, in a word: its answers are not those of what it will hold later.

    Of a folder these are the contents of its settings, and names, sizes and times of its weights; of
    the hub, the revision.

    Raises:
        UserError: there is no such model.
    """
    folder = Path(model)
    if not folder.is_dir():
        return _revision(model)
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".jinja"):
            found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        elif path.suffix in (".safetensors", ".bin"):
            stat = path.stat()
            found.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()[:DIGEST]


def _revision(model: str) -> str:
    """The revision of the hub that would be served: the newest, without a network the one that is here."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(model, "config.json")).parent.name
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        line = str(error).partition("\n")[0]
        raise UserError(f"serve: {model} is neither a folder nor on the hub: {line}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(
    server: subprocess.Popen[bytes], url: str, model: str, output: IO[bytes], patience: float
) -> None:
    """Return once the server answers; UserError if it ends or takes too long."""
    opener = build_opener(ProxyHandler({}))
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if server.poll() is not None:
            raise UserError(f"serve: {model} cannot be served: {_last_line(output)}")
        with suppress(URLError, OSError), opener.open(url, timeout=_POLL * 10):
            return
        time.sleep(_POLL)
    raise UserError(f"serve: {model} is not ready after {patience:g} s: {_last_line(output)}")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _last_line(output: IO[bytes]) -> str:
    """What the server said last, which is where Python puts its errors."""
    output.seek(max(output.seek(0, os.SEEK_END) - 4096, 0))
    lines = output.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
