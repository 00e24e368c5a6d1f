"""Lockstep decoding with a cache against plain uncached forward passes of each text alone."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from kl_derail.base import BaseModel, BaseStep, LockstepDecoder
from kl_derail.errors import UserError
from tests.models import NAMES, Models, uncached

TOLERANCE = 1e-4  # nats, float32
LAYERS = 3


def decode(decoder: LockstepDecoder, openings: list[list[int]], tails: Tensor) -> list[BaseStep]:
    """All steps of openings that go on with tails [B, n]."""
    return [decoder.start(openings), *(decoder.advance(column) for column in tails.T)]


def random_tails(base: BaseModel, chats: int, tokens: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(base.vocabulary, (chats, tokens), generator=generator)


def random_opening(base: BaseModel, tokens: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(base.vocabulary, (tokens,), generator=generator).tolist()


def assert_as_uncached(
    base: BaseModel, openings: list[list[int]], tails: Tensor, steps: list[BaseStep]
) -> None:
    """Each chat's every step is what a plain forward of its text says at that position."""
    for chat, (opening, tail) in enumerate(zip(openings, tails.tolist(), strict=True)):
        log_probs, hidden = uncached(base, opening + tail)
        features = torch.cat(hidden[-LAYERS:], dim=-1)
        for number, step in enumerate(steps):
            place = len(opening) - 1 + number
            torch.testing.assert_close(
                step.log_probs[chat], log_probs[place], atol=TOLERANCE, rtol=0
            )
            torch.testing.assert_close(
                step.features[chat], features[place], atol=TOLERANCE, rtol=1e-4
            )


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_uncached_forward(models: Models, name: str) -> None:
    base = models.base(name)
    opening = base.tokenizer.encode("Teacher: Good morning.\n\nStudent: Hello")
    tails = random_tails(base, 3, 30)
    decoder = LockstepDecoder(base.model, feature_layers=LAYERS, capacity=len(opening) + 30)
    steps = decode(decoder, [opening] * 3, tails)
    assert steps[0].log_probs.shape == (3, base.vocabulary)
    assert steps[0].log_probs.dtype == torch.float32
    assert_as_uncached(base, [opening] * 3, tails, steps)


@pytest.mark.parametrize("name", NAMES)
def test_openings_of_different_lengths_equal_each_alone(models: Models, name: str) -> None:
    """Lengths on both sides of the sliding window, not in order, one of them twice."""
    base = models.base(name)
    openings = [random_opening(base, length, length) for length in (12, 3, 21, 1)]
    openings.insert(2, openings[0])
    tails = random_tails(base, 5, 14)
    decoder = LockstepDecoder(base.model, feature_layers=LAYERS, capacity=64)
    assert_as_uncached(base, openings, tails, decode(decoder, openings, tails))


@pytest.mark.parametrize("capacity", [0, 9, 100])
def test_permuted_openings_keep_their_own_past(models: Models, capacity: int) -> None:
    """As many different openings as chats, but in another order than the decoder's own."""
    base = models.base("llama")
    openings = [[9, 8, 7], [3, 2, 1], [5, 6, 4]]
    tails = random_tails(base, 3, 6)
    decoder = LockstepDecoder(base.model, feature_layers=LAYERS, capacity=capacity)
    assert_as_uncached(base, openings, tails, decode(decoder, openings, tails))


@pytest.mark.parametrize("name", ["mixtral", "gpt2", "gemma2"])
@pytest.mark.parametrize("capacity", [0, 1, 8])
def test_a_capacity_too_small_only_costs_time(models: Models, name: str, capacity: int) -> None:
    base = models.base(name)
    opening, tails = random_opening(base, 6, 0), random_tails(base, 2, 12)
    decoder = LockstepDecoder(base.model, feature_layers=LAYERS, capacity=capacity)
    assert_as_uncached(base, [opening] * 2, tails, decode(decoder, [opening] * 2, tails))


def test_a_decoder_starts_afresh(models: Models) -> None:
    base = models.base("llama")
    decoder = LockstepDecoder(base.model, feature_layers=LAYERS, capacity=30)
    decode(decoder, [random_opening(base, 7, 1)] * 3, random_tails(base, 3, 4))
    openings, tails = [random_opening(base, n, n) for n in (4, 5)], random_tails(base, 2, 4)
    assert_as_uncached(base, openings, tails, decode(decoder, openings, tails))


def test_equal_openings_are_computed_once(models: Models) -> None:
    base = models.base("llama")
    decoder = LockstepDecoder(base.model)
    with patch.object(base.model.model, "forward", wraps=base.model.model.forward) as forward:
        decoder.start([[1, 2, 3], [4, 5], [1, 2, 3], [1, 2, 3]])
        assert forward.call_count == 1
        assert forward.call_args.kwargs["input_ids"].shape == (2, 3)


def test_only_the_last_position_of_an_opening_becomes_logits(models: Models) -> None:
    base = models.base("mixtral")
    seen: list[int] = []
    hook = base.model.get_output_embeddings().register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0].shape[1])
    )
    LockstepDecoder(base.model).start([[1, 2, 3, 4]])
    hook.remove()
    assert seen == [1]


def test_past_keys_and_values_are_not_copied(models: Models) -> None:
    """Within the capacity every step hands out views of the same buffers."""
    base = models.base("llama")
    decoder = LockstepDecoder(base.model, capacity=12)
    decoder.start([[1, 2], [3, 4]])
    decoder.advance(torch.tensor([5, 6]))
    before = [layer.keys.data_ptr() for layer in decoder._cache.layers]
    for token in range(9):
        decoder.advance(torch.tensor([token, token]))
    assert [layer.keys.data_ptr() for layer in decoder._cache.layers] == before
    decoder.advance(torch.tensor([0, 0]))  # the thirteenth token
    assert all(
        layer.keys.data_ptr() != old
        for layer, old in zip(decoder._cache.layers, before, strict=True)
    )


@pytest.mark.parametrize("layers", [1, 4])
def test_features_are_the_last_hidden_states(models: Models, layers: int) -> None:
    base = models.base("qwen3")
    step = LockstepDecoder(base.model, feature_layers=layers).start([[3, 1, 4]])
    hidden = [layer[-1] for layer in uncached(base, [3, 1, 4])[1]]
    assert len(hidden) == 4  # embeddings and three layers
    torch.testing.assert_close(step.features[0], torch.cat(hidden[-layers:]), atol=1e-4, rtol=1e-4)
    head = base.model.get_output_embeddings()
    with (
        torch.no_grad()
    ):  # the newest layer is after the final norm: the head alone makes the logits
        log_probs = head(step.features[:, -32:]).log_softmax(-1)
    torch.testing.assert_close(step.log_probs, log_probs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("layers", [0, 5, -1])
def test_too_many_feature_layers(models: Models, layers: int) -> None:
    with pytest.raises(UserError, match=rf"feature_layers: found {layers}, allowed 1 to 4"):
        LockstepDecoder(models.base("qwen3").model, feature_layers=layers)


@pytest.mark.parametrize("openings", [[], [[]], [[1], []]])
def test_every_chat_needs_an_opening(models: Models, openings: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="opening of at least one token"):
        LockstepDecoder(models.base("qwen3").model).start(openings)


def test_advance_before_start(models: Models) -> None:
    with pytest.raises(RuntimeError, match=r"call start\(\)"):
        LockstepDecoder(models.base("qwen3").model).advance(torch.tensor([1]))
