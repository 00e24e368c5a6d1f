"""The budget is a promise: whatever the actor says, no episode spends more, recomputed without the ledger."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kl_derail.budget import BudgetLedger, kl_fixed_mixture, kl_target, log_ratio
from tests.budget import truth

CHATS, LENGTH, VOCABULARY = 120, 40, 24


def wild_logits(random: torch.Generator) -> Tensor:
    """Logits [CHATS, V] of an actor of any kind: tame, huge, one-hot, NaN, infinite, all on one token."""
    logits = torch.randn(CHATS, VOCABULARY, generator=random)
    kind = torch.randint(9, (CHATS,), generator=random)
    token = torch.randint(VOCABULARY, (CHATS,), generator=random)
    scale = torch.tensor([0.0, 1e-4, 1.0, 8.0, 1e3, 1e30, 1.0, 1.0, 1.0])[kind]
    logits = logits * scale.unsqueeze(-1)
    here = torch.arange(CHATS)
    logits[here[kind == 6], token[kind == 6]] = torch.nan
    logits[here[kind == 7], token[kind == 7]] = torch.inf
    logits[kind == 8] = -torch.inf
    logits[here[kind == 8], token[kind == 8]] = 0.0
    return logits


def wild_base(random: torch.Generator) -> Tensor:
    """Log-probabilities [CHATS, V], some tokens very rare and some impossible."""
    logits = 3 * torch.randn(CHATS, VOCABULARY, generator=random)
    fate = torch.rand(CHATS, VOCABULARY, generator=random)
    fate[:, 0] = 1.0
    logits = torch.where(fate < 0.1, -torch.inf, torch.where(fate < 0.2, -200.0, logits))
    return torch.log_softmax(logits, -1)


@pytest.mark.parametrize("seed", range(3))
def test_no_episode_exceeds_its_budget(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    budget = 30 * torch.rand(CHATS, generator=random, dtype=torch.float64)
    ledger = BudgetLedger(budget)
    everyone, recomputed = torch.arange(CHATS), torch.zeros(CHATS, dtype=torch.float64)
    for _ in range(LENGTH):
        log_base = wild_base(random)
        log_a = torch.log_softmax(log_base + wild_logits(random), -1)
        fraction = torch.rand(CHATS, generator=random).pow(4)
        fraction[torch.rand(CHATS, generator=random) < 0.1] = 1.0
        fraction[torch.rand(CHATS, generator=random) < 0.05] = torch.nan
        target = kl_target(fraction, ledger.left).unsqueeze(-1)
        out = kl_fixed_mixture(log_a, log_base, target)
        token = torch.multinomial(out.log_probs.exp(), 1, generator=random).squeeze(-1)
        assert (log_base.gather(-1, token.unsqueeze(-1)) > -torch.inf).all()
        ledger.charge(everyone, out.kl.squeeze(-1), log_ratio(out.log_probs, log_base, token))
        kl = truth.kl(log_a, log_base, out.alpha).squeeze(-1)
        recomputed += torch.where(out.alpha.squeeze(-1) > 0, kl, 0.0)
    assert int((recomputed > budget + 1e-9 * LENGTH).sum()) == 0
    assert (ledger.left >= 0).all()
    torch.testing.assert_close(ledger.expected, recomputed, atol=1e-11, rtol=1e-9)
    torch.testing.assert_close(ledger.spent, ledger.expected)
    assert (ledger.spent > 0.9 * budget).float().mean() > 0.5
