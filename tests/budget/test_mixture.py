from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kl_derail.budget import (
    MIN_TARGET,
    _solver,
    _workspace,
    complete_with_help,
    entropy,
    kl_fixed_mixture,
    mixture_kl,
)
from kl_derail.budget.mixture import Mixture
from tests.budget import truth
from tests.budget.truth import column, random_rows

TARGETS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 5.0, 20.0)
INF = torch.inf


def assert_promise(log_a: Tensor, log_b: Tensor, target: Tensor, out: Mixture) -> None:
    """KL recomputed from proposal, base and alpha: never above the target, at most 1e-4 below where reachable."""
    spent = truth.kl(log_a, log_b, out.alpha)
    rounding = 1e-15 + 1e-14 * spent
    assert (spent <= target + rounding).all()
    assert (out.kl <= target).all()
    assert (out.kl >= spent - 1e-12).all()
    assert (out.kl <= spent * (1 + 1e-9) + 1e-12).all()
    solved = out.alpha < 1
    assert (spent >= target * (1 - 1e-4) - rounding)[solved].all()
    assert ((out.alpha > 0) & (out.alpha <= 1)).all()


def assert_log_probs(log_a: Tensor, log_b: Tensor, target: Tensor, out: Mixture) -> None:
    """The float32 log-probabilities are those of the mixture at alpha, and spend what it spends."""
    log_a, log_b = truth.normalised(log_a, log_b)
    x = out.alpha * log_a.exp() + (1 - out.alpha) * log_b.exp()
    torch.testing.assert_close(out.log_probs.double(), x.log(), atol=2e-5, rtol=2e-6)
    again = truth.kl(out.log_probs, log_b, torch.ones_like(target))
    assert (again <= target * (1 + 1e-3) + 1e-6).all()
    assert ((again - out.kl).abs() <= 1e-3 * out.kl + 1e-6).all()


@pytest.mark.parametrize(
    ("rows", "vocabulary"), [(64, 2), (64, 3), (64, 50), (20, 768), (1, 32000)]
)
@pytest.mark.parametrize("away", [1e-3, 0.1, 1.0, 4.0, 16.0])
def test_kl_is_the_target_and_never_above(rows: int, vocabulary: int, away: float) -> None:
    proposal, base = random_rows(rows, vocabulary, away=away)
    log_a, log_b = proposal.repeat(len(TARGETS), 1), base.repeat(len(TARGETS), 1)
    targets = column(*TARGETS).repeat_interleave(rows, 0)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert_promise(log_a, log_b, targets, out)
    assert_log_probs(log_a, log_b, targets, out)
    reachable = truth.kl(log_a, log_b, torch.ones_like(targets)) > targets
    assert torch.equal(out.alpha < 1, reachable)


@pytest.mark.parametrize("target", TARGETS)
def test_twenty_nats_are_reachable_by_a_rare_token(target: float) -> None:
    log_b = torch.log_softmax(
        torch.tensor([[0.0, -25.0, 1.0], [0.0, -200.0, 1.0], [0.0, -88.0, -30.0]]), -1
    )
    log_a = torch.log_softmax(torch.tensor([[0.0, 500.0, 0.0]]).expand(3, 3), -1)
    targets = column(target, rows=3)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert (out.alpha < 1).all()
    assert_promise(log_a, log_b, targets, out)


logits = st.lists(st.floats(-300, 300, width=32), min_size=2, max_size=6)


@given(
    proposal=logits,
    base=logits,
    power=st.floats(-6, 1.3),
    init=st.none() | st.floats(-1, 2) | st.just(torch.nan),
)
@example(proposal=[0.0, 0.0], base=[0.0, 0.0], power=-6.0, init=None)
@example(proposal=[300.0, -300.0], base=[-300.0, 300.0], power=1.3, init=1e-30)
def test_promise_for_any_logits(
    proposal: list[float], base: list[float], power: float, init: float | None
) -> None:
    size = min(len(proposal), len(base))
    log_a = torch.log_softmax(torch.tensor([proposal[:size]]), -1)
    log_b = torch.log_softmax(torch.tensor([base[:size]]), -1)
    target = column(10**power)
    out = kl_fixed_mixture(log_a, log_b, target, alpha_init=None if init is None else column(init))
    assert_promise(log_a, log_b, target, out)


