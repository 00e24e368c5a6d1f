"""Transcripts of two sources, paired at random, like with like."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kl_derail.errors import UserError
from kl_derail.judge.judges import Transcript
from kl_derail.transcripts import Episode

END_TOKENS = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|im_end|>", "<|eot_id|>")
"""Tokens with which the usual bases end a text; what follows them is another text."""

DIGEST = 16
"""Hexadecimal digits of the hash in a transcript's key."""

Kind = tuple[str, str, int]
"""Opening, agent and length in tokens: what the chats of a pair have in common."""


class Pair(NamedTuple):
    """A chat of A and one of B, of the same beginning and length."""

    number: int
    a: Transcript
    b: Transcript


class Comparison(NamedTuple):
    """A against B, e.g. "20 nats vs base"."""

    label: str
    pairs: list[Pair]


def transcript(episode: Episode, end_tokens: Iterable[str] = END_TOKENS) -> Transcript:
    """What a judge sees of an episode: the opening, and the talk after it up to an end token."""
    opening = "".join(episode.token_text[: episode.opening_tokens])
    tokens = episode.token_text[episode.opening_tokens :]
    ends = frozenset(end_tokens)
    length = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    text = "".join(tokens[:length])
    digest = hashlib.sha256(f"{len(opening)} {opening}{text}".encode()).hexdigest()[:DIGEST]
    key = f"{episode.run_id}/{episode.policy}/{episode.update}/{episode.episode}/{digest}"
    return Transcript(key, opening, text, length, episode)


def make_pairs(
    a: Sequence[Transcript], b: Sequence[Transcript], count: int, seed: int
) -> list[Pair]:
    """Random pairs in which no transcript occurs twice, of equal opening, agent and length.

    Args:
        a: the chats of A, in any order: the pairs do not depend on it.
        b: those of B.
        count: how many pairs.
        seed: of the pairing.

    Raises:
        UserError: both sources are the same, begin differently, differ in length, or hold too few.
    """
    _refuse_same(a, b)
    _refuse_unlike(a, b)
    of_a, of_b = _by_kind(a), _by_kind(b)
    matched = [
        each
        for kind in sorted(of_a)
        for each in _placed(
            kind, [*zip(_mixed(of_a[kind], seed), _mixed(of_b[kind], seed), strict=False)], seed
        )
    ]
    if len(matched) < count:
        raise UserError(
            f"pairs: found {count}, allowed at most {len(matched)}: A holds {len(a)} transcripts and"
            f" B {len(b)}, and none is used twice; play more (kl-derail rollout RUN -n N --name NAME)"
        )
    chosen = sorted(matched, key=lambda each: each[0])[:count]
    return [Pair(number, *pair) for number, (_, pair) in enumerate(chosen)]


def _placed(
    kind: Kind, pairs: Sequence[tuple[Transcript, Transcript]], seed: int
) -> Iterator[tuple[float, tuple[Transcript, Transcript]]]:
    """The pairs of a kind, evenly spread over [0, 1) from a random start on, in their order.

    So the first of all kinds together hold as large a part of each, up to a pair, and all
    comparisons take the same chats of a source.
    """
    digest = hashlib.sha256(f"{seed} {kind}".encode()).digest()
    start = int.from_bytes(digest[:8]) / 2**64
    for number, pair in enumerate(pairs):
        yield (number + start) / len(pairs), pair


def _kind(each: Transcript) -> Kind:
    return each.opening, each.episode.agent, each.episode.length


def _by_kind(transcripts: Sequence[Transcript]) -> dict[Kind, list[Transcript]]:
    kinds = defaultdict(list)
    for each in transcripts:
        kinds[_kind(each)].append(each)
    return kinds


def _mixed(items: Sequence[Transcript], seed: int) -> list[Transcript]:
    """In an order of the seed and the keys alone, so that all comparisons pair a source's chats alike."""
    return sorted(items, key=lambda each: hashlib.sha256(f"{seed} {each.key}".encode()).digest())


def _refuse_same(a: Sequence[Transcript], b: Sequence[Transcript]) -> None:
    keys_a, keys_b = [each.key for each in a], [each.key for each in b]
    if len(set(keys_a)) < len(a) or len(set(keys_b)) < len(b):
        raise UserError("A or B holds the same transcript twice")
    common = set(keys_a) & set(keys_b)
    if common:
        raise UserError(f"A and B have {len(common)} transcripts in common; compare two sources")
    if sorted(each.text for each in a) == sorted(each.text for each in b):
        raise UserError("A and B say the same, word for word, in all transcripts")


def _refuse_unlike(a: Sequence[Transcript], b: Sequence[Transcript]) -> None:
    """UserError unless A and B have the same openings, agents and lengths."""
    names = ("openings", "names of the agent", "lengths in tokens")
    kinds = ({_kind(each) for each in a}, {_kind(each) for each in b})
    for name, *sides in zip(
        names, *(zip(*sorted(kind), strict=True) for kind in kinds), strict=True
    ):
        only = sorted(set(sides[0]) ^ set(sides[1]))
        if only:
            raise UserError(f"A and B have different {name}; only one of them has {only[0]!r}")
    if kinds[0] != kinds[1]:
        raise UserError("A and B have different lengths for the same opening")
