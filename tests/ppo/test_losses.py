import math

import torch

from kl_derail.ppo.losses import clipped_surrogate, target_tracking, value_error


def test_surrogate_by_hand():
    old = torch.log(torch.tensor([0.5, 0.5, 0.5, 0.5]))
    new = torch.log(torch.tensor([0.6, 0.6, 0.4, 0.4])).requires_grad_()
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0])
    found = clipped_surrogate(new, old, advantage, clip=0.1)
    # ratios 1.2, 1.2, 0.8, 0.8; the smaller of ratio x A and clipped ratio x A, negated
    torch.testing.assert_close(found.loss.detach(), torch.tensor([-1.1, 1.2, -0.8, 0.9]))
    assert found.clipped.all()
    found.loss.sum().backward()
    assert new.grad is not None
    # no gradient where the clip holds back a change that would gain
    assert (new.grad != 0).tolist() == [False, True, True, False]


def test_approx_kl_is_k3_of_old_against_new():
    old, new = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    found = clipped_surrogate(new, old, torch.ones(1), clip=0.2)
    # ratio r = new/old = 1/2; k3 = r - 1 - log r
    torch.testing.assert_close(found.approx_kl, torch.tensor([0.5 - 1 + math.log(2)]))


def test_tracking_moves_the_target_not_the_kl():
    kl = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    target_tracking(kl, target).sum().backward()
    assert kl.grad is None
    assert target.grad is not None
    assert target.grad.item() == 3.0


def test_value_error():
    assert value_error(torch.tensor([1.0]), torch.tensor([3.0])).item() == 4.0
