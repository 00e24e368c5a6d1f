"""What a judge said, comparison by comparison: rows, and the tables that show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kl_derail.inspect.literal import literal
from kl_derail.judge.statistics import (
    CONFIDENCE,
    ENOUGH_CLUSTERS,
    bootstrap,
    first_shown,
    holm,
    order_disagreement,
    pair_scores,
    readable,
    repeat_agreement,
    score_test,
    sign_test,
    wilson,
)
from kl_derail.judge.strengths import Strength
from kl_derail.judge.verdicts import Judgement
from kl_derail.plumbing import markdown

LEVEL = 1 - CONFIDENCE
"""How often a claimed difference may be none, over all rows together."""

NONE = "-"
NOT_TOLD_APART = "not told apart"
NO_ANSWER = "no readable answer"

NOTES = (
    "Fraction: pairs that A, the source named first, won, in per cent; a tie counts half. All answers about a pair"
    " make one score, and intervals (95 %) and tests take pairs as independent unless they share a transcript.",
    f"Verdict: by Wilson's interval at the level that Holm's correction over all rows leaves it: p below {LEVEL:g}.",
    "Turned: A in one order and B in the other, of the pairs readable in both. First: how often the one shown"
    " first won, 50 % without a position bias. Alpha: Krippendorff's, between repeats.",
)


class Row(NamedTuple):
    """One comparison in one quality; the fields of table.csv.

    Attributes:
        comparison: which two sources.
        quality: what was asked.
        answers: how many there are, unreadable ones too.
        unreadable: how many of them are no verdict.
        pairs: pairs with a readable answer.
        clusters: of these pairs; as many where no transcript occurs twice.
        fraction: mean score of A.
        wilson_low: 95 %, of the fraction.
        wilson_high: likewise.
        bootstrap_low: 95 %, of the fraction.
        bootstrap_high: likewise.
        sign_p: exact two-sided sign test over clusters.
        holm_p: of Wilson's score test, corrected over all rows of the table.
        verdict: "A <quality>", "B <quality>", "not told apart" or "no readable answer".
        order_disagreement: share of the pairs of answers that contradict each other.
        both_orders: how many pairs of answers there are, both readable.
        first_shown: mean score of what was shown first.
        alpha: Krippendorff's, between repeats.
    """

    comparison: str
    quality: str
    answers: int
    unreadable: int
    pairs: int
    clusters: int
    fraction: float
    wilson_low: float
    wilson_high: float
    bootstrap_low: float
    bootstrap_high: float
    sign_p: float
    holm_p: float
    verdict: str
    order_disagreement: float
    both_orders: int
    first_shown: float
    alpha: float


def rows_of(judgements: Sequence[Judgement], *, seed: int) -> list[Row]:
    """A row for each comparison and quality, in the order in which they come.

    Args:
        judgements: of any comparisons and qualities.
        seed: of the bootstrap.
    """
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for each in judgements:
        groups.setdefault((each.comparison, each.quality), []).append(each)
    adjusted = holm([score_test(pair_scores(group)) for group in groups.values()])
    return [_row(group, p, seed) for group, p in zip(groups.values(), adjusted, strict=True)]


def _row(judgements: Sequence[Judgement], holm_p: float, seed: int) -> Row:
    pairs, quality = pair_scores(judgements), judgements[0].quality
    found, resampled = wilson(pairs), bootstrap(pairs, seed=seed)
    turned = order_disagreement(judgements)
    return Row(
        comparison=judgements[0].comparison,
        quality=quality,
        answers=len(judgements),
        unreadable=len(judgements) - len(readable(judgements)),
        pairs=len(pairs.scores),
        clusters=found.n,
        fraction=found.estimate,
        wilson_low=found.low,
        wilson_high=found.high,
        bootstrap_low=resampled.low,
        bootstrap_high=resampled.high,
        sign_p=sign_test(pairs),
        holm_p=holm_p,
        verdict=_verdict(found.estimate, holm_p, quality),
        order_disagreement=turned.share,
        both_orders=turned.asked,
        first_shown=pair_scores(judgements, first_shown).mean,
        alpha=repeat_agreement(judgements),
    )


def _verdict(fraction: float, holm_p: float, quality: str) -> str:
    """What the interval lets us say."""
    if math.isnan(fraction):
        return NO_ANSWER
    if not holm_p < LEVEL:
        return NOT_TOLD_APART
    return f"{'A' if fraction > 0.5 else 'B'} {quality}"


def markdown_report(rows: Sequence[Row], strengths: Sequence[Strength | str]) -> str:
    """Everything that was measured, in Markdown."""
    head = ["comparison", "quality", "pairs", "fraction", "bootstrap", "sign test p", "Holm p"]
    head += ["verdict", "turned", "first", "alpha", "unreadable"]
    cells = [
        [
            *(cell(each.comparison), cell(each.quality), str(each.pairs)),
            percent(each.fraction, each.wilson_low, each.wilson_high),
            f"{percent(each.bootstrap_low)} to {percent(each.bootstrap_high)}",
            *(_p(each.sign_p), _p(each.holm_p), cell(each.verdict)),
            *_quality_of_answers(each),
        ]
        for each in rows
    ]
    parts = [markdown.table(head, cells), "\n\n".join(NOTES)]
    found = [each for each in strengths if isinstance(each, Strength)]
    if found:
        lines = [[cell(each.quality), cell(each.source), *_log_odds(each)] for each in found]
        parts.append(markdown.table(["quality", "source", "strength", "95 %", "clusters"], lines))
    return "\n\n".join([*parts, *_sentences(strengths)]) + "\n"


def terminal_report(rows: Sequence[Row], strengths: Sequence[Strength | str]) -> RenderableType:
    """The tables as a terminal shows them, without colours."""
    parts: list[RenderableType] = [_terminal_table(rows), *map(Text, NOTES)]
    found = [each for each in strengths if isinstance(each, Strength)]
    if found:
        parts += [Text(), _strength_table(found)]
    return Group(*parts, *(Text(literal(each)) for each in _sentences(strengths)))


def _terminal_table(rows: Sequence[Row]) -> Table:
    numbers = ["pairs", "fraction", "p", "turned", "first", "alpha", "unreadable"]
    table = plain_table(["comparison", "quality", "verdict"], numbers)
    for each in rows:
        table.add_row(
            *(Text(literal(text)) for text in (each.comparison, each.quality, each.verdict)),
            str(each.pairs),
            percent(each.fraction, each.wilson_low, each.wilson_high),
            _p(each.holm_p),
            *_quality_of_answers(each),
        )
    return table


def _strength_table(strengths: Sequence[Strength]) -> Table:
    table = plain_table(["quality", "source"], ["strength", "95 %", "clusters"])
    for each in strengths:
        table.add_row(
            *(Text(literal(text)) for text in (each.quality, each.source)), *_log_odds(each)
        )
    return table


def plain_table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table for a terminal: columns of words, then of numbers."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="none")
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _quality_of_answers(row: Row) -> list[str]:
    return [
        percent(row.order_disagreement),
        percent(row.first_shown),
        NONE if math.isnan(row.alpha) else f"{row.alpha:.2f}",
        f"{row.unreadable} of {row.answers}",
    ]


def _log_odds(found: Strength) -> tuple[str, str, str]:
    known = not math.isnan(found.low)
    ends = f"{found.low:+.2f} to {found.high:+.2f}" if known else NONE
    return f"{found.strength:+.2f}", ends, str(found.clusters)


def _sentences(strengths: Sequence[Strength | str]) -> list[str]:
    """What is to be said of the strengths, or why there are none."""
    found = [each for each in strengths if isinstance(each, Strength)]
    sentences = [each for each in strengths if isinstance(each, str)]
    if found:
        sentences.append(
            "Strength: Bradley-Terry, log-odds in nats against a source of mean strength;"
            " intervals by a bootstrap over clusters of pairs that share transcripts."
        )
    if any(each.clusters < ENOUGH_CLUSTERS for each in found):
        sentences.append(
            f"Fewer than {ENOUGH_CLUSTERS} clusters, because of few pairs or of transcripts that several"
            " comparisons pair differently: too few independent ones for an interval."
        )
    return sentences


def percent(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A share in per cent, with its interval where there is one.

    >>> percent(0.5, 0.4456, 0.6)
    '50.0 (44.6 to 60.0)'
    """
    if math.isnan(value):
        return NONE
    ends = "" if math.isnan(low) else f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f}{ends}"


def _p(value: float) -> str:
    if math.isnan(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def cell(text: str) -> str:
    """Words of others in a cell of Markdown."""
    return escape(literal(text)).replace("|", "\\|")