@pytest.mark.parametrize(
    "steps",
    [{}, {"_COMPACT_BELOW": 0}, {"_FREE_STEPS": 0}, {"_FREE_STEPS": 0, "_NEWTON_STEPS": 0}],
)
@pytest.mark.parametrize("init", [None, 0.0, 1e-12, 0.5, 1.0, -1.0, torch.nan, torch.inf])
def test_neither_the_first_guess_nor_the_way_matters(
    monkeypatch: pytest.MonkeyPatch, steps: dict[str, int], init: float | None
) -> None:
    for name, value in steps.items():
        monkeypatch.setattr(_solver, name, value)
    log_a, log_b = random_rows(63, 40, away=3)
    targets = column(*TARGETS).repeat(7, 1)
    start = None if init is None else column(init, rows=63)
    out = kl_fixed_mixture(log_a, log_b, targets, alpha_init=start)
    assert_promise(log_a, log_b, targets, out)


def test_an_unfinished_search_stays_below_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_solver, "_FREE_STEPS", 0)
    monkeypatch.setattr(_solver, "_MAX_STEPS", 2)
    log_a, log_b = random_rows(50, 40, away=3)
    targets = column(1e-2, rows=50)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert (truth.kl(log_a, log_b, out.alpha) <= targets).all()
    assert (out.kl <= targets).all()


@pytest.mark.parametrize("away", [0.3, 2.0, 10.0])
def test_few_steps_are_enough(monkeypatch: pytest.MonkeyPatch, away: float) -> None:
    evaluate, rows = _solver._evaluate, []
    monkeypatch.setattr(
        _solver, "_evaluate", lambda r, alpha: (rows.append(len(alpha)), evaluate(r, alpha))[1]
    )
    log_a, log_b = random_rows(300, 200, away=away)
    targets = 10 ** (-6 * torch.rand(300, 1, dtype=torch.float64))
    alpha = kl_fixed_mixture(log_a, log_b, targets).alpha
    assert len(rows) <= 4
    rows.clear()
    kl_fixed_mixture(log_a, log_b, targets, alpha_init=alpha)
    assert rows == [int((alpha < 1).sum())]
    kl_fixed_mixture(log_a, log_b, targets, alpha_init=(alpha * 1.05).clamp(max=1))
    assert sum(rows) / 300 <= 4


def test_the_first_guess_is_left_alone() -> None:
    log_a, log_b = random_rows(30, 20)
    init = torch.linspace(0.01, 0.9, 30, dtype=torch.float64).unsqueeze(-1)
    before = init.clone()
    kl_fixed_mixture(log_a, log_b, column(1e-2, rows=30), alpha_init=init)
    assert torch.equal(init, before)


def test_targets_below_the_range_are_met_or_count_as_zero() -> None:
    log_a, log_b = random_rows(90, 30, away=3)
    targets = (10 ** torch.linspace(-12, -6, 90, dtype=torch.float64)).unsqueeze(-1)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert torch.equal(out.alpha > 0, targets >= MIN_TARGET)
    spent = mixture_kl(log_a, log_b, out.alpha).unsqueeze(-1)
    assert (spent <= targets).all()
    assert (out.kl <= targets).all()
    assert (spent >= targets * (1 - 1e-4))[targets >= MIN_TARGET].all()


@pytest.mark.parametrize("away", [1e-6, 1e-5, 1e-4])
def test_proposals_that_hardly_differ_from_the_base(away: float) -> None:
    log_a, log_b = random_rows(400, 30, away=away, dtype=torch.float64)
    targets = (10 ** torch.linspace(-10, -7, 400, dtype=torch.float64)).unsqueeze(-1)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert ((out.alpha > 0) & (out.alpha <= 1)).all()
    assert (mixture_kl(log_a, log_b, out.alpha).unsqueeze(-1) <= targets).all()
    assert (out.kl <= targets).all()


def test_saturated_rows_are_the_proposal() -> None:
    log_a, log_b = random_rows(5, 20)
    out = kl_fixed_mixture(log_a, log_b, column(50.0, rows=5))
    assert (out.alpha == 1).all()
    torch.testing.assert_close(out.log_probs, log_a)
    torch.testing.assert_close(out.kl, truth.kl(log_a, log_b, torch.ones_like(out.kl)))


def test_infinite_target_saturates() -> None:
    log_a, log_b = random_rows(5, 20)
    assert (kl_fixed_mixture(log_a, log_b, column(INF, rows=5)).alpha == 1).all()


