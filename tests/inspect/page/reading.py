"""A page read back in Python: what a browser would make of its data."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np


def unpack(packed: dict[str, Any]) -> dict[str, np.ndarray]:
    """Columns by name, read byte by byte from the layout."""
    data = zlib.decompress(b64decode(packed["packed"]))
    names = packed["layout"]
    counts = struct.unpack_from(f"<{len(names)}I", data)
    place, columns = 4 * len(names), {}
    for (name, dtype), count in zip(names, counts, strict=True):
        columns[name] = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, place)
        place += columns[name].nbytes
    assert place == len(data)
    return columns


def record_of(plain: dict[str, Any], index: int) -> dict[str, np.ndarray]:
    records = plain["records"]
    return unpack({"layout": records["layout"], "packed": records["packed"][index]})


def said_by(data: dict[str, Any], plain: dict[str, Any]) -> list[list[str]]:
    """The shown texts of each episode's pieces."""
    speech = unpack(plain["speech"])
    ends = np.cumsum(speech["counts"])[:-1]
    return [[data["texts"][each] for each in part] for part in np.split(speech["texts"], ends)]


@dataclass
class Document:
    """Elements of a page in order, and the text directly inside each."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["script"][0])
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.document = Document()
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        self.document.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.document.texts.setdefault(self.tag, []).append(data)

    def handle_comment(self, data: str) -> None:
        self.document.comments.append(data)


def parse(page: str) -> Document:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.document
