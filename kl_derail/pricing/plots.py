"""Cost against turn, and predictions against what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_derail.inspect import literal
from kl_derail.plumbing.statistics import Interval
from kl_derail.plumbing.style import OKABE_ITO, colours, grid, new_figure
from kl_derail.pricing.comparison import Comparison
from kl_derail.pricing.predict import predict, prices_at
from kl_derail.pricing.price import Price
from kl_derail.pricing.report import PROBABILITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = {"double": "-", "single": "--"}
SHADES = {"not": "#ededed", "partly": "#f0ead6", "enforced": "#d9ead3"}


def price_figure(prices: Sequence[Price]) -> Figure:
    """Three panels: cost of the n-th turn, of the first n turns, and, in expectation, of starting with probability p.

    Only turns that at least half of the chats finish are drawn; bands are 95 % t intervals over chats.

    Args:
        prices: at least one, all of one length; those whose script never had the word are left out.
    """
    figure = new_figure(3.0)
    single, total, start = figure.subplots(1, 3)
    drawn = [price for price in prices if price.started]
    colour = _colours([price.behaviour for price in drawn])
    for price in drawn:
        style: dict[str, Any] = {
            "color": colour[price.behaviour],
            "linestyle": DASHES.get(price.spacing, "-"),
        }
        numbers = range(1, price.typical_turns() + 1)
        label = (
            f"{literal(price.behaviour)[:32]}, {price.spacing} breaks (n = {len(price.started)})"
        )
        _curve(single, numbers, [price.turn(number) for number in numbers], style, label)
        _curve(total, numbers, [price.cumulative(number) for number in numbers], style)
        costs = [price.started_with(probability) for probability in PROBABILITIES]
        _curve(start, PROBABILITIES, costs, style)
    length = prices[0].length
    _label(single, "scripted turn", "cost of the turn (nats)")
    _label(total, "scripted turn", "cost of all turns so far (nats)")
    _label(start, "probability of starting", f"expected cost, {length} tokens (nats)")
    if drawn:  # a logarithmic axis needs something to show
        single.set_yscale("log")
        total.set_yscale("log")
        start.set_yscale("symlog", linthresh=1)
        for axis in (single, total, start):
            _plain_ticks(axis)
    handles, labels = single.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a behaviour may hold dollar signs
    return figure


def comparison_figure(prices: Sequence[Price], comparisons: Sequence[Comparison]) -> Figure:
    """Shares of silent episodes and of empty turns against the budget, with what the price predicts.

    Lines: share of the chats in which the budget pays the whole silent script, and its first turn;
    shades: the verdict that follows. Points: trained agents with 95 % intervals (Wilson; bootstrap
    over episodes), hollow where the verdict on them is another.

    Args:
        prices: of silence, those that were compared.
        comparisons: at least one.
    """
    panels = sorted({(row.trained.base_fingerprint, row.trained.length) for row in comparisons})
    rows = [min(2, len(panels) - first) for first in range(0, len(panels), 2)]
    figure, axes = grid(rows, 2.4, sharey=True)
    top = 1.2 * max(row.trained.budget for row in comparisons)
    for axis, (base, length) in zip(axes, panels, strict=True):
        here = [
            row
            for row in comparisons
            if (row.trained.base_fingerprint, row.trained.length) == (base, length)
        ]
        _predictions(axis, prices_at(prices, base, length), np.linspace(0, top, 241).tolist())
        _outcomes(axis, here)
        _label(axis, "budget (nats)", "share")
        axis.set_title(f"base {base[:8]}, {length} tokens")
        axis.set(ylim=(-0.03, 1.03), xlim=(0, top))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _predictions(axis: Axes, prices: Sequence[Price], budgets: Sequence[float]) -> None:
    told = [predict(prices, budget) for budget in budgets]
    for verdict, shade in SHADES.items():
        inside = [nats for nats, each in zip(budgets, told, strict=True) if each.verdict == verdict]
        ends = (inside[0], inside[-1] + budgets[1]) if inside else (0.0, 0.0)
        axis.axvspan(*ends, color=shade, linewidth=0, label=f"predicted: {verdict}")
    for name, label, dash in (
        ("pays_episode", "share of chats whose silence the budget pays", "-"),
        ("pays_first", "share whose first silent turn it pays", ":"),
    ):
        shares = [getattr(each, name) for each in told]
        axis.plot(budgets, shares, color="#6a6a6a", linestyle=dash, label=label)


def _outcomes(axis: Axes, rows: Sequence[Comparison]) -> None:
    for name, label, colour, mark in (
        ("silent", "learned: silent episodes", OKABE_ITO[0], "o"),
        ("empty", "learned: empty turns (hollow: other verdict)", OKABE_ITO[1], "s"),
    ):
        for number, row in enumerate(rows):
            found: Interval = getattr(row.trained.learned, name)
            axis.errorbar(
                [row.trained.budget],
                [found.estimate],
                np.abs([[found.estimate - found.low], [found.high - found.estimate]]),
                fmt=mark,
                color=colour,
                mfc=colour if row.agrees else "white",
                markersize=5,
                capsize=2,
                label=None if number else label,
            )


def _curve(
    axis: Axes,
    x: Sequence[float],
    found: Sequence[Interval],
    style: dict[str, Any],
    label: str | None = None,
) -> None:
    axis.plot(x, [each.estimate for each in found], label=label, linewidth=1.4, **style)
    low, high = [each.low for each in found], [each.high for each in found]
    axis.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)


def _colours(names: Sequence[str]) -> dict[str, str]:
    unique = list(dict.fromkeys(names))
    return dict(zip(unique, colours(len(unique)), strict=True))


def _label(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x)
    axis.set_ylabel(y)


def _plain_ticks(axis: Axes) -> None:
    """Numbers as people write them: 0.1, 1, 10."""
    from matplotlib.ticker import FuncFormatter, LogFormatter

    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if axis.get_yscale() == "log":
        axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
