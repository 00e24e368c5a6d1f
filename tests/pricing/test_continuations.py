"""Continuations of a text read once, against one plain forward pass of each whole text."""

from __future__ import annotations

import pytest
import torch

from kl_derail.pricing.continuations import Continuations
from tests.models import NAMES, OPENING, Models, uncached

SUFFIXES = [(), (5,), (9, 11, 40), (3, 3), (60, 2, 1, 7, 8, 30, 31, 32, 33, 34)]
"""The longest is longer than the sliding windows of the models that have one."""


@pytest.mark.parametrize("name", NAMES)
def test_as_a_forward_pass_of_the_whole(models: Models, name: str) -> None:
    base = models.base(name)
    context = models.stage(name).opening
    after = Continuations(base.model, context)
    for suffixes in (SUFFIXES, SUFFIXES[::-1], [(), ()]):
        found = after(suffixes)
        assert found.dtype == torch.float64
        for row, suffix in zip(found, suffixes, strict=True):
            truth = uncached(base, [*context, *suffix])[0][-1].double()
            torch.testing.assert_close(row, truth, atol=1e-4, rtol=1e-4)


def test_asking_leaves_no_trace(models: Models) -> None:
    stage = models.stage("mistral", opening=OPENING)
    after = Continuations(stage.base.model, stage.opening)
    first = after(SUFFIXES)
    after([(1, 2, 3)] * 7)
    assert torch.equal(after(SUFFIXES), first)
