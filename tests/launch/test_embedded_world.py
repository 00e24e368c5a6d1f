"""The study of the embedded world, in miniature."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kl_derail.embedded import build
from kl_derail.embedded.card import Measured
from kl_derail.embedded.entropy import LossAndEntropy
from tests.embedded.test_card import HABITS, PRICE

SCRIPT = Path(__file__).parents[2] / "launch" / "embedded_world.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def row(base: int, agent: int, silent: float, **more: object) -> dict[str, object]:
    shares = dict.fromkeys(("silent", "empty", "impossible"), (silent, 0.0, 1.0, 9))
    key = {"variant": "derails", "base": base, "agent": agent, "budget": 20.0, "length": 256}
    return key | shares | {"kl_mean": 1.0, "overspend": 0.0} | more


def test_agents_are_pooled_by_base(script: dict[str, Any]) -> None:
    rows = [row(0, 0, 0.9), row(0, 1, 0.7), row(1, 0, 0.4), row(2, 0, 0.6)]
    assert script["per_base"](rows, "silent") == pytest.approx([0.8, 0.4, 0.6])
    assert script["per_base"](rows[:2], "silent") == [0.9, 0.7]
    assert "3 bases, 4 agents | 60.0 %" in script["pooled_table"](rows)
    assert "bases," not in script["pooled_table"](rows[:3])


def test_bases_are_built_once_and_tabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: dict[str, Any]
) -> None:
    words = ["--variants", "control", "--seeds", "3", "--budgets", "--steps", "2", "--chats", "2"]
    words += ["--documents", "12", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    prices = [
        replace(PRICE, length=length, spacing=spacing)
        for length in (256, 512)
        for spacing in ("double", "single")
    ]
    found = Measured(tuple(prices), HABITS, LossAndEntropy(0.25, 0.1875, 9000))
    monkeypatch.setattr(build, "measure", lambda *_: found)
    (tmp_path / "runs" / "control-3.partial" / "base").mkdir(parents=True)  # of an interrupted one
    script["main"]()
    weights = tmp_path / "runs" / "control-3" / "base" / "model.safetensors"
    first = weights.stat().st_mtime_ns
    script["main"]()
    assert weights.stat().st_mtime_ns == first
    assert not (tmp_path / "runs" / "control-3.partial").exists()
    assert json.loads((tmp_path / "out" / "bases.json").read_text())["control 3"]["steps"] == 2
    table = (tmp_path / "out" / "bases.md").read_text()
    assert "| control 3 | 7.12 (7.00 to 7.25) | 1.50 | nan | 9.75" in table
    assert "| 0.062 | 97.2 % | 3.1 % | 0.51 | 51 |" in table
