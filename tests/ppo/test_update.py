import math

import pytest
import torch

from kl_derail.chat import Samples, View
from kl_derail.ppo import update as module
from kl_derail.ppo.agent import Agent
from kl_derail.ppo.options import PPOOptions
from kl_derail.ppo.update import Batch, loss_terms, make_optimiser, minibatches, set_rates, update

N, F, V = 40, 6, 11


def make_agent(seed=0):
    torch.manual_seed(seed)
    agent = Agent(F, V, budget_scale=4.0)
    with torch.no_grad():
        for weight in agent.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return agent


def make_batch(agent, seed=1):
    generator = torch.Generator().manual_seed(seed)
    view = View(
        chats=torch.zeros(N, dtype=torch.int64),
        log_base=torch.randn(N, V, generator=generator).log_softmax(-1),
        features=torch.randn(N, F, generator=generator),
        remaining=torch.rand(N, generator=generator),
        turn_age=torch.zeros(N, dtype=torch.int64),
        in_opening=torch.zeros(N, dtype=torch.bool),
        budget_left=4 * torch.rand(N, generator=generator, dtype=torch.float64),
    )
    token = torch.randint(V, (N,), generator=generator)
    with torch.no_grad():
        mixture = agent(view).mixture
    log_prob = mixture.log_probs.gather(1, token[:, None]).squeeze(1)
    samples = Samples(view, torch.arange(N), token, log_prob, mixture.alpha.squeeze(1))
    return Batch(samples, torch.randn(N, generator=generator), torch.randn(N, generator=generator))


def gradient(agent, batch, pieces, options):
    agent.zero_grad()
    for rows in pieces:
        (loss_terms(agent, batch.pick(rows), options).loss / batch.size).backward()
    return torch.cat([weight.grad.flatten() for weight in agent.parameters()])


def test_pieces_add_up_to_the_whole():
    agent, options = make_agent(), PPOOptions()
    batch = make_batch(agent)
    whole = gradient(agent, batch, [slice(0, N)], options)
    parts = gradient(agent, batch, minibatches(N, N, 7, (0,))[0], options)
    shuffled = gradient(agent, batch, list(torch.randperm(N).split(9)), options)
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(shuffled, whole, atol=1e-6, rtol=1e-5)


def test_gradient_is_that_of_finite_differences():
    """The loss as a function of one weight at a time, in float64, away from the clip's kinks.

    The budget is never reached: between targets a solver's tolerance would drown the differences, and the mixture's
    own gradient has its own test.
    """
    agent = make_agent().double()
    batch = make_batch(agent)
    view = batch.samples.view
    view = view._replace(log_base=view.log_base.double(), features=view.features.double(),
                         remaining=view.remaining.double(), budget_left=view.budget_left + 500)  # fmt: skip
    with torch.no_grad():
        log_prob = agent(view).mixture.log_probs.gather(1, batch.samples.token[:, None]).squeeze(1)
    samples = batch.samples._replace(view=view, log_prob=log_prob + 1e-3)
    batch = Batch(samples, batch.advantage.double(), batch.target.double())
    options = PPOOptions(
        target_coefficient=0.0
    )  # its gradient leaves out the achieved KL on purpose

    def loss():
        with torch.no_grad():
            return float(loss_terms(agent, batch, options).loss)

    gradient(agent, batch, [slice(0, N)], options)
    for weight in (agent.head.linear.weight, agent.head.linear.bias, agent.critic.layers[0].weight):
        flat, found = weight.data.view(-1), weight.grad.view(-1) * N
        for index in torch.randperm(len(flat), generator=torch.Generator().manual_seed(3))[:6]:
            kept, step = float(flat[index]), 1e-5
            flat[index] = kept + step
            above = loss()
            flat[index] = kept - step
            below = loss()
            flat[index] = kept
            assert float(found[index]) == pytest.approx(
                (above - below) / (2 * step), rel=1e-5, abs=1e-6
            )


@pytest.mark.parametrize("size", [5, 8, 40, 100])
def test_minibatches_hold_every_sample_once(size):
    rows = [
        torch.arange(N)[piece] for pieces in minibatches(N, size, 3, (1, 2)) for piece in pieces
    ]
    assert sorted(torch.cat(rows).tolist()) == list(range(N))


def test_minibatches_depend_on_their_key_alone():
    one, two, other = (minibatches(N, 8, 8, key) for key in ((1, 2), (1, 2), (1, 3)))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0][0], other[0][0])


def test_an_update_makes_good_decisions_likelier():
    agent = make_agent()
    batch = make_batch(agent)
    batch = batch._replace(advantage=torch.where(batch.samples.token == 3, 1.0, -0.1))
    options = PPOOptions(lr_actor=0.02, grad_norm_actor=None, epochs=4)

    def share():
        with torch.no_grad():
            return float(agent(batch.samples.view).mixture.log_probs.exp()[:, 3].mean())

    before = share()
    stats = update(agent, make_optimiser(agent, options), batch, options, key=(0,))
    assert share() > before + 0.01
    assert stats.epochs == 4
    assert 0 < stats.approx_kl < 1
    assert all(math.isfinite(value) for value in stats.as_dict().values())


def test_epochs_stop_early_once_the_policy_has_moved_far():
    agent = make_agent()
    options = PPOOptions(lr_actor=0.5, stop_approx_kl=1e-6, epochs=8)
    stats = update(agent, make_optimiser(agent, options), make_batch(agent), options, key=(0,))
    assert 1 < stats.epochs < 8


def test_gradients_are_clipped():
    agent = make_agent()
    options = PPOOptions(grad_norm_actor=1e-3, epochs=1)
    batch = make_batch(agent)
    stats = update(agent, make_optimiser(agent, options), batch, options, key=(0,))
    assert stats.grad_norm_actor > 1e-3  # as it was before
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in agent.head.parameters()])
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_rates_follow_the_factor():
    agent, options = make_agent(), PPOOptions(lr_actor=0.1, lr_critic=0.2)
    optimiser = make_optimiser(agent, options)
    set_rates(optimiser, options, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.025, 0.05]


def test_the_size_of_pieces_changes_nothing_but_rounding(monkeypatch):
    results = []
    for elements in (V * 3, V * N):
        monkeypatch.setattr(module, "PIECE_ELEMENTS", elements)
        agent = make_agent()
        options = PPOOptions(epochs=2, minibatch=16)
        update(agent, make_optimiser(agent, options), make_batch(agent), options, key=(5,))
        results.append(torch.cat([weight.detach().flatten() for weight in agent.parameters()]))
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-4)
