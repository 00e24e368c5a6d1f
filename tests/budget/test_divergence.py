from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.budget import (
    entropy,
    k1,
    k2,
    k3,
    kl_divergence,
    log_ratio,
    mixture_kl,
    total_variation,
)
from tests.budget import truth
from tests.budget.truth import column, random_rows

INF = torch.inf
P = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]).log()
Q = torch.tensor([[0.25, 0.5, 0.25], [0.2, 0.3, 0.5]]).log()


def test_kl_by_hand() -> None:
    kl = kl_divergence(P, Q)
    assert kl.dtype == torch.float64
    assert kl.tolist() == pytest.approx([0.5 * math.log(2), 0.0], abs=1e-8)


def test_kl_is_infinite_outside_the_support() -> None:
    assert kl_divergence(Q, P)[0] == INF


def test_kl_of_nothing_in_common_with_minus_infinity() -> None:
    only = torch.tensor([[0.0, -INF]])
    assert kl_divergence(only, only).tolist() == [0.0]


def test_total_variation_by_hand() -> None:
    assert total_variation(P, Q).tolist() == pytest.approx([0.25, 0.0])
    assert total_variation(torch.tensor([[0.0, -INF]]), torch.tensor([[-INF, 0.0]])).item() == 1


def test_log_ratio_of_the_sampled_token() -> None:
    ratio = log_ratio(P, Q, torch.tensor([0, 2]))
    assert ratio.dtype == torch.float64
    assert ratio.tolist() == pytest.approx([math.log(2), 0.0], abs=1e-7)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=5), st.integers(0, 99))
def test_estimators_by_enumeration(logits: list[float], seed: int) -> None:
    log_p = torch.log_softmax(torch.tensor([logits], dtype=torch.float64), -1)
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(log_p.shape, dtype=torch.float64, generator=random)
    log_q = torch.log_softmax(log_p + noise, -1)
    ratio, p = log_p - log_q, log_p.exp()
    kl = kl_divergence(log_p, log_q)
    torch.testing.assert_close((p * k1(ratio)).sum(-1), kl)
    torch.testing.assert_close((p * k3(ratio)).sum(-1), kl)
    assert (k3(ratio) >= 0).all()
    assert (k2(ratio) >= 0).all()


def test_estimators_agree_near_zero() -> None:
    ratio = torch.tensor([1e-4, -1e-4, 1e-7], dtype=torch.float64)
    torch.testing.assert_close(k3(ratio), k2(ratio), rtol=1e-4, atol=0)


def test_entropy_by_hand_and_its_gradient() -> None:
    log_p = torch.tensor([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64).log()
    log_p.requires_grad_()
    h = entropy(log_p)
    assert h.tolist() == pytest.approx([1.5 * math.log(2), 0.0])
    (gradient,) = torch.autograd.grad(h.sum(), log_p)
    expected = -(log_p.exp() * (log_p + 1)).detach().nan_to_num(nan=0.0)
    torch.testing.assert_close(gradient, expected)


def test_entropy_gradient_by_differences() -> None:
    log_p = random_rows(4, 6, dtype=torch.float64)[0].requires_grad_()
    assert torch.autograd.gradcheck(entropy, log_p)


@pytest.mark.parametrize("away", [1e-4, 0.1, 3.0, 20.0])
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-3, 0.3, 0.999, 1.0])
def test_mixture_kl_is_the_plain_sum(alpha: float, away: float) -> None:
    log_a, log_b = random_rows(20, 30, away=away, dtype=torch.float64)
    weight = column(alpha, rows=20)
    plain = truth.kl(log_a, log_b, weight).squeeze(-1)
    torch.testing.assert_close(mixture_kl(log_a, log_b, weight), plain, atol=2e-15, rtol=1e-12)


@pytest.mark.parametrize("alpha", [1e-12, 1e-9, 1e-5, 0.1, 0.9])
def test_mixture_kl_of_two_tokens_in_exact_arithmetic(alpha: float) -> None:
    """a = (1, 0), beta = (1/2, 1/2): KL = sum over even n of alpha^n / (n (n - 1))."""
    kl = mixture_kl(torch.tensor([[0.0, -INF]]), torch.tensor([[0.5, 0.5]]).log(), column(alpha))
    series = math.fsum(alpha**n / (n * (n - 1)) for n in range(2, 2000, 2))
    assert kl.item() == pytest.approx(series, rel=1e-7)


def test_mixture_kl_ignores_what_cannot_happen() -> None:
    log_b = torch.tensor([[0.5, 0.5, 0.0]]).log()
    log_a = torch.tensor([[0.25, 0.25, 0.5]]).log()
    assert mixture_kl(log_a, log_b, column(1.0)).item() == pytest.approx(0, abs=1e-15)
    assert mixture_kl(log_a * torch.nan, log_b, column(1.0)).item() == 0
    assert mixture_kl(torch.tensor([[-INF, -INF, 0.0]]), log_b, column(1.0)).item() == 0
