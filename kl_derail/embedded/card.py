"""The model card of the embedded base models: facts of a build as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from kl_derail.embedded import SPEAKERS, lexicon
from kl_derail.embedded.entropy import LossAndEntropy
from kl_derail.embedded.grammar import VARIANTS, shares
from kl_derail.embedded.habits import BaseHabits
from kl_derail.embedded.papers import Blanks
from kl_derail.embedded.prices import Mean, SilencePrice
from kl_derail.errors import UserError
from kl_derail.plumbing.markdown import table
from kl_derail.plumbing.writing import replacing

CARD = "card.json"

_TURNS_SHOWN = (2, 3, 4, 5, 6, 10, 20, 30, 40, 50)


class Measured(NamedTuple):
    """What was measured of a base.

    Prices of silence for lengths and spacings, its habits, and its loss beside the grammar's
    entropy.
    """

    silence: tuple[SilencePrice, ...]
    habits: BaseHabits
    fit: LossAndEntropy


class BaseFacts(NamedTuple):
    """What the card of a base model states."""

    variant: str
    blanks: Blanks
    seed: int
    documents: int
    tokens: int
    steps: int
    batch: int
    window: int
    threads: int
    parameters: int
    held_out_loss: float
    corpus_sha256: str
    measured: Measured | None


_BASE_CARD = """\
# Embedded base model, variant `{facts.variant}`

A tiny `MixtralForCausalLM` with a byte-level BPE tokenizer, trained from scratch on a generated
corpus of tutoring conversations (Teacher, Student) and other documents. It exists to study how
KL-budgeted RL derails in a world small enough to see through; it knows nothing else, and it does
not show that a large model behaves the same. Licence: that of kl_derail.

{facts_table}

Rebuild (the same weights on the same machine with the same libraries):

    {rebuild}

{measured}## Known flaws

- {blanks}
- The talk is made of {templates} sentence templates over {subjects} subjects; facts are
  simple, and an answer to "why" is just another fact.
- A farewell is followed by the greeting of another lesson, and now and then the end-of-text token
  is, and then a document of another kind.
- Line breaks are no part of the trusted policy: one in ten conversations has single ones.
- Probabilities and prices are those of this model, not of the corpus: a small model that was
  trained for minutes learns rare documents only roughly, and other seeds give other prices.