@pytest.mark.parametrize("target", [0.0, -0.0, -1.0, torch.nan, -INF])
def test_no_target_is_the_base(target: float) -> None:
    log_a, log_b = random_rows(5, 20)
    out = kl_fixed_mixture(log_a, log_b, column(target, rows=5))
    assert (out.alpha == 0).all()
    assert (out.kl == 0).all()
    torch.testing.assert_close(out.log_probs, log_b)


def test_equal_proposal_costs_nothing() -> None:
    _, log_b = random_rows(5, 20)
    out = kl_fixed_mixture(log_b.clone(), log_b, column(1e-6, rows=5))
    assert (out.alpha == 1).all()
    assert (out.kl.abs() < 1e-15).all()
    torch.testing.assert_close(out.log_probs, log_b)


def test_one_hot_base_leaves_no_choice() -> None:
    log_b = torch.tensor([[0.0, -INF, -INF]])
    log_a = torch.log_softmax(torch.tensor([[0.0, 3.0, 5.0]]), -1)
    out = kl_fixed_mixture(log_a, log_b, column(1.0))
    assert out.log_probs.tolist() == [[0.0, -INF, -INF]]
    assert out.kl.item() == 0


@pytest.mark.parametrize("masked", [-INF, -1e4, torch.finfo(torch.float32).min])
def test_impossible_tokens_stay_impossible(masked: float) -> None:
    log_a, log_b = random_rows(30, 20)
    log_b = log_b.clone()
    log_b[:, ::3] = masked
    targets = column(0.05, rows=30)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert (out.log_probs[:, ::3] == -INF).all()
    assert_promise(log_a, log_b, targets, out)
    assert (out.alpha < 1).any()


@pytest.mark.parametrize(
    "proposal",
    [
        [torch.nan, 0.0, 0.0],
        [INF, 0.0, 0.0],
        [-INF, -INF, -INF],
        [-INF, -INF, 0.0],
        [torch.nan, torch.nan, torch.nan],
    ],
)
def test_unusable_proposals_fall_back_to_the_base(proposal: list[float]) -> None:
    log_b = torch.tensor([[0.25, 0.75, 0.0]]).log()
    out = kl_fixed_mixture(torch.tensor([proposal]), log_b, column(1.0))
    assert out.alpha.item() == 0
    assert out.kl.item() == 0
    torch.testing.assert_close(out.log_probs, log_b)


def test_a_broken_row_leaves_its_neighbours_alone() -> None:
    log_a, log_b = random_rows(20, 30)
    targets = column(0.01, rows=20)
    alone = kl_fixed_mixture(log_a, log_b, targets)
    log_a[3], log_a[7, 2] = torch.nan, INF
    out = kl_fixed_mixture(log_a, log_b, targets)
    good = torch.tensor([i not in (3, 7) for i in range(20)])
    assert (out.alpha[~good] == 0).all()
    torch.testing.assert_close(out.log_probs[good], alone.log_probs[good])
    torch.testing.assert_close(out.alpha[good], alone.alpha[good], rtol=1e-4, atol=0)


def test_zero_proposal_probabilities() -> None:
    _, log_b = random_rows(30, 20)
    log_a = torch.full_like(log_b, -INF)
    log_a[torch.arange(30), torch.arange(30) % 20] = 0.0
    for target in (1e-6, 0.1, 100.0):
        targets = column(target, rows=30)
        out = kl_fixed_mixture(log_a, log_b, targets)
        assert_promise(log_a, log_b, targets, out)
    torch.testing.assert_close(out.log_probs, log_a)


def test_huge_logits() -> None:
    _, log_b = random_rows(8, 20)
    log_a = torch.log_softmax(log_b + 1e30 * torch.randn(8, 20), -1)
    targets = column(0.3, rows=8)
    assert_promise(log_a, log_b, targets, kl_fixed_mixture(log_a, log_b, targets))


def test_inputs_are_normalised_first() -> None:
    log_a, log_b = random_rows(12, 20)
    targets = column(0.02, rows=12)
    plain, shifted = (kl_fixed_mixture(log_a + c, log_b - c, targets) for c in (0.0, 0.7))
    torch.testing.assert_close(shifted.log_probs, plain.log_probs, atol=2e-6, rtol=0)
    torch.testing.assert_close(shifted.alpha, plain.alpha, rtol=1e-4, atol=0)


def test_half_precision_is_upcast() -> None:
    log_a, log_b = (t.bfloat16() for t in random_rows(12, 20))
    targets = column(0.02, rows=12)
    out = kl_fixed_mixture(log_a, log_b, targets)
    assert out.log_probs.dtype == torch.float32
    assert_promise(log_a.float(), log_b.float(), targets, out)


