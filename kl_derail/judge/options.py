"""The options of the command `judge`."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from kl_derail.config import option, required
from kl_derail.errors import UserError
from kl_derail.judge.judges import QUALITIES
from kl_derail.judge.pairs import END_TOKENS

OPENAI = "https://api.openai.com/v1"
MODEL = "gpt-3.5-turbo"
KEY_VARIABLE = "OPENAI_API_KEY"
PRICES = {MODEL: (0.5, 1.5)}
"""Dollars for a million tokens, in and out, of the model that the study asked."""


@dataclass(frozen=True)
class JudgeOptions:
    """What is compared, and how often it is asked."""

    a: list[Path] = required("run folders or transcript files; one for each comparison")
    b: list[str] = required(
        "what each is compared with: a run, a file, or the name of another file of A's run: base"
    )
    label: list[str] = option([], "names of the comparisons; none: made of the sources")
    quality: list[str] = option([*QUALITIES], "what is asked: which teacher is ...?")
    pairs: int = option(300, "pairs of each comparison", minimum=1)
    orders: Literal["both", "one"] = option(
        "both", "show every pair in both orders, or each in one at random"
    )
    ties: Literal["allowed", "forced"] = option(
        "allowed", "whether neither is an answer, or one must be chosen"
    )
    repeats: int = option(1, "how often the very same question is asked", minimum=1)
    seed: int = option(0, "seed of the pairing, the single orders and the bootstrap", minimum=0)
    end_token: list[str] = option([*END_TOKENS], "tokens at which a transcript is cut")
    judge: Literal["api", "trusted"] = option(
        "api", "a model behind an API, or the embedded world's exact trusted policy"
    )
    truth: Literal["trusted"] | None = option(
        None, "also say how often the judge agrees with the exact trusted policy"
    )
    out: Path = option(Path("judge"), "folder for the tables and the figure")
    log: Path | None = option(
        None, "file of all answers, which are never asked for again; none: answers.jsonl in --out"
    )
    dry_run: bool = option(False, "say how much would be asked, and what it costs, and stop")

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        if not self.a or not self.quality:
            raise UserError(f"{'quality' if self.a else 'a'}: found none, allowed one or more")
        if len(self.a) != len(self.b):
            raise UserError(f"b: found {len(self.b)}, allowed {len(self.a)}, one for each --a")
        if self.label and len(self.label) != len(self.a):
            raise UserError(f"label: found {len(self.label)}, allowed {len(self.a)} or none")
        for name in ("label", "quality"):
            values = getattr(self, name)
            _check_words(name, values)
            if len(set(values)) < len(values) or not all(each.strip() for each in values):
                raise UserError(
                    f"{name}: found {values}, allowed different ones, none of them empty"
                )

    @property
    def log_file(self) -> Path:
        """Where the answers are kept."""
        return self.log or self.out / "answers.jsonl"


@dataclass(frozen=True)
class EndpointOptions:
    """Which model is asked, where, and at what expense."""

    model: str = option(MODEL, "name of the model at the endpoint; of --serve, what is served")
    base_url: str = option(OPENAI, "OpenAI-compatible endpoint")
    api_key_env: str | None = option(
        None, f"environment variable with the key; none: {KEY_VARIABLE}, on this machine no key"
    )
    serve: str | None = option(
        None, "folder or hub id of a model: it is served on this machine while it is asked"
    )
    temperature: float = option(1.0, "of the judge's answers", minimum=0, maximum=2)
    max_tokens: int | None = option(32, "tokens of an answer at most; none: no limit", minimum=1)
    structured: Literal["auto", "on", "off"] = option(
        "auto", "hold the answer to a JSON schema: where the endpoint can, always, never"
    )
    concurrency: int = option(16, "requests at a time", minimum=1)
    timeout: float = option(60.0, "seconds to wait for an answer", above=0)
    max_retries: int = option(8, "of a request that was turned away or cut off", minimum=0)
    price_in: float | None = option(
        None, "dollars for a million tokens read; none: known for gpt-3.5-turbo", minimum=0
    )
    price_out: float | None = option(None, "dollars for a million tokens written", minimum=0)
    max_cost: float | None = option(
        None,
        "dollars; stop before the request with which this run could pass it; one that is sent again after a"
        " timeout or a cut may be billed more than once, which is not seen here",
        minimum=0,
    )

    def check(self) -> None:
        """UserError where the options contradict each other; of no interest to a judge without an endpoint."""
        _check_url(self.base_url)
        _check_words("model", [self.asked])
        if self.serve is not None and (self.base_url, self.model) != (OPENAI, MODEL):
            raise UserError(
                "serve: what is served here is what is asked; leave out --base_url and --model"
            )
        if (self.price_in is None) != (self.price_out is None):
            raise UserError("price_in, price_out: give both or none")
        if self.max_cost is not None and self.prices is None:
            raise UserError(
                f"max_cost: what {self.asked} costs is unknown; give --price_in and --price_out"
            )
        if self.max_cost is not None and self.max_tokens is None:
            raise UserError("max_cost: an answer without --max_tokens may cost anything")

    @cached_property
    def endpoint(self) -> str:
        """What the log calls the endpoint; a model that we serve ourselves is the same on any port."""
        if self.serve is None:
            return self.base_url.rstrip("/")
        from kl_derail.judge.serving import fingerprint

        return f"served {fingerprint(self.serve)}"

    @property
    def asked(self) -> str:
        """The name of the model that is asked."""
        return self.serve or self.model

    @property
    def prices(self) -> tuple[float, float] | None:
        """Dollars for a million tokens read and written; None if unknown."""
        if self.price_in is not None and self.price_out is not None:
            return self.price_in, self.price_out
        is_known = self.serve is None and self.base_url.rstrip("/") == OPENAI
        return PRICES.get(self.model) if is_known else None

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key."""
        return self.api_key_env or KEY_VARIABLE

    def key(self) -> str | None:
        """The key; UserError where there is none. None for a server on this machine that wants none."""
        if self.serve is not None or (self.api_key_env is None and is_loopback(self.base_url)):
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise UserError(
                f"{self.key_variable}: this environment variable holds no key for {self.base_url}"
            )
        if not (key.isascii() and key.isprintable()):
            raise UserError(
                f"{self.key_variable}: the key in this environment variable holds more than plain"
                " letters and signs, such as a line break"
            )
        return key


def _check_url(text: str) -> None:
    """UserError unless an endpoint can have this address; a part that may be a key is not repeated."""
    if "@" in text or "?" in text:
        raise UserError("base_url: a key has no place in it, see --api_key_env")
    try:
        url = urlsplit(text)
        is_good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        is_good = False
    if not is_good:
        raise UserError(f"base_url: found {text!r}, allowed http(s)://HOST[:PORT]/PATH")


def _check_words(name: str, words: Sequence[str]) -> None:
    """UserError where bytes of the command line are no text, which neither JSON nor a table can hold."""
    if any(0xD800 <= ord(each) <= 0xDFFF for word in words for each in word):
        raise UserError(f"{name}: found {[*words]}, allowed text in UTF-8")


def is_loopback(url: str) -> bool:
    """Whether a URL names this very machine.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://localhost.example.org/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
