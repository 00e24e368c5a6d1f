"""The in-place cache against plain concatenation."""

from __future__ import annotations

import torch
from transformers import LlamaConfig
from transformers.cache_utils import DynamicLayer

from kl_derail.base.cache import ReservedLayer, reserved_cache, spread


def states(batch: int, tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch, 2, tokens, 4, generator=generator),
        torch.randn(batch, 2, tokens, 3, generator=generator),  # values may be narrower
    )


def assert_equal(layer: DynamicLayer, plain: DynamicLayer) -> None:
    assert torch.equal(layer.keys, plain.keys)
    assert torch.equal(layer.values, plain.values)
    assert layer.get_seq_length() == plain.get_seq_length()


def test_equals_concatenation_through_every_operation() -> None:
    layer, plain = ReservedLayer(7), DynamicLayer()
    for each in (layer, plain):
        each.update(*states(3, 4, 0))
        each.update(*states(3, 1, 1))
        each.batch_select_indices(torch.tensor([2, 0, 1]))  # the batch keeps its size
        each.update(*states(3, 2, 2))
    assert_equal(layer, plain)
    for each in (layer, plain):
        each.update(*states(3, 1, 3))  # beyond the room
        each.batch_repeat_interleave(2)
        each.update(*states(6, 1, 4))
        each.reorder_cache(torch.tensor([5, 4, 3, 2, 1, 0]))
        each.update(*states(6, 1, 5))
        each.crop(-3)
        each.update(*states(6, 1, 6))
    assert_equal(layer, plain)
    for each in (layer, plain):
        each.reset()
        each.update(*states(2, 2, 7))
    assert_equal(layer, plain)


def test_what_it_returns_is_all_so_far() -> None:
    layer = ReservedLayer(4)
    first, second = states(2, 3, 0), states(2, 1, 1)
    layer.update(*first)
    keys, values = layer.update(*second)
    assert torch.equal(keys, torch.cat([first[0], second[0]], dim=-2))
    assert torch.equal(values, torch.cat([first[1], second[1]], dim=-2))


def test_the_capacity_grows_to_what_is_needed() -> None:
    layer = ReservedLayer(2)
    for number in range(5):
        layer.update(*states(1, 1, number))
    assert layer.capacity == 5


def test_sliding_layers_stay_the_models_own() -> None:
    kinds = ["full_attention", "sliding_attention"]
    config = LlamaConfig(num_hidden_layers=2, sliding_window=4, layer_types=kinds)
    layers = [type(layer).__name__ for layer in reserved_cache(config, 10).layers]
    assert layers == ["ReservedLayer", "DynamicSlidingWindowLayer"]


def test_spread_copies_rows() -> None:
    cache = reserved_cache(LlamaConfig(num_hidden_layers=1), 6)
    keys, values = states(2, 3, 0)
    cache.update(keys, values, 0)
    spread(cache, torch.tensor([1, 0, 1]))
    assert torch.equal(cache.layers[0].keys, keys[[1, 0, 1]])
