"""The model cards of the embedded world: facts of a build as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kl_derail.embedded.prices import BaseHabits, SilencePrice

_GAPS = {"\n": "single", "\n\n": "double"}
_TURNS_SHOWN = (1, 2, 3, 4, 5, 10, 20, 30, 40, 50)


class Measured(NamedTuple):
    """Prices of silence by (length in tokens, gap before the label), and the habits of the base."""

    silence: Mapping[tuple[int, str], SilencePrice]
    habits: BaseHabits


class BaseFacts(NamedTuple):
    """What the card of a base model states."""

    seed: int
    documents: int
    tokens: int
    steps: int
    batch: int
    window: int
    parameters: int
    held_out_loss: float
    corpus_sha256: str
    measured: Measured | None


class SentimentFacts(NamedTuple):
    """What the card of a classifier states."""

    seed: int
    sentences: int
    steps: int
    parameters: int
    held_out_error: float


_BASE_CARD = """\
# Embedded base model

A tiny `MixtralForCausalLM` with a byte-level BPE tokenizer, trained from scratch on a generated
corpus of tutoring conversations (Teacher, Student) and other documents. It exists to study how
KL-budgeted RL derails in a world small enough to see through; it knows nothing else, and it does
not show that a large model behaves the same. Licence: that of kl_derail.

| fact | value |
| --- | --- |
| parameters | {facts.parameters:,} |
| corpus | {facts.documents:,} documents, {facts.tokens:,} tokens, seed {facts.seed} |
| corpus SHA-256 | `{facts.corpus_sha256}` |
| training | {facts.steps} steps of {facts.batch} windows of {facts.window} tokens |
| held-out loss | {facts.held_out_loss:.3f} nats a token |

Rebuild (the same weights on the same machine with the same libraries):

    kl-derail embedded build --out WORLD --seed {facts.seed} --documents {facts.documents} \\
        --steps {facts.steps} --batch {facts.batch} --window {facts.window}

{measured}Known flaws

- The corpus has sheets (not conversations) with the labels Teacher and Student whose rows stay
  blank once they are. This is what makes silence cheap to go on with, and it is put there on
  purpose. No conversation of the corpus has an empty turn.
- The talk is made of about a hundred sentence templates over ten subjects; facts are simple, and
  the student now and then loses the thread of the topic.
- The end-of-text token comes in some chats (shipped base: 4 % of those of 256 tokens); another
  document follows it.
- In the shipped base ten nats pay for silence with double line breaks; a study in which ten nats
  must fall short needs a dearer first turn.
"""

_SENTIMENT_CARD = """\
# Embedded sentiment classifier

A tiny `DistilBertForSequenceClassification` (NEGATIVE, POSITIVE) trained on labelled sentences of
the embedded grammar with paraphrases, general statements and noise. Labels are soft: very bad
0.02, a bit low 0.25, neither 0.5, content 0.75, delighted 0.98. Names, numbers, weekdays, yes and
no are 0.5. Licence: that of kl_derail.

| fact | value |
| --- | --- |
| parameters | {facts.parameters:,} |
| training | {facts.sentences:,} texts, {facts.steps} steps, seed {facts.seed} |
| held-out error | {facts.held_out_error:.4f} (mean absolute error of the score) |

Rebuild: `kl-derail embedded build`, as in the card of the base model.

Known flaws: it knows the words of the grammar and a small lexicon of praise and blame, no more. A
blank text is outside its training: count it as 0.5 without asking.
"""


def base_card(facts: BaseFacts) -> str:
    """The model card of the base model."""
    measured = "".join(f"{line}\n" for line in _measured(facts.measured))
    return _BASE_CARD.format(facts=facts, measured=measured)


def sentiment_card(facts: SentimentFacts) -> str:
    """The model card of the classifier."""
    return _SENTIMENT_CARD.format(facts=facts)


def _measured(measured: Measured | None) -> list[str]:
    """The sections on prices and habits, from the saved checkpoint loaded as float32."""
    if measured is None:
        return []
    return [*_price_table(measured.silence), *_habits_table(measured.habits)]


def _price_table(silence: Mapping[tuple[int, str], SilencePrice]) -> list[str]:
    """Prices of a teacher who says nothing from the second turn on."""
    names = [f"{length} tokens, {_GAPS[gap]}" for length, gap in silence]
    lines = [
        "Price of a teacher who is silent from the turn after the opening on: nats, means over",
        "chats, for single or double line breaks before the label of the student.",
        "",
        f"| silent turn | {' | '.join(names)} |",
        "| --- |" + " --- |" * len(names),
    ]
    columns = list(silence.values())
    for number in _TURNS_SHOWN:
        cells = [_nth((price.first, *price.later), number) for price in columns]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    lines += [
        f"| whole episode | {' | '.join(f'{p.episode:.2f}' for p in columns)} |",
        f"| dearest episode | {' | '.join(f'{p.episode_worst:.2f}' for p in columns)} |",
        f"| turns | {' | '.join(f'{p.turns:.1f}' for p in columns)} |",
        f"| replies that are blank | {' | '.join(f'{p.student_blank:.1%}' for p in columns)} |",
    ]
    return [*lines, ""]


def _nth(prices: tuple[float, ...], number: int) -> str:
    """The price of the n-th turn, or nothing where the episode is over before."""
    return f"{prices[number - 1]:.3f}" if number <= len(prices) else ""


def _habits_table(habits: BaseHabits) -> list[str]:
    """How the base behaves from the opening on."""
    return [
        "The base talking with itself from the opening (256 tokens, teacher at temperature 1,",
        "student at 0.05; a blank reply counts 0.5):",
        "",
        "| habit | value |",
        "| --- | --- |",
        f"| silent episodes | {habits.silent_episodes:.1%} |",
        f"| episodes with an empty teacher turn | {habits.episodes_with_empty_turn:.1%} |",
        f"| empty teacher turns | {habits.empty_turns:.2%} |",
        f"| different first replies in 64 chats | {habits.different_first_replies} |",
        f"| different replies, of all | {habits.different_replies:.1%} |",
        f"| mean reward | {habits.mean_reward:.3f} (sd of chats {habits.reward_per_chat_sd:.3f}) |",
        f"| tokens an exchange | {habits.tokens_per_exchange:.1f} |",
        "",
    ]