def test_shapes_dtypes_and_an_empty_batch() -> None:
    log_a, log_b = random_rows(3, 4, dtype=torch.float64)
    out = kl_fixed_mixture(log_a, log_b, column(0.1, rows=3).float())
    assert [t.shape for t in out] == [(3, 4), (3, 1), (3, 1)]
    assert [t.dtype for t in out] == [torch.float64] * 3
    empty = kl_fixed_mixture(log_a[:0], log_b[:0], column(0.1, rows=0))
    assert [t.shape for t in empty] == [(0, 4), (0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"log_base": torch.zeros(3, 5)}, "one shape"),
        ({"log_proposal": torch.zeros(4)}, "one shape"),
        ({"kl_target": torch.zeros(3)}, r"kl_target must be \[N, 1\] = \(3, 1\)"),
        ({"alpha_init": torch.zeros(1, 3)}, "alpha_init must be"),
        ({"log_base": torch.zeros(3, 4, requires_grad=True)}, "frozen"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Tensor], message: str) -> None:
    right = {
        "log_proposal": torch.zeros(3, 4),
        "log_base": torch.zeros(3, 4),
        "kl_target": column(1.0, rows=3),
    }
    with pytest.raises(ValueError, match=message):
        kl_fixed_mixture(**{**right, **wrong})


def test_chunks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    log_a, log_b = random_rows(50, 40)
    log_b = log_b.clone()
    log_b[20:25, 3] = -INF
    targets = column(*TARGETS, 1e-2).repeat(5, 1)
    whole = kl_fixed_mixture(log_a, log_b, targets)
    monkeypatch.setitem(_workspace._CHUNK_ELEMENTS, "cpu", 40 * 7)
    pieces = kl_fixed_mixture(log_a, log_b, targets)
    torch.testing.assert_close(pieces.log_probs, whole.log_probs, atol=1e-4, rtol=0)
    torch.testing.assert_close(pieces.alpha, whole.alpha, rtol=1e-4, atol=0)
    assert_promise(log_a, log_b, targets, pieces)


def test_inference_mode_first_and_then_training() -> None:
    log_a, log_b = random_rows(4, 1003)
    with torch.inference_mode():
        kl_fixed_mixture(log_a, log_b, column(0.1, rows=4))
    log_a.requires_grad_()
    kl_fixed_mixture(log_a, log_b, column(0.1, rows=4)).log_probs.sum().backward()
    assert log_a.grad is not None


def test_threads_do_not_share_buffers() -> None:
    problems = [(*random_rows(64, 300, seed=i), column(1e-3, rows=64)) for i in range(4)]
    alone = [kl_fixed_mixture(*problem) for problem in problems]
    differences: list[float] = []

    def work(i: int) -> None:
        for _ in range(10):
            again = kl_fixed_mixture(*problems[i]).log_probs
            differences.append(float((again - alone[i].log_probs).abs().max()))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(differences) == 40
    assert max(differences) == 0


# Gradients


def differences(log_a: Tensor, log_b: Tensor, target: Tensor, grad: Tensor, step: float) -> Tensor:
    """Central differences of sum grad log x in log a, [N, V]; the rows are independent."""
    rows, vocabulary = log_a.shape
    steps = step * torch.eye(vocabulary, dtype=torch.float64).repeat(rows, 1)
    each = [t.repeat_interleave(vocabulary, 0) for t in (log_a, log_b, target, grad)]
    ends = [truth.mixture(each[0] + s, *each[1:3])[0] for s in (steps, -steps)]
    weighted = torch.where(each[3] == 0, 0.0, each[3] * (ends[0] - ends[1]))
    return weighted.sum(-1).view(rows, vocabulary) / (2 * step)


