"""The exact mixture of a large class of machines over a long history: seconds and memory of one core.

Posterior and predictive before every symbol, in log space. Seconds are those of the processor.

    python benchmarks/theory.py --out results/benchmarks
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from kl_derail.errors import UserError
from kl_derail.plumbing.writing import replacing
from kl_derail.theory.mixture import first_belief, normalised, observe, prior
from kl_derail.theory.programs.machine import parse_machine, sample
from kl_derail.theory.programs.table import enumerate_machines

TRUSTED = ("A 1/8 B B; B 1/2 A A", "A 1/2 B C; B 0 A A; C 1/4 A A", "A 0 A A")


def peak_bytes() -> int:
    """Most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def run(max_bits: int, symbols: int) -> dict[str, object]:
    """Time one pass for each trusted program, after one that compiles."""
    table = enumerate_machines(max_bits, 3)
    belief = first_belief(table, prior(table.bits))
    observe(table, belief, np.zeros(2, np.uint8))
    seconds, found = {}, {}
    for text in TRUSTED:
        history = sample(parse_machine(text), symbols, 0)
        start = time.process_time()
        after, _ = observe(table, belief, history)
        seconds[text] = time.process_time() - start
        posterior = np.exp(normalised(after.log_weights))
        found[text] = str(table.machine(int(posterior.argmax())))
    return {
        "machines": len(table.bits),
        "symbols": symbols,
        "seconds": seconds,
        "most_likely": found,
        "peak_bytes": peak_bytes(),
        "machine": platform.machine(),
        "threads": 1,
        "numba": numba.__version__,
    }


def show(results: dict[str, object]) -> Table:
    """Seconds by trusted program."""
    title = "{machines} machines, {symbols} symbols, peak {peak_bytes} bytes".format(**results)
    table = Table("trusted program", "seconds", "most likely in the end", title=title)
    for text, seconds in results["seconds"].items():  # type: ignore[attr-defined]
        table.add_row(text, f"{seconds:.1f}", results["most_likely"][text])  # type: ignore[index]
    return table


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-bits", type=int, default=22, help="longest machines (bits, 5 to 23)")
    parser.add_argument("--symbols", type=int, default=10_000, help="of the history (1 to 100000)")
    parser.add_argument("--out", type=Path, help="folder for theory.json")
    options = parser.parse_args()
    for name, most, least in (("max_bits", 23, 5), ("symbols", 100_000, 1)):
        if not least <= getattr(options, name) <= most:
            flag = "--" + name.replace("_", "-")
            parser.exit(2, f"{flag}: found {getattr(options, name)}, allowed {least} to {most}\n")
    results = run(options.max_bits, options.symbols)
    Console().print(show(results))
    if options.out:
        try:
            with replacing(options.out / "theory.json") as partial:
                partial.write_text(json.dumps(results, indent=1) + "\n")
        except UserError as error:
            parser.exit(2, f"--out: {error}\n")


if __name__ == "__main__":
    main()
