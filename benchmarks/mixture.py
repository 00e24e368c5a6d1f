"""Side by side in one run: our mixture at a fixed KL against twenty fixed Newton steps, in time and in accuracy.

    python benchmarks/mixture.py [--threads 1] [--repeats 7] [--out results/benchmarks]

The rival is our own reading of the published description (arXiv 2410.06213): Newton on the KL itself in float32,
twenty clamped steps whatever happens, gradients by the implicit function theorem. Only ratios count: both sides
take turns on the same machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kl_derail.budget import kl_fixed_mixture, mixture_kl
from kl_derail.plumbing.markdown import table

TARGETS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 5.0, 20.0)


class _TwentySteps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_a: Tensor, log_b: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        a, b = log_a.exp(), log_b.exp()
        alpha = torch.ones_like(target)
        for _ in range(20):
            x = alpha * a + (1 - alpha) * b
            log_w = x.log() - log_b
            kl = (x * log_w).sum(-1, keepdim=True)
            slope = ((a - b) * log_w).sum(-1, keepdim=True)
            alpha = (alpha - (kl - target) / slope).nan_to_num(1.0).clamp(0.0, 1.0)
        x = alpha * a + (1 - alpha) * b
        ctx.save_for_backward(a, b, x, alpha)
        return x.log(), alpha

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        a, b, x, alpha = ctx.saved_tensors
        log_w = (x / b).log()
        slope = ((a - b) * log_w).sum(-1, keepdim=True)
        grad_x = grad / x
        grad_alpha = (grad_x * (a - b)).sum(-1, keepdim=True)
        grad_target = torch.where(alpha < 1, grad_alpha / slope, 0.0)
        grad_a = alpha * (grad_x - grad_target * (log_w + 1))
        return grad_a * a, None, grad_target


def twenty_steps(log_a: Tensor, log_b: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities [N, V] and alpha [N, 1] after twenty clamped Newton steps from alpha = 1, float32."""
    return _TwentySteps.apply(log_a, log_b, target.float())  # type: ignore[no-untyped-call, no-any-return]


class Problem(NamedTuple):
    """Rows to solve: log a, log beta [N, V] float32, target, alpha of a slightly older proposal [N, 1]."""

    log_a: Tensor
    log_b: Tensor
    target: Tensor
    alpha_init: Tensor


def make_problem(rows: int, vocabulary: int, seed: int = 0) -> Problem:
    """Log-normal base, proposal 2 nats away a token, targets log-uniform in [1e-6, 1], warm start 5 % off."""
    random = torch.Generator().manual_seed(seed)
    log_b = torch.log_softmax(3 * torch.randn(rows, vocabulary, generator=random), -1)
    log_a = torch.log_softmax(log_b + 2 * torch.randn(rows, vocabulary, generator=random), -1)
    target = 10 ** (-6 * torch.rand(rows, 1, generator=random, dtype=torch.float64))
    alpha = kl_fixed_mixture(log_a, log_b, target).alpha
    return Problem(
        log_a, log_b, target, alpha * torch.exp(0.05 * torch.randn(rows, 1, generator=random))
    )


def forward_only(problem: Problem) -> dict[str, Callable[[], Any]]:
    """The rollout regime: no gradient."""
    log_a, log_b, target, alpha = problem
    return {
        "twenty": torch.no_grad()(lambda: twenty_steps(log_a, log_b, target)),
        "ours": torch.no_grad()(lambda: kl_fixed_mixture(log_a, log_b, target)),
        "ours, warm": torch.no_grad()(
            lambda: kl_fixed_mixture(log_a, log_b, target, alpha_init=alpha)
        ),
    }


def forward_backward(problem: Problem) -> dict[str, Callable[[], Any]]:
    """The training regime: gradient of a random functional of the log-probabilities."""
    log_a, log_b, target, alpha = problem
    log_a, target = log_a.clone().requires_grad_(), target.clone().requires_grad_()
    grad = torch.randn(log_a.shape, generator=torch.Generator().manual_seed(1))

    def run(solve: Callable[..., Any], **options: Tensor) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(
            solve(log_a, log_b, target, **options)[0], (log_a, target), grad
        )

    return {
        "twenty": run(twenty_steps),
        "ours": run(kl_fixed_mixture),
        "ours, warm": run(kl_fixed_mixture, alpha_init=alpha),
    }


