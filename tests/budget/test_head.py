from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.budget import BudgetHead, complete_with_help, entropy, kl_target
from tests.budget import truth
from tests.budget.truth import column, random_rows


def make_head(features: int = 4, vocabulary: int = 6, **options: float) -> BudgetHead:
    torch.manual_seed(0)
    head = BudgetHead(features, vocabulary, **options)
    with torch.no_grad():
        head.linear.weight.normal_()
        head.linear.bias.normal_()
    return head


def inputs(rows: int = 8, features: int = 4, vocabulary: int = 6) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    left = torch.linspace(0, 5, rows, dtype=torch.float64)
    return torch.randn(rows, features), left, random_rows(rows, vocabulary)[1]


def test_an_untrained_head_follows_the_base() -> None:
    state, left, log_base = inputs()
    out = BudgetHead(4, 6)(state, left, log_base)
    torch.testing.assert_close(out.mixture.log_probs, log_base)
    torch.testing.assert_close(out.log_proposal, log_base)
    assert (out.mixture.kl < 1e-12).all()
    assert out.fraction.tolist() == pytest.approx([1 / 17] * 8)
    torch.testing.assert_close(out.kl_target, torch.minimum(left / 17 + 1e-6, left))


def test_shapes_and_dtypes() -> None:
    out = make_head()(*inputs())
    assert out.mixture.log_probs.shape == out.log_proposal.shape == (8, 6)
    assert out.mixture.kl.shape == out.mixture.alpha.shape == (8, 1)
    assert out.fraction.shape == out.kl_target.shape == (8,)
    assert out.kl_target.dtype == torch.float64


def test_outputs_by_hand() -> None:
    head, (state, left, log_base) = make_head(), inputs()
    raw = (
        torch.cat([state, left.float().unsqueeze(-1)], -1) @ head.linear.weight.T + head.linear.bias
    )
    out = head(state, left, log_base)
    torch.testing.assert_close(out.fraction, torch.sigmoid(raw[:, 0] - math.log(16)))
    torch.testing.assert_close(out.log_proposal, torch.log_softmax(log_base + raw[:, 1:], -1))
    spent = truth.kl(out.log_proposal, log_base, out.mixture.alpha).squeeze(-1)
    assert (spent <= out.kl_target + 1e-15).all()
    assert (spent <= left + 1e-15).all()


def test_the_budget_input_is_scaled() -> None:
    state, left, log_base = inputs()
    torch.testing.assert_close(
        make_head(budget_scale=10.0)(state, 10 * left, log_base).log_proposal,
        make_head()(state, left, log_base).log_proposal,
    )


def test_standardisation_is_applied_and_saved() -> None:
    head, (state, left, log_base) = make_head(), inputs()
    mean, std = torch.randn(4), torch.rand(4) + 0.5
    raw = head(state, left, log_base).log_proposal
    head.set_standardisation(mean, std)
    torch.testing.assert_close(head(state * std + mean, left, log_base).log_proposal, raw)
    other = BudgetHead(4, 6)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.mean, mean)
    assert torch.equal(
        other(state, left, log_base).log_proposal, head(state, left, log_base).log_proposal
    )


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.zeros(3), torch.ones(4)),
        (torch.zeros(4), torch.tensor([1.0, 1.0, 0.0, 1.0])),
        (torch.full((4,), torch.nan), torch.ones(4)),
        (torch.zeros(4), torch.full((4,), torch.inf)),
    ],
)
def test_standardisation_refuses_what_would_break_it(mean: torch.Tensor, std: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="mean"):
        BudgetHead(4, 6).set_standardisation(mean, std)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e38])
@pytest.mark.parametrize("where", [slice(0, 1), slice(1, 2), slice(None)])
def test_bad_weights_spend_nothing_they_should_not(bad: float, where: slice) -> None:
    head, (state, left, log_base) = make_head(), inputs()
    with torch.no_grad():
        head.linear.weight[where] = bad
        out = head(state, left, log_base)
    assert not out.mixture.log_probs.isnan().any()
    assert (out.mixture.kl.squeeze(-1) <= left).all()
    spent = truth.kl(out.log_proposal.nan_to_num(0.0), log_base, out.mixture.alpha).squeeze(-1)
    assert (spent <= left + 1e-12).all()


def test_gradients_reach_every_weight() -> None:
    head, (state, left, log_base) = make_head(), inputs()
    out = head(state, left, log_base)
    loss = out.mixture.log_probs[:, 0].sum() + entropy(out.mixture.log_probs).sum()
    loss = loss + (out.mixture.kl.detach().squeeze(-1) - out.kl_target).square().sum()
    loss.backward()
    for weight in head.parameters():
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
        assert (weight.grad != 0).any()


def test_a_warm_start_changes_nothing() -> None:
    head, (state, left, log_base) = make_head(), inputs()
    cold = head(state, left, log_base)
    warm = head(state, left, log_base, cold.mixture.alpha)
    torch.testing.assert_close(warm.mixture.log_probs, cold.mixture.log_probs)


def test_half_precision_features_and_a_defective_base() -> None:
    state, left, log_base = inputs()
    base = complete_with_help(log_base - 0.5)
    out = make_head(vocabulary=7)(state.bfloat16(), left, base)
    assert out.mixture.log_probs.shape == (8, 7)
    assert out.mixture.log_probs.dtype == torch.float32
    spent = truth.kl(out.log_proposal, base, out.mixture.alpha).squeeze(-1)
    assert (spent <= out.kl_target + 1e-15).all()


@given(st.floats(0, 1), st.floats(0, 1e6))
def test_target_is_at_most_what_is_left(fraction: float, left: float) -> None:
    target = kl_target(torch.tensor([fraction]), torch.tensor([left], dtype=torch.float64))
    assert target.item() <= left
    published = kl_target(torch.tensor([fraction]), column(left)[0], overspend=True)
    assert published.item() == pytest.approx(float(torch.tensor(fraction)) * left + 1e-6)


def test_target_keeps_float64_of_what_is_left() -> None:
    left = torch.tensor([1.0 - 2**-50], dtype=torch.float64)
    assert kl_target(torch.tensor([1.0]), left).item() == left.item()


def test_floor_and_options_of_the_head() -> None:
    state, left, log_base = inputs()
    left = torch.zeros_like(left)
    assert (BudgetHead(4, 6)(state, left, log_base).kl_target == 0).all()
    over = BudgetHead(4, 6, overspend=True, floor=1e-3)(state, left, log_base)
    assert over.kl_target.tolist() == pytest.approx([1e-3] * 8)
