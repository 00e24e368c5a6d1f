"""A judge judged: how often it agrees with the known truth about the same pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from kl_derail.inspect.literal import literal
from kl_derail.judge.statistics import pair_scores, readable, wilson
from kl_derail.judge.tables import NONE, cell, percent, plain_table
from kl_derail.judge.verdicts import Judgement, Verdict
from kl_derail.plumbing import markdown
from kl_derail.plumbing.csv_tables import write_csv
from kl_derail.plumbing.writing import replacing

FILES = ("agreement.csv", "agreement.md")
ALL, BOTH = "all", "both"
ORDERS = {BOTH: (False, True), "A first": (False,), "B first": (True,)}

Asked = tuple[str, str, str]
"""The keys of A's and B's transcript, and the quality."""

_OTHER = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}

WORDS = ["comparison", "quality", "order"]
NUMBERS = ["pairs", "answers", "without truth", "accuracy", "kappa"]
"""Columns of the table."""

NOTES = (
    "Accuracy: share of pairs judged as the truth has it, a judge's tie counting half; all answers about a pair make"
    " one score (Wilson, 95 %). Kappa: Cohen's, 0 for chance, of the answers in terms of what was shown first: it says"
    " nothing where that is better, or worse, in all pairs. Pairs that are equal in truth, or of which nothing is"
    " known, are left out and counted."
)


class Agreement(NamedTuple):
    """How well a judge agrees with the truth.

    Attributes:
        comparison: which two sources, or "all".
        quality: what was asked.
        order: "both", "A first" or "B first".
        pairs: pairs with a truth and a readable answer.
        answers: readable answers about them.
        without_truth: pairs that were answered and have no truth, or are equal in truth.
        accuracy: share of the pairs judged right, a tie counting half.
        low: 95 %, Wilson.
        high: likewise.
        kappa: Cohen's; NaN where in truth what was shown first is always, or never, the better.
    """

    comparison: str
    quality: str
    order: str
    pairs: int
    answers: int
    without_truth: int
    accuracy: float
    low: float
    high: float
    kappa: float


def agreements(judgements: Sequence[Judgement], truth: Sequence[Judgement]) -> list[Agreement]:
    """By comparison, all of them together first where there are several, and by order.

    Args:
        judgements: of the judge that is judged; qualities without a truth are left out.
        truth: what is known of the same pairs; one that contradicts itself between orders is none.
    """
    known = _known(truth)
    qualities = {quality for *_, quality in known}
    judged = [each for each in readable(judgements) if each.quality in qualities]
    groups = _groups(judged)
    parts = [
        (label, order, [each for each in group if each.swapped in swaps])
        for label, group in groups
        for order, swaps in ORDERS.items()
    ]
    return [
        _agreement(label, order, part, known)
        for label, order, part in parts
        if any(_question(each) in known for each in part)
    ]


def _groups(judgements: Sequence[Judgement]) -> list[tuple[str, list[Judgement]]]:
    """The judgements of each quality by comparison, and before them all of several comparisons."""
    groups = []
    for quality in dict.fromkeys(each.quality for each in judgements):
        own = [each for each in judgements if each.quality == quality]
        labels = list(dict.fromkeys(each.comparison for each in own))
        groups += [(ALL, own)] if len(labels) > 1 else []
        groups += [(label, [e for e in own if e.comparison == label]) for label in labels]
    return groups


def _question(each: Judgement) -> Asked:
    return each.a, each.b, each.quality


def _known(truth: Sequence[Judgement]) -> dict[Asked, Verdict]:
    """The truth of each question, where there is one and it is no tie."""
    verdicts: dict[Asked, set[Verdict]] = {}
    for each in readable(truth):
        verdicts.setdefault(_question(each), set()).add(each.verdict)
    single = {question: found.pop() for question, found in verdicts.items() if len(found) == 1}
    return {question: found for question, found in single.items() if found is not Verdict.TIE}


def _agreement(
    label: str, order: str, judgements: Sequence[Judgement], known: dict[Asked, Verdict]
) -> Agreement:
    """Of at least one judgement with a truth."""
    judged = [each for each in judgements if _question(each) in known]

    def right(each: Judgement) -> float:
        if each.verdict is Verdict.TIE:
            return 0.5
        return float(each.verdict is known[_question(each)])

    found = wilson(pair_scores(judged, right))
    pairs = {_question(each) for each in judgements}
    return Agreement(
        label,
        judgements[0].quality,
        order,
        pairs=len({_question(each) for each in judged}),
        answers=len(judged),
        without_truth=len(pairs - set(known)),
        accuracy=found.estimate,
        low=found.low,
        high=found.high,
        kappa=_kappa([(_shown(known[_question(e)], e), _shown(e.verdict, e)) for e in judged]),
    )


def _shown(verdict: Verdict, judgement: Judgement) -> str:
    """The verdict in terms of the order: A stands for what was shown first."""
    return (_OTHER.get(verdict, verdict) if judgement.swapped else verdict).value


def _kappa(answers: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa of (truth, answer); NaN where the truth is always the same: it would be 0 for any judge."""
    if len({truth for truth, _ in answers}) < 2:
        return math.nan
    from sklearn.metrics import cohen_kappa_score

    truth, said = zip(*answers, strict=True)
    return float(cohen_kappa_score(truth, said))


def write_agreement(
    judgements: Sequence[Judgement], truth: Sequence[Judgement], out: Path
) -> RenderableType:
    """Write agreement.csv and agreement.md, each whole or not at all; returns the table for a terminal.

    Raises:
        UserError: a file cannot be written.
    """
    rows = agreements(judgements, truth)
    csv_file, markdown_file = (out / name for name in FILES)
    write_csv(csv_file, Agreement, rows)
    head = [*WORDS, *NUMBERS]
    cells = [[cell(each) for each in _words(row)] + _numbers(row) for row in rows]
    with replacing(markdown_file) as partial:
        partial.write_text(f"{markdown.table(head, cells)}\n\n{NOTES}\n", encoding="utf-8")
    return _terminal(rows)


def remove_agreement(out: Path) -> None:
    """Remove what an earlier run with a truth wrote: it would not belong to the other tables."""
    for name in FILES:
        (out / name).unlink(missing_ok=True)


def _terminal(rows: Sequence[Agreement]) -> RenderableType:
    table = plain_table(WORDS, NUMBERS)
    for row in rows:
        table.add_row(*(Text(literal(each)) for each in _words(row)), *_numbers(row))
    return Group(table, Text(NOTES))


def _words(row: Agreement) -> list[str]:
    return [row.comparison, row.quality, row.order]


def _numbers(row: Agreement) -> list[str]:
    return [
        *(str(number) for number in (row.pairs, row.answers, row.without_truth)),
        percent(row.accuracy, row.low, row.high),
        NONE if math.isnan(row.kappa) else f"{row.kappa:.2f}",
    ]