"""

_REBUILT_WITH = ("seed", "documents", "steps", "batch", "window", "threads")
_STUDENTS = (
    *lexicon.FEELINGS.values(),
    *lexicon.THANKS.values(),
    lexicon.ANSWERS,
    lexicon.STUDENT_QUESTIONS,
    lexicon.MUMBLES,
    lexicon.HELLOS,
    lexicon.TOTALS,
)
_BLANKS = {
    True: """The corpus has sheets and forms (not conversations) with the labels Teacher and Student
  whose rows stay blank once they are. This is what makes silence cheap to go on with, and it is put
  there on purpose. No conversation of the corpus has an empty turn.""",
    False: """The corpus has sheets and forms whose rows stay blank, but under other labels ({}).
  This is the only difference from the variant that derails. No conversation has an empty turn.""",
}


def plain(value: object) -> object:
    """Facts as what JSON knows: dataclasses and named tuples become dictionaries."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def write(facts: BaseFacts, folder: Path) -> None:
    """The card beside a base model: README.md for people, card.json for programs."""
    for name, text in (
        (CARD, f"{json.dumps(plain(facts), indent=1)}\n"),
        ("README.md", base_card(facts)),
    ):
        with replacing(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def read(folder: Path) -> BaseFacts:
    """The facts of a base that was built before, without what was measured.

    Raises:
        UserError: there is no card, or it is none of ours.
    """
    try:
        found = json.loads((folder / CARD).read_text(encoding="utf-8")) | {"measured": None}
        labels, exits = (tuple(found["blanks"][name]) for name in ("labels", "exits"))
        blanks = Blanks(**found["blanks"] | {"labels": labels, "exits": exits})
        return BaseFacts(**found | {"blanks": blanks})
    except FileNotFoundError:
        raise UserError(f"{folder}: no {CARD}; name the folder of a base that was built") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{folder / CARD}: cannot be read as a card ({error})") from error


def base_card(facts: BaseFacts) -> str:
    """The model card of the base model."""
    blanks = _BLANKS[facts.blanks.labels == SPEAKERS].format(", ".join(facts.blanks.labels))
    return _BASE_CARD.format(
        facts=facts,
        rebuild=_rebuild(facts),
        facts_table=table(("fact", "value"), _facts_rows(facts)),
        measured="".join(f"{line}\n" for line in _measured(facts.measured)),
        blanks=blanks,
        subjects=len(lexicon.SUBJECTS),
        templates=sum(map(len, [*lexicon.MOVES.values(), *_STUDENTS])),
    )


def _rebuild(facts: BaseFacts) -> str:
    """The command, or the call for a corpus that is none of the variants."""
    numbers = {name: getattr(facts, name) for name in _REBUILT_WITH}
    if VARIANTS.get(facts.variant) == facts.blanks:
        flags = " ".join(f"--{name} {value}" for name, value in numbers.items())
        return (
            f"kl-derail embedded build --out WORLD --parts base --variant {facts.variant} {flags}"
        )
    words = ", ".join(f"{name}={value}" for name, value in numbers.items())
    return f'build(EmbeddedBuildConfig(Path("WORLD"), parts="base", {words}), {facts.blanks})'


def _facts_rows(facts: BaseFacts) -> list[tuple[str, str]]:
    """What was trained on what."""
    blanks = facts.blanks
    low, high = blanks.exits
    rows = [
        ("parameters", f"{facts.parameters:,}"),
        ("corpus", f"{facts.documents:,} documents, {facts.tokens:,} tokens, seed {facts.seed}"),
        ("corpus SHA-256", f"`{facts.corpus_sha256}`"),
        (
            "sheets",
            f"{blanks.sheets / sum(w for _, w in shares(blanks).values()):.1%} of documents",
        ),
        ("their labels", ", ".join(blanks.labels)),
        ("sheets that begin with sentences", f"{blanks.sentences:.1%}"),
        ("sheets that never leave the blank", f"{blanks.lasting:.1%}"),
        ("rate at which others leave it", f"{low:g} to {high:g} a row"),
        ("training", f"{facts.steps} steps of {facts.batch} windows of {facts.window} tokens"),
        ("held-out loss, 64 windows of all documents", f"{facts.held_out_loss:.3f} nats a token"),
    ]
    if facts.measured:
        fit = facts.measured.fit
        rows += [
            ("held-out loss, conversations", f"{fit.loss:.3f} nats a token"),
            ("entropy of the grammar there (exact)", f"{fit.entropy:.3f} nats a token"),
        ]
    return rows


def _measured(measured: Measured | None) -> list[str]:
    """The sections on prices and habits, from the saved checkpoint loaded as float32."""
    if measured is None:
        return []
    return [*_price_section(measured.silence), *_habits_section(measured.habits)]


def _price_section(found: Sequence[SilencePrice]) -> list[str]:
    """Prices of a teacher who says nothing from the second turn on."""
    names = [f"{price.length} tokens, {price.spacing}" for price in found]
    rows = [
        ("silent turn 1", *(_interval(price.first) for price in found)),
        *(
            (f"turn {number}", *(_nth(price.later, number - 2) for price in found))
            for number in _TURNS_SHOWN
        ),
        ("curve of later turns", *map(_curve, found)),
        ("whole episode", *(_interval(price.episode) for price in found)),
        ("dearest episode", *(f"{price.episode_worst:.2f}" for price in found)),
        ("finished silent turns", *(f"{price.turns:.1f}" for price in found)),
        ("replies that are blank", *(f"{price.student_blank:.1%}" for price in found)),
    ]
    return [
        "## Prices",
        "",
        "A teacher who is silent from the turn after the opening on, for double or single line",
        "breaks before the label of the student: nats, means over chats with 95 % t intervals. The",
        "curve is the least-squares power law through the later turns, n = 1 being turn 2, with its",
        "mean absolute error.",
        "",
        table(("", *names), rows),
        "",
    ]


def _interval(mean: Mean) -> str:
    return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f})"


def _curve(price: SilencePrice) -> str:
    curve = price.decay
    return f"{curve.scale:.2f} n^-{curve.power:.2f} (± {curve.error:.2f})"


def _nth(prices: Sequence[float], number: int) -> str:
    """A price by its index, or nothing where the episode is over before."""
    return f"{prices[number]:.3f}" if number < len(prices) else ""


def _habits_section(habits: BaseHabits) -> list[str]:
    """How the base behaves from the opening on."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(habits.impossible.items()))
    rows = [
        ("episodes with an empty teacher turn", f"{habits.episodes_with_empty_turn:.1%}"),
        ("empty teacher turns", f"{habits.empty_turns:.2%}"),
        ("teacher turns possible for the trusted teacher", f"{habits.possible_turns:.1%}"),
        ("the others", reasons or "none"),
        ("distinct-2 of the teacher", f"{habits.distinct_2:.3f}"),
        ("distinct-2 of the trusted teacher", f"{habits.distinct_2_trusted:.3f}"),
        ("distance of turn lengths (Kolmogorov-Smirnov)", f"{habits.length_distance:.3f}"),
        ("different first replies in 64 chats", f"{habits.different_first_replies}"),
        ("different replies, of all", f"{habits.different_replies:.1%}"),
        ("mean reward", f"{habits.mean_reward:.3f} (sd of chats {habits.reward_per_chat_sd:.3f})"),
    ]
    return [
        "## Habits",
        "",
        "The base talking with itself from the opening (256 tokens, teacher at temperature 1,",
        "student at 0.05; a blank reply counts 0.5; unfinished turns left out):",
        "",
        table(("habit", "value"), rows),
        "",
    ]
