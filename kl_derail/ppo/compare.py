"""Whether two runs are the same to the last bit: what "repeatable" and "resumed" mean here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kl_derail.ppo.checkpoint import load_newest
from kl_derail.ppo.folder import SUMMARY, RunFolder
from kl_derail.transcripts import episodes_equal, find_files, read_episodes

TIMING = "time_"
"""Metrics that begin so are what the clock says; they are never compared."""


def differences(a: Path, b: Path) -> list[str]:
    """What differs between two runs, in words; empty if they are the same to the bit.

    Compared are the values of metrics (without timings), all transcripts, newest checkpoints and
    summaries. NaN equals NaN. Bytes of parquet files are not compared.
    """
    return [*_metrics(a, b), *_transcripts(a, b), *_checkpoints(a, b), *_summaries(a, b)]


def untimed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the metrics without what the clock says."""
    return {name: value for name, value in entry.items() if not name.startswith(TIMING)}


def _metrics(a: Path, b: Path) -> Iterator[str]:
    ours, theirs = ([untimed(entry) for entry in RunFolder(run).read_metrics()] for run in (a, b))
    if len(ours) != len(theirs):
        yield f"metrics: {len(ours)} and {len(theirs)} updates"
    for one, other in zip(ours, theirs, strict=False):
        for name in sorted(one.keys() | other.keys()):
            left, right = one.get(name), other.get(name)
            if left != right and not (left != left and right != right):
                yield f"metrics: {name} of update {one['update']}: {left} and {right}"


def _transcripts(a: Path, b: Path) -> Iterator[str]:
    ours, theirs = ({file.name: file for file in find_files(run)} for run in (a, b))
    for name in sorted(ours.keys() ^ theirs.keys()):
        yield f"transcripts: only one has {name}"
    for name in sorted(ours.keys() & theirs.keys()):
        one, other = read_episodes(ours[name]), read_episodes(theirs[name])
        if len(one) != len(other) or not all(map(episodes_equal, one, other)):
            yield f"transcripts: {name}"


def _checkpoints(a: Path, b: Path) -> Iterator[str]:
    one, other = load_newest(a), load_newest(b)
    if one.progress != other.progress:
        yield f"checkpoints: {one.progress} and {other.progress}"
    if one.rewards != other.rewards:
        yield "checkpoints: scores of replies"
    yield from _tensors("agent", one.agent, other.agent)
    yield from _tensors("optimiser", one.optimiser, other.optimiser)


def _tensors(what: str, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs or not torch.equal(ours[name], theirs[name]):
            yield f"checkpoints: {what} {name}"


def _summaries(a: Path, b: Path) -> Iterator[str]:
    texts = [(run / SUMMARY).read_text() if (run / SUMMARY).exists() else "" for run in (a, b)]
    if texts[0] != texts[1]:
        yield "summaries"
