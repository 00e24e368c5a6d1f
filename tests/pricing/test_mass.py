"""The mass of an event against brute force over all token sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_derail.pricing import BlankTurn, EventCost, ExactText, event_cost
from kl_derail.pricing.continuations import Continuations
from kl_derail.pricing.events import TextEvent
from tests.models import build_model

TEXT = "ababab:\n"
TOKENS = ["a", "b", "ab", "ba", ":\n", "ab:", "\n", ":", "\nab"]
"""Spellings of the text have 3 to 8 tokens; one token of it hangs over."""

HALVES = [b"\xc3", b"\xa4", "ä".encode(), b"a", b"a\xc3", b":"]
"""Whole and half characters."""


class Table:
    """Any conditional distribution: another one after every token sequence."""

    def __init__(self, seed: int, size: int, ruled_out: int | None = None) -> None:
        self.seed, self.size, self.ruled_out = seed, size, ruled_out

    def __call__(self, suffixes: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.stack([self.row(suffix) for suffix in suffixes])

    def row(self, suffix: Sequence[int]) -> torch.Tensor:
        logits = np.random.default_rng([self.seed, *(token + 1 for token in suffix)]).normal(
            size=self.size
        )
        if self.ruled_out is not None:
            logits[self.ruled_out] = -np.inf
        return torch.tensor(logits).log_softmax(-1)


def brute_force(row: Table, pieces: Sequence[bytes], text: bytes, longest: int) -> list[float]:
    """Log mass of every sequence of at most `longest` tokens that first begins with the text at its last token."""
    found = []
    for length in range(1, longest + 1):
        for tokens in product(range(len(pieces)), repeat=length):
            said = [b"".join(pieces[token] for token in tokens[:n]) for n in (length - 1, length)]
            if said[1].startswith(text) and not said[0].startswith(text):
                logs = [row.row(tokens[:n])[tokens[n]] for n in range(length)]
                found.append(float(sum(logs)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_all_spellings_of_a_short_text(seed: int) -> None:
    pieces = [piece.encode() for piece in ["a", "b", "ab", ":\n", ":", "\n"]]
    table = Table(seed, len(pieces))
    text = b"abab:\n"
    truth = brute_force(table, pieces, text, 6)
    found = event_cost(table, pieces, ExactText(text), tolerance=0)
    assert found.exhausted
    assert found.spellings == len(truth) == 8
    assert found.low == found.high == pytest.approx(-math.log(math.fsum(map(math.exp, truth))))
    assert found.cheapest == pytest.approx(-max(truth))
    assert found.hanging == 0


def independent(row: Table, pieces: Sequence[bytes], text: bytes) -> float:
    """The mass by plain recursion, depth first."""

    def mass(tokens: tuple[int, ...], said: bytes) -> float:
        if said.startswith(text):
            return 1.0
        if not text.startswith(said):
            return 0.0
        chances = row.row(tokens).exp().tolist()
        return math.fsum(
            chance * mass((*tokens, token), said + pieces[token])
            for token, chance in enumerate(chances)
            if pieces[token]
        )

    return mass((), b"")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([token.encode() for token in [*TOKENS, "\nx"]], TEXT),
        (HALVES, "äaä:"),
        ([b"ab", b"abc", b"c", b"cd"], "abc"),
    ],
)
def test_long_overhanging_and_half_spellings(seed: int, pieces: list[bytes], text: str) -> None:
    table = Table(seed, len(pieces))
    found = event_cost(table, pieces, ExactText(text.encode()), tolerance=0)
    assert found.exhausted
    assert math.exp(-found.high) == pytest.approx(independent(table, pieces, text.encode()))


def test_the_share_that_hangs_over() -> None:
    pieces = [b"n", b"no", b"o", b"oh"]
    table = Table(0, 4)
    first, second = table.row([]).exp(), table.row([0]).exp()
    found = event_cost(table, pieces, ExactText(b"no"), tolerance=0)
    flush, hanging = float(first[1] + first[0] * second[2]), float(first[0] * second[3])
    assert math.exp(-found.low) == pytest.approx(flush + hanging)
    assert found.hanging == pytest.approx(hanging / (flush + hanging))


@settings(max_examples=15)
@given(
    st.integers(0, 999),
    st.integers(1, 60),
    st.sampled_from([ExactText(b"abab:"), BlankTurn(("S",))]),
)
def test_every_bracket_holds_the_truth(seed: int, nodes: int, event: TextEvent) -> None:
    """Also where empty tokens and endless white space leave the tree infinite."""
    pieces = [b"a", b"b", b"ab", b":", b"", b" ", b"\n", b"S:", b"\nS:", b"x", b"y"]
    table = Table(seed, len(pieces))
    rough = event_cost(table, pieces, event, tolerance=0, max_nodes=nodes)
    fine = event_cost(table, pieces, event, tolerance=1e-4, max_nodes=800)
    assert rough.nodes <= nodes
    assert 0 <= rough.low <= fine.low + 1e-12
    assert fine.low <= fine.high <= rough.high + 1e-12
    assert fine.high <= fine.cheapest + 1e-12


def test_an_infinite_event_against_brute_force() -> None:
    pieces = [b" ", b"\n", b"S:", b"x"]
    table = Table(4, 4)
    found = event_cost(table, pieces, BlankTurn(("S",)), tolerance=1e-6)
    mass = left = 0.0
    for length in range(1, 9):
        for blanks in product((0, 1), repeat=length - 1):
            logs = [float(table.row(blanks[:n])[token]) for n, token in enumerate(blanks)]
            if blanks and blanks[-1] == 1:
                mass += math.exp(sum(logs) + float(table.row(blanks)[2]))
            left += math.exp(sum(logs)) if length == 8 else 0.0
    assert not found.exhausted
    assert mass <= math.exp(-found.low)
    assert math.exp(-found.high) <= mass + left


@settings(max_examples=15)
@given(st.integers(0, 999), st.integers(1, 30))
def test_a_bracket_never_lies_above_the_script(seed: int, nodes: int) -> None:
    """However early the search ends; a dear spelling would be found late, if it was not looked at first."""
    pieces = [piece.encode() for piece in ["a", "b", "ab", ":", "aba"]]
    table = Table(seed, len(pieces))
    script = [0, 1, 0, 1, 3]
    cost = -math.fsum(float(table.row(script[:n])[token]) for n, token in enumerate(script))
    options = {"script": script, "tolerance": 0.0, "max_nodes": max(nodes, len(script))}
    found = event_cost(table, pieces, ExactText(b"abab:"), **options)  # type: ignore[arg-type]
    assert found.script == pytest.approx(cost)
    assert found.low <= found.high <= found.cheapest <= found.script
    assert found.nodes <= max(nodes, len(script))
    whole = event_cost(table, pieces, ExactText(b"abab:"), tolerance=0)
    assert whole.script == math.inf
    after = event_cost(table, pieces, ExactText(b"abab:"), script=script, tolerance=0)
    assert (after.high, after.spellings) == (pytest.approx(whole.high), whole.spellings)


@pytest.mark.parametrize("script", [(0, 0), (0, 1, 3), (1,), (0, 1, 0, 1, 3, 0), (0, 1)])
def test_what_is_no_spelling_changes_nothing(script: tuple[int, ...]) -> None:
    pieces = [piece.encode() for piece in ["a", "b", "ab", ":", "aba"]]
    plain, named = (
        event_cost(Table(3, 5), pieces, ExactText(b"abab:"), script=each, tolerance=0)
        for each in ((), script)
    )
    assert named.script == math.inf
    assert (named.high, named.spellings) == (pytest.approx(plain.high), plain.spellings)


def test_a_long_script_is_read_in_batches() -> None:
    pieces, text = [b"a", b"aa"], b"a" * 100
    table = Table(1, 2)
    found = event_cost(table, pieces, ExactText(text), script=[0] * 100, max_nodes=100)
    truth = -math.fsum(float(table.row([0] * n)[0]) for n in range(100))
    assert found.script == pytest.approx(truth)


def test_tolerance_ends_the_search() -> None:
    pieces = [b" ", b"\n", b"S:", b"x"]
    costs = [
        event_cost(Table(1, 4), pieces, BlankTurn(("S",)), tolerance=width) for width in (1.0, 0.01)
    ]
    assert all(
        cost.high - cost.low <= width for cost, width in zip(costs, (1.0, 0.01), strict=True)
    )
    assert costs[0].nodes < costs[1].nodes


@pytest.mark.parametrize(
    ("pieces", "ruled_out"),
    [([b"x", b"y"], None), ([b"no", b"y"], 0)],
    ids=["unspellable", "ruled out"],
)
def test_what_cannot_be_said_costs_infinitely_much(
    pieces: list[bytes], ruled_out: int | None
) -> None:
    found = event_cost(Table(0, 2, ruled_out), pieces, ExactText(b"no"))
    assert found == EventCost(math.inf, math.inf, math.inf, 0, 0.0, 1, True)


def test_a_transformer_against_brute_force() -> None:
    """Every sequence of up to 8 tokens that spells the text, each by a forward pass of its own."""
    pieces = [token.encode() for token in TOKENS]
    model = build_model("mixtral", len(pieces))
    context = [0, 1, 3]
    found = event_cost(Continuations(model, context), pieces, ExactText(TEXT.encode()), tolerance=0)
    total = math.fsum(
        math.exp(_alone(model, context, tokens)) for tokens in _spellings(TEXT.encode())
    )
    assert found.exhausted
    assert found.spellings == sum(1 for _ in _spellings(TEXT.encode()))
    assert found.high == pytest.approx(-math.log(total), abs=1e-4)


def _spellings(text: bytes) -> list[tuple[int, ...]]:
    """All of at most 8 tokens, by trying everything that can begin the text."""
    every: list[tuple[int, ...]] = []
    begun: list[tuple[int, ...]] = [()]
    for _ in range(8):
        longer = [(*tokens, token) for tokens in begun for token in range(len(TOKENS))]
        texts = ["".join(TOKENS[token] for token in tokens).encode() for tokens in longer]
        every += [t for t, said in zip(longer, texts, strict=True) if said.startswith(text)]
        begun = [
            t
            for t, said in zip(longer, texts, strict=True)
            if text.startswith(said) and said != text
        ]
    return every


def _alone(model: torch.nn.Module, context: list[int], tokens: tuple[int, ...]) -> float:
    ids = torch.tensor([[*context, *tokens]])
    with torch.no_grad():
        logs = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)
    start = len(context) - 1
    return sum(float(logs[start + n, token]) for n, token in enumerate(tokens))
