"""Rollouts against a slow replay: each chat alone, one uncached forward of its text, its own random stream."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from kl_derail.budget import BudgetHead, mixture_kl
from kl_derail.chat import (
    BasePolicy,
    Decision,
    Draw,
    Policy,
    Rollout,
    ScriptedPolicy,
    Stage,
    View,
    play,
    rollout,
    stream,
)
from kl_derail.errors import UserError
from tests.models import NAMES, OPENING, STUDENT_OPENING, Models, uncached

TOLERANCE = 1e-4  # nats, float32
MARGIN = 1e-5  # of probability: nearer than this to a boundary, the last bits choose the token


def agent_mask(played: Rollout, stage: Stage) -> Tensor:
    """[steps, B] bool from the turns alone."""
    mask = torch.zeros(stage.scene.length, len(played.turns), dtype=torch.bool)
    for chat, turns in enumerate(played.turns):
        for turn in turns:
            mask[turn.start : turn.end, chat] = turn.speaker == stage.scene.agent_index
    return mask[len(played.opening) :]


def base_log_probs(played: Rollout, stage: Stage, chat: int) -> Tensor:
    """[steps, V] what the base says before each token, from one uncached forward of the whole text."""
    text = [*played.opening, *played.steps.token[:, chat].tolist()]
    return uncached(stage.base, text)[0][len(played.opening) - 1 : -1]


def assert_drawn(log_probs: Tensor, token: int, uniform: float) -> None:
    """The token is where the distribution function passes the number, but for last bits."""
    cumulative = log_probs.double().exp().cumsum(0)
    level = uniform * cumulative[-1]
    below = cumulative[token - 1] if token else 0.0
    assert below - MARGIN <= level <= cumulative[token] + MARGIN
    assert log_probs[token] > -torch.inf


def assert_base_chat(played: Rollout, stage: Stage) -> None:
    """Agent at temperature 1, the student at its own, every column as the replay has it."""
    steps, draw = played.steps, played.draw
    mask = agent_mask(played, stage)
    assert torch.equal(steps.agent, mask)
    for chat, number in enumerate(draw.chats):
        base = base_log_probs(played, stage, chat)
        uniform = stream(draw.seed, draw.update, number).random(len(base))
        for step, token in enumerate(steps.token[:, chat].tolist()):
            temperature = 1.0 if mask[step, chat] else stage.scene.student_temperature
            drawn = (base[step] / temperature).log_softmax(-1)
            close = TOLERANCE / temperature
            assert float(steps.base_log_prob[step, chat]) == pytest.approx(
                float(base[step, token]), abs=TOLERANCE
            )
            assert float(steps.policy_log_prob[step, chat]) == pytest.approx(
                float(drawn[token]), abs=close
            )
            entropy = -(base[step].exp() * base[step]).sum()
            assert float(steps.base_entropy[step, chat]) == pytest.approx(float(entropy), abs=1e-3)
            if temperature == 1.0:
                assert_drawn(drawn, token, uniform[step])


@pytest.mark.parametrize("name", NAMES)
def test_the_base_policy_is_the_base(models: Models, name: str) -> None:
    stage = models.stage(name, length=60, student_temperature=1.0)
    played = rollout(stage, BasePolicy(), Draw(4, 2, range(3, 6), 0.0))
    assert_base_chat(played, stage)
    steps = played.steps
    assert steps.token.shape == (60 - len(stage.opening), 3)
    assert not steps.kl.any()
    assert not steps.log_ratio.any()
    assert torch.equal(steps.policy_log_prob[steps.agent], steps.base_log_prob[steps.agent])


@pytest.mark.parametrize("temperature", [0.05, 1.2])
def test_the_student_has_a_temperature(models: Models, temperature: float) -> None:
    stage = models.stage(
        "embedded", opening=STUDENT_OPENING, length=110, student_temperature=temperature
    )
    played = rollout(stage, BasePolicy(), Draw(0, -1, range(4), 0.0))
    assert 0 < played.steps.agent.float().mean() < 1
    assert_base_chat(played, stage)


def test_the_student_draws_at_its_temperature(models: Models) -> None:
    """The tokens themselves, from random models, whose distributions are wide."""
    stage = models.stage("gpt2", opening=STUDENT_OPENING, student_temperature=2.0)
    played = rollout(stage, BasePolicy(), Draw(0, 0, range(4), 0.0))
    assert not played.steps.agent.any()
    for chat in range(4):
        base = base_log_probs(played, stage, chat)
        uniform = stream(0, 0, chat).random(len(base))
        for step, token in enumerate(played.steps.token[:, chat].tolist()):
            assert_drawn((base[step] / 2.0).log_softmax(-1), token, uniform[step])


def assert_same_chat(many: Rollout, one: Rollout, column: int) -> None:
    """Chat `column` of a batch is the chat played alone, up to where last bits may first have changed a token."""
    a, b = many.steps.token[:, column], one.steps.token[:, 0]
    differ = (a != b).nonzero().flatten()
    same = int(differ[0]) if len(differ) else len(a)
    for name, whole in many.steps._asdict().items():
        torch.testing.assert_close(
            whole[:same, column],
            getattr(one.steps, name)[:same, 0],
            atol=5e-4,
            rtol=1e-3,
            equal_nan=True,
        )
    if same == len(a):
        assert many.turns[column] == one.turns[0]
    else:
        assert same > len(a) // 4, "last bits seldom change a token so early"


@pytest.mark.parametrize("name", ["embedded", "gemma2", "llama"])
def test_a_batch_equals_each_chat_alone(models: Models, name: str) -> None:
    stage = models.stage(name, length=64)
    head = random_head(stage)
    together = rollout(stage, Budgeted(head), Draw(1, 5, range(8), 6.0))
    for chat in (0, 5):
        alone = rollout(stage, Budgeted(head), Draw(1, 5, range(chat, chat + 1), 6.0))
        assert_same_chat(together, alone, chat)


def test_rollouts_repeat_bit_by_bit(models: Models) -> None:
    stage = models.stage("embedded", length=60)
    first, second = (
        rollout(stage, Budgeted(random_head(stage)), Draw(1, 5, range(4), 6.0)) for _ in range(2)
    )
    for name, column in first.steps._asdict().items():
        assert torch.equal(column.nan_to_num(-7.0), getattr(second.steps, name).nan_to_num(-7.0)), (
            name
        )


def test_different_chats_updates_and_seeds_differ(models: Models) -> None:
    stage = models.stage("gpt2")
    draws = [Draw(0, 0, range(2), 0.0), Draw(0, 1, range(2), 0.0), Draw(1, 0, range(2), 0.0)]
    played = [rollout(stage, BasePolicy(), draw).steps.token for draw in draws]
    chats = {tuple(column.tolist()) for tokens in played for column in tokens.T}
    assert len(chats) == 6


# A policy under a budget


@dataclass
class Budgeted:
    """A `BudgetHead` on features and remaining fraction, as a policy that remembers what it proposed."""

    head: BudgetHead
    proposals: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)

    def act(self, view: View) -> Decision:
        state = torch.cat([view.features, view.remaining[:, None]], 1)
        out = self.head(state, view.budget_left, view.log_base)
        self.proposals.append(
            (view.chats, out.log_proposal.clone(), view.log_base, out.mixture.alpha)
        )
        return Decision(
            out.mixture.log_probs,
            out.mixture.kl.squeeze(1),
            out.mixture.alpha.squeeze(1),
            out.fraction.float(),
            out.kl_target,
        )


def new_head(stage: Stage) -> BudgetHead:
    return BudgetHead(stage.n_features + 1, stage.base.vocabulary)


def random_head(stage: Stage, scale: float = 0.3) -> BudgetHead:
    head = new_head(stage)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in head.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
    return head


def poisoned(stage: Stage, poison: str) -> BudgetHead:
    head = random_head(stage, 1e4 if poison == "huge" else 0.3)
    with torch.no_grad():
        bias, weight = head.linear.bias, head.linear.weight
        bias[0] = 1e9  # always ask for all that is left
        if poison == "one-hot":
            bias[17] = 1e6
        elif poison == "overflow":
            weight[1:] = 3e38
        elif poison == "one NaN":
            bias[5] = torch.nan
        elif poison == "all NaN":
            weight.fill_(torch.nan)
        elif poison == "inf":
            bias[7] = torch.inf
        elif poison == "no mass":
            bias[1:] = -torch.inf
        elif poison == "half":
            bias[1:200] = -torch.inf
    return head


POISONS = ["mild", "huge", "one-hot", "overflow", "one NaN", "all NaN", "inf", "no mass", "half"]


def recomputed_kl(policy: Budgeted, chats: int) -> Tensor:
    """[steps, B] float64 KL of every step from proposal, base and alpha, never from the ledger."""
    kl = torch.zeros(len(policy.proposals), chats, dtype=torch.float64)
    for step, (rows, log_proposal, log_base, alpha) in enumerate(policy.proposals):
        kl[step, rows] = mixture_kl(log_proposal, log_base, alpha)
    return kl


@pytest.mark.parametrize("budget", [0.0, 3.0, 500.0])
@pytest.mark.parametrize("poison", POISONS)
def test_nobody_overspends(models: Models, poison: str, budget: float) -> None:
    stage = models.stage("mixtral", length=48)
    policy = Budgeted(poisoned(stage, poison))
    played = rollout(stage, policy, Draw(0, 0, range(3), budget))
    steps = played.steps
    assert steps.agent.all(), "a random base never hands on the word"
    kl = recomputed_kl(policy, 3)
    assert (kl.sum(0) <= budget + 1e-9 * stage.scene.length).all()
    torch.testing.assert_close(steps.kl, kl, atol=1e-9, rtol=1e-6)
    assert (steps.budget_left >= 0).all()
    assert (steps.budget_left[0] == budget).all()
    assert (steps.base_log_prob > -torch.inf).all()
    assert (steps.policy_log_prob > -torch.inf).all()
    if poison in ("mild", "huge", "one-hot", "half") and 0 < budget < 4:
        assert (kl.sum(0) > budget / 2).all(), "the adversary does spend"


def test_the_ledger_adds_the_very_values_of_the_log(models: Models) -> None:
    stage = models.stage("embedded", length=120)
    steps = rollout(stage, Budgeted(random_head(stage, 0.1)), Draw(0, 0, range(6), 8.0)).steps
    left = torch.full((6,), 8.0, dtype=torch.float64)
    for step in range(len(steps.kl)):
        assert torch.equal(steps.budget_left[step], left)
        left = (left - steps.kl[step]).clamp_min(0.0)
    assert (left >= 0).all()
    assert (steps.kl.sum(0) <= 8.0 + 1e-9).all()
    assert (steps.kl <= steps.kl_target.nan_to_num(torch.inf) + 1e-12).all()
    assert not steps.kl[~steps.agent].any()
    assert not steps.log_ratio[~steps.agent].any()


def test_realised_accounting_charges_the_log_ratio(models: Models) -> None:
    stage = models.stage("embedded", length=90)
    draw = Draw(0, 0, range(4), 5.0, "realised")
    steps = rollout(stage, Budgeted(random_head(stage, 0.1)), draw).steps
    left = torch.full((4,), 5.0, dtype=torch.float64)
    for step in range(len(steps.kl)):
        assert torch.equal(steps.budget_left[step], left)
        left = (left - steps.log_ratio[step]).clamp_min(0.0)
    ratio = steps.policy_log_prob.double() - steps.base_log_prob.double()
    assert torch.equal(steps.log_ratio[steps.agent], ratio[steps.agent])


# What is asked for beside the steps


def test_samples_hold_all_that_the_agent_saw(models: Models) -> None:
    stage = models.stage("embedded", length=100)
    policy = Budgeted(random_head(stage, 0.1))
    played = rollout(stage, policy, Draw(2, 0, range(5), 6.0), keep_samples=True)
    samples, steps = played.samples, played.steps
    assert samples is not None
    assert steps.agent.any()
    assert not steps.agent.all()
    at = samples.step, samples.view.chats
    assert torch.equal(
        torch.stack(at, 1), steps.agent.nonzero()
    )  # in the order of time, every decision once
    assert torch.equal(samples.token, steps.token[at])
    assert torch.equal(samples.log_prob, steps.policy_log_prob[at])
    assert torch.equal(samples.alpha, steps.alpha[at])
    assert torch.equal(samples.view.budget_left, steps.budget_left[at])
    position = len(played.opening) + samples.step
    torch.testing.assert_close(samples.view.remaining, (1 - position / 100).float())
    for number in range(0, len(position), 7):
        chat, place = int(samples.view.chats[number]), int(position[number])
        turn = next(turn for turn in played.turns[chat] if turn.start <= place < turn.end)
        assert int(samples.view.turn_age[number]) == place - max(turn.start, len(played.opening))
        assert bool(samples.view.in_opening[number]) == (turn.start < len(played.opening))
        text = [*played.opening, *steps.token[:, chat].tolist()][:place]
        log_probs, hidden = uncached(stage.base, text)
        torch.testing.assert_close(
            samples.view.log_base[number], log_probs[-1], atol=TOLERANCE, rtol=0
        )
        features = torch.cat([layer[-1] for layer in hidden[-stage.feature_layers :]])
        torch.testing.assert_close(samples.view.features[number], features, atol=1e-4, rtol=1e-4)


def test_nothing_more_is_kept_unless_asked_for(models: Models) -> None:
    played = rollout(models.stage("gpt2"), BasePolicy(), Draw(0, 0, range(1), 0.0))
    assert played.samples is None
    assert played.candidates is None


def test_no_samples_without_decisions(models: Models) -> None:
    stage = models.stage("gpt2", opening=STUDENT_OPENING)
    with pytest.raises(UserError, match="the agent never had the word"):
        rollout(stage, BasePolicy(), Draw(0, 0, range(1), 0.0), keep_samples=True)


def test_candidates_are_the_likeliest(models: Models) -> None:
    stage = models.stage("embedded", length=70, student_temperature=0.5)
    policy = Budgeted(random_head(stage, 0.1))
    played = rollout(stage, policy, Draw(2, 0, range(2), 6.0), top_k=4)
    top, steps = played.candidates, played.steps
    assert top is not None
    assert top.base_ids.shape == (len(steps.token), 2, 4)
    for chat in range(2):
        base = base_log_probs(played, stage, chat)
        for step in range(len(base)):
            drawn = (base[step] / 0.5).log_softmax(-1)
            if steps.agent[step, chat]:
                rows, log_proposal, _, alpha = policy.proposals[step_of(policy, step, steps.agent)]
                row = int((rows == chat).nonzero()[0])
                drawn = (
                    alpha[row] * log_proposal[row].exp() + (1 - alpha[row]) * base[step].exp()
                ).log()
            for ids, found, truth in (
                (top.base_ids, top.base_log_probs, base[step]),
                (top.policy_ids, top.policy_log_probs, drawn.float()),
            ):
                torch.testing.assert_close(
                    found[step, chat], truth.topk(4).values, atol=1e-3, rtol=0
                )
                torch.testing.assert_close(
                    truth[ids[step, chat]], truth.topk(4).values, atol=1e-3, rtol=0
                )


def step_of(policy: Budgeted, step: int, agent: Tensor) -> int:
    """Which call of the policy belongs to a step: it is not called where nobody asks it."""
    assert len(policy.proposals) == int(agent.any(1).sum())
    return int(agent[:step].any(1).sum())


def test_too_many_candidates(models: Models) -> None:
    with pytest.raises(UserError, match="top_k: found 401, allowed <= 400"):
        rollout(models.stage("gpt2"), BasePolicy(), Draw(0, 0, range(1), 0.0), top_k=401)


# Scripts


@pytest.mark.parametrize("name", ["embedded", "llama"])
def test_a_script_costs_minus_log_beta(models: Models, name: str) -> None:
    stage = models.stage(name, length=120, opening=STUDENT_OPENING, max_reply_tokens=9)
    script = stage.tokens_of(" Good.\n\nStudent:")
    played = rollout(stage, ScriptedPolicy(script), Draw(0, -1, range(2), float("inf")))
    steps = played.steps
    own = [
        turn for turn in played.turns[0] if turn.speaker == 0 and turn.start >= len(played.opening)
    ]
    assert len(own) >= 3
    assert {turn.text for turn in own if turn.complete} == {" Good."}
    for chat in range(2):
        base = base_log_probs(played, stage, chat)
        price = -base.gather(1, steps.token[:, chat, None]).squeeze(1).double()
        agent = steps.agent[:, chat]
        torch.testing.assert_close(steps.kl[agent, chat], price[agent], atol=TOLERANCE, rtol=1e-4)
        torch.testing.assert_close(steps.log_ratio[:, chat], steps.kl[:, chat])
        assert not steps.kl[~agent, chat].any()
        assert (steps.alpha[agent, chat] == 1).all()
        tokens = [
            t
            for turn in played.turns[chat]
            if turn.speaker == 0 and turn.start >= len(played.opening)
            for t in steps.token[
                turn.start - len(played.opening) : turn.end - len(played.opening), chat
            ].tolist()
        ]
        assert tokens == (script * len(tokens))[: len(tokens)]


def test_the_openings_turn_is_finished_by_the_base(models: Models) -> None:
    stage = models.stage("embedded", length=160, max_reply_tokens=8)
    script = ScriptedPolicy(stage.tokens_of("\n\nStudent:"))
    played = rollout(stage, script, Draw(0, -1, range(2), float("inf")))
    steps, start = played.steps, len(played.opening)
    for chat in range(2):
        first = next(turn for turn in played.turns[chat] if turn.end > start)
        rest = slice(0, first.end - start)
        assert not steps.kl[rest, chat].any()
        assert not steps.alpha[rest, chat].any()
        assert first.text.startswith(" We")
        assert first.text != " We"
        later = [
            turn
            for turn in played.turns[chat]
            if turn.speaker == 0 and turn.start >= start and turn.complete
        ]
        assert later
        assert all(turn.text == "" for turn in later)


def test_a_script_needs_tokens() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        ScriptedPolicy([])


# Replies without end


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("limit", [1, 6])
def test_an_endless_reply_is_cut_off(models: Models, name: str, limit: int) -> None:
    """A random base never hands on the word by itself."""
    stage = models.stage(
        name, opening=STUDENT_OPENING, max_reply_tokens=limit, length=90, student_temperature=1.0
    )
    script = ScriptedPolicy(stage.tokens_of(" x\n\nStudent:"))
    played = rollout(stage, script, Draw(0, 0, range(2), float("inf")))
    header = stage.tokens_of("\n\nTeacher:")
    texts = [[*played.opening, *column] for column in played.steps.token.T.tolist()]
    for chat, turns in enumerate(played.turns):
        replies = [
            turn
            for turn in turns
            if turn.speaker == 1 and turn.complete and turn.start >= len(played.opening)
        ]
        assert replies
        for turn in replies:
            assert turn.end - turn.start == limit + len(header)
            assert texts[chat][turn.end - len(header) : turn.end] == header
            forced = slice(turn.start - len(played.opening) + limit, turn.end - len(played.opening))
            assert not played.steps.policy_log_prob[forced, chat].any(), "certain, since forced"
            assert not played.steps.agent[forced, chat].any()
        assert all(
            turn.text == " x"
            for turn in turns
            if turn.speaker == 0 and turn.complete and turn.start > 20
        )


# The stage


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "opening", [OPENING, "Teacher: Zoë, 😀!\nStudent:", "Student: a\n\nTeacher: b\n\n"]
)
def test_the_openings_pieces_are_the_opening(models: Models, name: str, opening: str) -> None:
    stage = models.stage(name, opening=opening)
    pieces = stage.opening_pieces()
    assert "".join(pieces) == opening
    assert len(pieces) == len(stage.opening)
    assert list(stage.opening) == stage.base.tokenizer.encode(opening)
    played = rollout(stage, BasePolicy(), Draw(0, 0, range(1), 0.0))
    assert played.turns[0][0].speaker == stage.scene.speakers.index(opening.split(":")[0])
    assert played.turns[0][0].start == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["\n\nTeacher:", " No.", "No.", "\nStudent: é😀\n"])
def test_tokens_that_go_on(models: Models, name: str, text: str) -> None:
    stage = models.stage(name)
    assert stage.pieces.text(stage.tokens_of(text)) == text


def test_a_tokenizer_that_changes_the_opening(models: Models) -> None:
    from tokenizers import normalizers

    base = models.base("gpt2")
    tokenizer = type(base.tokenizer).from_pretrained(models.folder("gpt2"))
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(
        UserError, match=r"opening: the base's tokenizer gives it back as 'teacher: good"
    ) as caught:
        Stage(dataclasses.replace(base, tokenizer=tokenizer), models.stage("gpt2").scene)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [2, 20])
def test_an_opening_longer_than_the_episode(models: Models, length: int) -> None:
    with pytest.raises(
        UserError, match=rf"length: found {length}, allowed > 20, the opening's tokens"
    ):
        models.stage("gpt2", length=length)


def test_an_episode_longer_than_the_context(models: Models) -> None:
    with pytest.raises(UserError, match="length: found 513, allowed <= 512, the base's context"):
        models.stage("gpt2", length=513)


def test_an_episode_of_one_token(models: Models) -> None:
    played = rollout(models.stage("gpt2", length=21), BasePolicy(), Draw(0, 0, range(2), 0.0))
    assert played.steps.token.shape == (1, 2)
    assert [turn.end for turn in played.turns[0]][-1] == 21


# Evaluation


@pytest.mark.parametrize("chats", [2, 3, 64])
def test_play_draws_the_same_chats_in_any_batches(models: Models, chats: int) -> None:
    stage = models.stage("gpt2", length=40)
    policy: Policy = BasePolicy()
    batches = list(play(stage, policy, 5, seed=9, budget=0.0, chats=chats, top_k=2))
    assert [number for batch in batches for number in batch.draw.chats] == list(range(5))
    assert max(len(batch.draw.chats) for batch in batches) <= chats
    assert all(batch.draw.update == -1 and batch.draw.accounting == "expected" for batch in batches)
    assert all(batch.candidates is not None for batch in batches)
    whole = rollout(stage, policy, Draw(9, -1, range(5), 0.0))
    for batch in batches:
        for column, number in enumerate(batch.draw.chats):
            single = Rollout(
                batch.draw,
                batch.opening,
                type(batch.steps)(*(c[:, column : column + 1] for c in batch.steps)),
                [batch.turns[column]],
            )
            assert_same_chat(whole, single, number)


def test_play_nothing(models: Models) -> None:
    assert list(play(models.stage("gpt2"), BasePolicy(), 0, seed=0, budget=0.0)) == []
