"""What is left of each chat's KL budget, to the last bit.

Source of the two accountings: Cohen, Hutter, Bengio, Russell, "RL, but don't do anything I wouldn't do", UAI 2025
(arXiv 2410.06213) charges the realised log-ratio and floors at 0; charging the exact KL of each step's distribution
never overspends on any path. Letters: B chats, n charged rows.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from kl_derail.errors import UserError, did_you_mean

Accounting = Literal["expected", "realised"]

_ROUNDING = 1e-12


class BudgetLedger:
    """Remaining KL budget of B chats, float64 nats, under one of two accountings; totals of both.

    Args:
        budgets: [B] float64, or (budget, chats) for the same budget everywhere
        accounting: "expected" subtracts the exact KL of the step's distribution and never goes below 0;
            "realised" (published) subtracts the log-ratio of the sampled token and floors at 0

    Raises:
        UserError: a negative or NaN budget, an unknown accounting.

    >>> ledger = BudgetLedger((10.0, 2))
    >>> ledger.charge(torch.tensor([1]), torch.tensor([2.5]), torch.tensor([3.0]))
    >>> ledger.left.tolist(), ledger.realised.tolist()
    ([10.0, 7.5], [0.0, 3.0])
    """

    left: Tensor
    """[B] float64 nats still to spend"""
    expected: Tensor
    """[B] float64 sum of the exact KLs charged so far"""
    realised: Tensor
    """[B] float64 sum of the log-ratios charged so far"""

    def __init__(
        self, budgets: Tensor | tuple[float, int], accounting: Accounting = "expected"
    ) -> None:
        if accounting not in get_args(Accounting):
            allowed = get_args(Accounting)
            raise UserError(
                f"accounting is {accounting!r}, allowed: {', '.join(allowed)}{did_you_mean(accounting, allowed)}"
            )
        if isinstance(budgets, tuple):
            budgets = torch.full((budgets[1],), budgets[0], dtype=torch.float64)
        if not bool((budgets >= 0).all()):
            raise UserError(
                f"a KL budget is at least 0 nats, found {float(budgets.double().min())}"
            )
        self.accounting = accounting
        self.budgets = budgets.detach().double().clone()
        self.left = self.budgets.clone()
        self.expected = torch.zeros_like(self.left)
        self.realised = torch.zeros_like(self.left)

    @property
    def spent(self) -> Tensor:
        """[B] float64 nats charged under the accounting in force: budget minus what is left."""
        return self.budgets - self.left

    @torch.no_grad()
    def charge(self, rows: Tensor, kl: Tensor, log_ratio: Tensor) -> None:
        """Charge one step.

        Args:
            rows: [n] int64, the chats charged
            kl: [n] exact KL of the step's distribution, nats, the float64 values that the transcript stores
            log_ratio: [n] log x/beta of the sampled token, nats

        Raises:
            RuntimeError: a broken invariant: a KL that is negative or NaN, a log-ratio that is not finite, or,
                under "expected", a KL above what is left. Nothing is charged then.
        """
        kl, log_ratio = kl.double(), log_ratio.double()
        cost = kl if self.accounting == "expected" else log_ratio
        left = self.left.index_add(0, rows, cost, alpha=-1)
        self._check(rows, kl, log_ratio, left)
        self.left = left.clamp_(min=0.0)
        self.expected.index_add_(0, rows, kl)
        self.realised.index_add_(0, rows, log_ratio)

    def _check(self, rows: Tensor, kl: Tensor, log_ratio: Tensor, left: Tensor) -> None:
        """`left` [B] is what would remain, before the floor."""
        sound = (kl >= 0) & torch.isfinite(log_ratio)
        if self.accounting == "expected":
            sound = sound & (left[rows] >= -_ROUNDING)
        if not bool(sound.all()):
            bad = int((~sound).nonzero()[0])
            raise RuntimeError(
                f"budget invariant broken in chat {int(rows[bad])} ({self.accounting} accounting): kl "
                f"{float(kl[bad])!r}, log-ratio {float(log_ratio[bad])!r}, left {float(self.left[rows[bad]])!r} nats"
            )