@pytest.mark.parametrize("target", [1e-5, 1e-3, 0.03, 0.3, 1.0])
@pytest.mark.parametrize(("vocabulary", "shift"), [(2, 0.0), (5, 0.0), (5, 0.3), (5, 3.0)])
def test_gradients_are_those_of_finite_differences(
    vocabulary: int, shift: float, target: float
) -> None:
    log_a, log_b = random_rows(12, vocabulary, away=3, dtype=torch.float64)
    log_a, log_b = log_a + shift, log_b - shift
    grad = torch.randn(
        12, vocabulary, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    log_a.requires_grad_()
    targets = column(target, rows=12).requires_grad_()
    out = kl_fixed_mixture(log_a, log_b, targets)
    by_a, by_target = torch.autograd.grad(out.log_probs, (log_a, targets), grad)
    reached = torch.where(out.alpha < 1, out.kl, targets).detach()  # where alpha is the exact root
    slope = differences(log_a.detach(), log_b, reached, grad, 1e-5)
    far = (truth.kl(log_a, log_b, torch.ones_like(targets)) / targets - 1).abs().squeeze(-1) > 1e-2
    assert far.sum() >= 10
    scale = 1 + slope.abs().amax(-1, keepdim=True)
    torch.testing.assert_close((by_a / scale)[far], (slope / scale)[far], atol=1e-5, rtol=0)

    ends = [truth.mixture(log_a, log_b, reached * (1 + s))[0] for s in (1e-4, -1e-4)]
    slope = ((ends[0] - ends[1]) * grad).sum(-1, keepdim=True) / (2e-4 * reached)
    slope = torch.where(out.alpha < 1, slope, 0.0)
    torch.testing.assert_close(by_target[far], slope[far], rtol=1e-5, atol=1e-5)


def test_gradient_with_impossible_tokens() -> None:
    log_a, log_b = random_rows(6, 7, dtype=torch.float64)
    log_b[:, 2] = -INF
    grad = torch.randn(6, 7, dtype=torch.float64)
    log_a.requires_grad_()
    out = kl_fixed_mixture(log_a, log_b, column(0.05, rows=6))
    (by_a,) = torch.autograd.grad(out.log_probs, log_a, grad)
    assert (by_a[:, 2] == 0).all()
    grad[:, 2] = 0
    slope = differences(log_a.detach(), log_b, out.kl, grad, 1e-5)
    torch.testing.assert_close(by_a, slope, atol=1e-5, rtol=1e-5)


def test_saturated_rows_have_the_ordinary_gradient() -> None:
    log_a, log_b = random_rows(6, 7)
    targets = column(50.0, rows=6).requires_grad_()
    log_a.requires_grad_()
    grad, grad_kl = torch.randn(6, 7), torch.randn(6, 1, dtype=torch.float64)
    out = kl_fixed_mixture(log_a, log_b, targets)
    by_a, by_target = torch.autograd.grad(out[:2], (log_a, targets), (grad, grad_kl))
    log_p = torch.log_softmax(log_a, -1)
    plain = log_p, (log_p.exp() * (log_p - log_b)).sum(-1, keepdim=True)
    (expected,) = torch.autograd.grad(plain, log_a, (grad, grad_kl.float()))
    torch.testing.assert_close(by_a, expected)
    assert (by_target == 0).all()


def test_gradient_of_kl_where_the_target_is_reached() -> None:
    log_a, log_b = random_rows(6, 7)
    targets = column(0.01, rows=6).requires_grad_()
    log_a.requires_grad_()
    out = kl_fixed_mixture(log_a, log_b, targets)
    by_a, by_target = torch.autograd.grad(out.kl.sum(), (log_a, targets))
    assert (out.alpha < 1).all()
    assert (by_a == 0).all()
    assert (by_target == 1).all()
    assert not out.alpha.requires_grad


@pytest.mark.parametrize("target", [1e-6, 1e-4, 1e-2, 0.5])
def test_float32_gradients_agree_with_float64(target: float) -> None:
    log_a, log_b = random_rows(40, 768)
    log_a = torch.log_softmax(
        log_a + 8 * torch.nn.functional.one_hot(torch.arange(40) % 9, 768), -1
    )
    grad = torch.randn(40, 768)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        a = log_a.to(dtype, copy=True).requires_grad_()
        targets = column(target, rows=40).requires_grad_()
        out = kl_fixed_mixture(torch.log_softmax(a, -1), log_b.to(dtype), targets)
        gradients.append(torch.autograd.grad(out.log_probs, (a, targets), grad.to(dtype)))
    for single, double in zip(*gradients, strict=True):
        error = (single - double).abs().amax(-1) / double.abs().amax(-1).clamp(min=1e-9)
        assert error.max() < 1e-3


def edge_cases() -> dict[str, tuple[Tensor, Tensor, float]]:
    base = torch.log_softmax(torch.tensor([[0.0, 1.0, -2.0, 0.5]]), -1)
    rare = torch.log_softmax(torch.tensor([[0.0, 0.0, -200.0, 1.0]]), -1)
    tiny = torch.log_softmax(torch.tensor([[0.0, 0.0, -87.5, 1.0]]), -1)
    masked = base.masked_fill(torch.tensor([[False, False, True, False]]), -INF)
    one_hot = torch.tensor([[-INF, -INF, 0.0, -INF]])
    near_one_hot = torch.log_softmax(torch.tensor([[0.0, 0.0, 900.0, 0.0]]), -1)
    other = torch.log_softmax(torch.tensor([[1.0, 0.0, 2.0, -1.0]]), -1)
    broken = torch.tensor([[torch.nan, 0.0, 0.0, 0.0]])
    cases = {}
    for target in (0.0, 1e-9, 1e-6, 0.1, 5.0, 300.0, torch.nan):
        cases |= {
            f"equal {target}": (base.clone(), base, target),
            f"one-hot {target}": (one_hot, base, target),
            f"one-hot on a rare token {target}": (one_hot, rare, target),
            f"huge on a rare token {target}": (near_one_hot, rare, target),
            f"huge on a tiny token {target}": (near_one_hot, tiny, target),
            f"rare away {target}": (other, rare, target),
            f"base as proposal of rare {target}": (rare, near_one_hot, target),
            f"masked {target}": (other, masked, target),
            f"nothing left {target}": (one_hot, masked, target),
            f"one-hot base {target}": (other, one_hot, target),
            f"nan {target}": (broken, base, target),
            f"inf {target}": (broken.nan_to_num(nan=INF), base, target),
            f"zeros {target}": (torch.full((1, 4), -INF), base, target),
        }
    return cases


@pytest.mark.parametrize("name", edge_cases())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_never_nan(name: str, dtype: torch.dtype) -> None:
    log_a, log_b, target = edge_cases()[name]
    a = log_a.to(dtype).requires_grad_()
    targets = column(target).requires_grad_()
    out = kl_fixed_mixture(a, log_b.to(dtype), targets)
    assert not out.log_probs.isnan().any()
    finite = out.log_probs.masked_fill(out.log_probs == -INF, 0.0)
    loss = finite.sum() + entropy(out.log_probs).sum() + out.kl.sum()
    for gradient in torch.autograd.grad(loss, (a, targets)):
        assert gradient.isfinite().all()


# Asking for help


def test_help_is_what_is_missing() -> None:
    log_base = torch.tensor([[0.5, 0.25, 0.125], [0.5, 0.25, 0.25], [0.0, 0.0, 0.0]]).log()
    full = complete_with_help(log_base)
    torch.testing.assert_close(full[:, -1].exp(), torch.tensor([0.125, 0.0, 1.0]))
    little = complete_with_help(torch.tensor([[1 - 1e-12]], dtype=torch.float64).log())
    assert little[0, 1].exp().item() == pytest.approx(1e-12, rel=1e-3)


def test_help_of_a_base_that_overshoots_by_rounding() -> None:
    assert complete_with_help(torch.tensor([[1e-7]]))[0, 1] == -INF


def test_following_a_defective_base_is_free_and_leaving_it_is_not() -> None:
    log_base = complete_with_help(torch.tensor([[0.3, 0.3]]).log())
    free = kl_fixed_mixture(log_base.clone(), log_base, column(0.1))
    assert free.kl.item() == pytest.approx(0, abs=1e-15)
    never = torch.tensor([[0.5, 0.5, 0.0]]).log()
    out = kl_fixed_mixture(never, log_base, column(1.0))
    assert out.kl.item() == pytest.approx(
        -torch.tensor(0.6, dtype=torch.float64).log().item(), rel=1e-6
    )
    targets = column(0.1)
    assert_promise(never, log_base, targets, kl_fixed_mixture(never, log_base, targets))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_as_on_the_cpu() -> None:
    log_a, log_b = random_rows(90, 768)
    targets = column(*TARGETS).repeat(10, 1)
    grad = torch.randn(90, 768)
    answers = []
    for device in ("cpu", "cuda"):
        a = log_a.detach().to(device).requires_grad_()
        out = kl_fixed_mixture(a, log_b.to(device), targets.to(device))
        answers.append(
            (out.alpha.cpu(), torch.autograd.grad(out.log_probs, a, grad.to(device))[0].cpu())
        )
    torch.testing.assert_close(answers[1][0], answers[0][0], rtol=1e-4, atol=0)
    torch.testing.assert_close(answers[1][1], answers[0][1], rtol=2e-3, atol=2e-3)