def side_by_side(
    sides: dict[str, Callable[[], Any]], repeats: int, calls: int
) -> dict[str, list[float]]:
    """Milliseconds a call, `repeats` of each, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, call in sides.items():
            start = time.perf_counter()
            for _ in range(calls):
                call()
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start) / calls)
    return times


def time_table(repeats: int, scale: int = 1) -> list[dict[str, Any]]:
    """One row a regime: median milliseconds of each side, and the median over turns of the ratio to the rival."""
    regimes = [
        ("rollout 64 x 768, forward", forward_only(make_problem(64, 768 // scale)), 20),
        (
            "training 8192 x 768, forward + backward",
            forward_backward(make_problem(8192 // scale, 768)),
            1,
        ),
        (
            "training 1024 x 32000, forward + backward",
            forward_backward(make_problem(1024 // scale, 32000)),
            1,
        ),
    ]
    table = []
    for name, sides, calls in regimes:
        times = side_by_side(sides, repeats, calls)
        row: dict[str, Any] = {"regime": name}
        for side, values in times.items():
            row[f"{side} [ms]"] = statistics.median(values)
            row[f"{side} best [ms]"] = min(values)
        for side in ("ours", "ours, warm"):
            row[f"ratio, {side}"] = statistics.median(
                t / o for t, o in zip(times["twenty"], times[side], strict=True)
            )
        table.append(row)
    return table


def bisected_alpha(log_a: Tensor, log_b: Tensor, target: Tensor) -> Tensor:
    """Largest alpha [N, 1] with KL <= target, by 80 halvings of log alpha in float64."""
    low, high = torch.full_like(target, -80.0), torch.zeros_like(target)
    for _ in range(80):
        middle = (low + high) / 2
        fits = mixture_kl(log_a, log_b, middle.exp()).unsqueeze(-1) <= target
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return low.exp()


def make_hard_rows(rows: int, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Log a, log beta: proposals all on one token, which for half of the rows the base hardly ever emits."""
    log_b = make_problem(rows, vocabulary).log_b
    token = torch.nn.functional.one_hot(torch.arange(rows) % 7, vocabulary)
    rare = 25.0 * (torch.arange(rows) % 2).unsqueeze(-1)
    log_b = torch.log_softmax(log_b - rare * token, -1)
    return torch.log_softmax(log_b + 60 * token, -1), log_b


def error_table(rows: int = 64, vocabulary: int = 768) -> list[dict[str, Any]]:
    """Over the reachable rows of each target: worst relative error of KL and of alpha, and nats overspent."""
    plain, hard = make_problem(rows, vocabulary), make_hard_rows(rows, vocabulary)
    log_a, log_b = torch.cat([plain.log_a, hard[0]]), torch.cat([plain.log_b, hard[1]])
    table = []
    for value in TARGETS:
        target = torch.full((2 * rows, 1), value, dtype=torch.float64)
        reachable = mixture_kl(log_a, log_b, torch.ones_like(target)) > value
        truth = bisected_alpha(log_a, log_b, target)[reachable]
        row: dict[str, Any] = {"target [nats]": value, "reachable rows": int(reachable.sum())}
        for name, solve in (("twenty", twenty_steps), ("ours", kl_fixed_mixture)):
            alpha = solve(log_a, log_b, target)[-1]
            kl = mixture_kl(log_a, log_b, alpha)[reachable]
            row[f"{name}: KL"] = float((kl / value - 1).abs().max())
            row[f"{name}: alpha"] = float((alpha[reachable] / truth - 1).abs().max())
            row[f"{name}: overspent"] = float((kl - value).clamp(min=0).max())
        table.append(row)
    return table


def markdown(rows: list[dict[str, Any]]) -> str:
    """A list of rows as a table."""
    cells = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return table(list(rows[0]), cells)


def main() -> None:
    """Measure, print, and write `mixture.json` and `mixture.md` where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--scale", type=int, default=1, help="divide the sizes by this, for a quick look"
    )
    parser.add_argument("--out", type=Path, help="folder for mixture.json and mixture.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    setting = {
        "threads": options.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    setting |= {
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "repeats": options.repeats,
        "scale": options.scale,
    }
    times, errors = time_table(options.repeats, options.scale), error_table()
    text = f"{setting}\n\n{markdown(times)}\n\nErrors against float64 bisection\n\n{markdown(errors)}\n"
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "mixture.md").write_text(f"# Mixture at a fixed KL\n\n{text}")
        results = {"setting": setting, "times": times, "errors": errors}
        (options.out / "mixture.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
