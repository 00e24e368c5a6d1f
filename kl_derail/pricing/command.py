"""The command `price`: what a behaviour costs in nats, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from rich.console import Console

from kl_derail.config import as_mapping, parse
from kl_derail.errors import UserError
from kl_derail.inspect.command import PipeConsole
from kl_derail.inspect.literal import Encodable, literal
from kl_derail.pricing import tables
from kl_derail.pricing.behaviours import behaviour
from kl_derail.pricing.folder import check_free, partial_folder, save
from kl_derail.pricing.listing import Found, measure
from kl_derail.pricing.options import Options, PriceOptions, PriceSceneOptions
from kl_derail.setup import BaseOptions, RewardOptions
from kl_derail.transcripts import find_files, read_info


def price_command(argv: Sequence[str]) -> int:
    """Parse the options, price, print, and write where asked to."""
    types = (PriceOptions, BaseOptions, PriceSceneOptions, RewardOptions)
    options = Options(*parse(types, argv, command="price"))
    options.check()
    try:
        found = _measure(options)
    except UserError as error:  # it may quote a file that others wrote
        raise UserError(literal(str(error))) from error
    show(PipeConsole(), found)
    return 0


def _measure(options: Options) -> Found:
    """Refuse what can be refused beforehand, price, and write before anything is printed."""
    price = options.price
    named = {name: behaviour(name) for name in dict.fromkeys(price.behaviour)}
    for path in find_files(price.runs) if price.runs else ():
        read_info(path)
    if price.out is not None:
        check_free(price.out, overwrite=price.overwrite)
    with partial_folder(price.out) if price.out else nullcontext() as partial:
        found = measure(options, named)
        if price.out is not None and partial is not None:
            save(price.out, partial, found, as_mapping(*options))
    return found


def show(console: Console, found: Found) -> None:
    """Print the tables."""
    shown = [
        tables.cost_table(found.prices, found.cheaper),
        tables.budget_table(found.prices),
        tables.start_table(found.prices),
        tables.gain_table(
            [(each, found.base_at(each.length)) for each in (*found.prices, *found.base.prices)]
        ),
    ]
    if any(found.events.values()):
        shown.append(tables.event_table(found.events))
    if found.comparisons:
        shown.append(tables.comparison_table(found.comparisons))
    for table in shown:
        console.print(Encodable(table))
