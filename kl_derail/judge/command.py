"""The command `judge`: which of two teachers is better, in the eyes of a language model."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console, Group, RenderableType
from rich.text import Text

from kl_derail.config import parse
from kl_derail.errors import UserError
from kl_derail.inspect.command import PipeConsole
from kl_derail.inspect.literal import Encodable, literal
from kl_derail.inspect.selection import Selection, select, select_other
from kl_derail.judge.asking import Pending, ask_all, keyed, unanswered
from kl_derail.judge.costs import Prices, Purse, estimated_tokens
from kl_derail.judge.judges import Answer, Judge, Request
from kl_derail.judge.options import EndpointOptions, JudgeOptions
from kl_derail.judge.pairs import Comparison, Pair, make_pairs, transcript
from kl_derail.judge.plan import Asked, plan
from kl_derail.judge.records import open_log, read_answers
from kl_derail.judge.verdicts import Judgement

WIDTH = 120
"""Columns of the tables where standard output is no terminal."""

LISTS = ("a", "b", "label", "quality", "end_token")
"""Options that may be given several times: `--a X --b base --a Y --b base` reads better."""


def judge_command(argv: Sequence[str]) -> int:
    """Parse the options, pair, ask what the log does not hold, and report."""
    options, endpoint = parse((JudgeOptions, EndpointOptions), joined(argv, LISTS), command="judge")
    try:
        with _ended_like_interrupted():
            shown = _judge(options, endpoint)
    except UserError as error:  # it may quote a file, or an endpoint, that others wrote
        raise UserError(literal(str(error))) from error
    console = PipeConsole(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(Encodable(shown))
    return 0


def joined(argv: Sequence[str], names: Sequence[str]) -> list[str]:
    """The words of a command line, with options that are given several times given once.

    >>> joined(["--quality", "better", "--pairs", "3", "--quality=kinder"], ["quality"])
    ['--pairs', '3', '--quality', 'better', 'kinder']
    """
    others: list[str] = []
    values: dict[str, list[str]] = {}
    current = others
    for word in argv:
        name, equals, value = word.partition("=")
        name = name.removeprefix("--").replace("-", "_") if name.startswith("--") else ""
        if name in names:
            current = values.setdefault(name, [])
            current += [value] if equals else []
            continue
        current = others if word.startswith("--") else current
        current.append(word)
    return others + [word for name, given in values.items() for word in (f"--{name}", *given)]


def _judge(options: JudgeOptions, endpoint: EndpointOptions) -> RenderableType:
    """What there is to say in the end."""
    if options.judge == "api":
        endpoint.check()
    sends = options.judge == "api" and not options.dry_run
    key = endpoint.key() if sends else None
    asked = _plan(options, _comparisons(options))
    truth = _truth(asked) if options.truth else []
    questions = keyed(_request_of(options, endpoint), [each.question for each in asked])
    if options.dry_run:
        return Text(_forecast(questions, options, endpoint))
    _check_writable(options.out)
    answers = _ask(questions, options, endpoint, key)
    found = [answers[each.key] for each in questions]
    _say_unreadable(found)
    judgements = [each.judgement(answer) for each, answer in zip(asked, found, strict=True)]
    return _report(judgements, truth, options)


def _check_writable(folder: Path) -> None:
    """UserError unless files can be made there: better now than once all is paid for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"out: {folder} cannot be written ({error.strerror or error})") from error


def _say_unreadable(answers: Sequence[Answer]) -> None:
    """Why some answers are no verdicts, by the first words of the reason."""
    reasons = Counter(each.reason.partition(":")[0] for each in answers if each.choice is None)
    if reasons:
        said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        _say(f"{reasons.total()} of {len(answers)} answers are unreadable: {said}")


def _comparisons(options: JudgeOptions) -> list[Comparison]:
    """The pairs of every comparison, each under its label."""
    sources = [_sources(a, b) for a, b in zip(options.a, options.b, strict=True)]
    labels = options.label or [literal(f"{a.name} vs {b.name}") for a, b in sources]
    if len(set(labels)) < len(labels):
        raise UserError(f"label: two comparisons are called {labels}; give each a --label")
    return [
        Comparison(label, _pairs(label, a, b, options))
        for label, (a, b) in zip(labels, sources, strict=True)
    ]


def _sources(a: Path, b: str) -> tuple[Selection, Selection]:
    first, second = select(a, _warn), select_other(b, a, _warn)
    if first.file.resolve() == second.file.resolve():
        raise UserError(f"a, b: both are {first.file}; compare two sources")
    return first, second


def _pairs(label: str, a: Selection, b: Selection, options: JudgeOptions) -> list[Pair]:
    of_a, of_b = (
        [transcript(each, options.end_token) for each in side.episodes] for side in (a, b)
    )
    try:
        return make_pairs(of_a, of_b, options.pairs, options.seed)
    except UserError as error:
        raise UserError(f"{label}: {error} (A: {a.file}, B: {b.file})") from error


def _plan(options: JudgeOptions, comparisons: Sequence[Comparison]) -> list[Asked]:
    return plan(
        comparisons,
        options.quality,
        both_orders=options.orders == "both",
        ties=options.ties == "allowed",
        repeats=options.repeats,
        seed=options.seed,
    )


@contextmanager
def _reached(options: JudgeOptions, endpoint: EndpointOptions) -> Iterator[EndpointOptions]:
    """The endpoint, there to be asked; a model that is to be served is, as long as the block lasts."""
    if options.judge != "api" or endpoint.serve is None:
        yield endpoint
        return
    from kl_derail.judge.serving import served

    with served(endpoint.serve) as url:
        yield replace(endpoint, base_url=url)


def _request_of(options: JudgeOptions, endpoint: EndpointOptions) -> Request:
    if options.judge == "trusted":
        from kl_derail.judge import trusted

        return trusted.request
    from kl_derail.judge import client

    return partial(client.request, endpoint)


def _judge_of(options: JudgeOptions, endpoint: EndpointOptions, key: str | None) -> Judge:
    if options.judge == "trusted":
        from kl_derail.judge.trusted import TrustedJudge

        return TrustedJudge()
    from kl_derail.judge.client import NO_KEY, ApiJudge

    return ApiJudge(endpoint, key or NO_KEY)


def _ask(
    questions: Sequence[Pending],
    options: JudgeOptions,
    endpoint: EndpointOptions,
    key: str | None,
) -> Mapping[str, Answer]:
    """All answers, once the log holds them; UserError where the money ends first."""
    prices = Prices(*endpoint.prices) if endpoint.prices and options.judge == "api" else None
    purse = Purse(prices, endpoint.max_cost)
    with open_log(options.log_file) as log:
        pending = unanswered(questions, log.answers)
        before = sum(each.key in log.answers for each in questions)
        _say(f"{len(questions)} questions, {before} of them answered before")
        if pending:
            with _reached(options, endpoint) as reached:
                judge = _judge_of(options, reached, key)
                ask_all(judge, questions, log, purse, endpoint.concurrency)
        left = len(unanswered(questions, log.answers))
    spent = f"${purse.spent:.4f}" if prices else "unknown"
    if left:
        raise UserError(
            f"max_cost: spent {spent}, the next question could pass ${endpoint.max_cost:g};"
            f" {left} of {len(questions)} are left, the answers so far are in {options.log_file}"
        )
    if options.judge == "api":
        _say(f"cost of this run: {spent}")
    return log.answers


def _truth(asked: Sequence[Asked]) -> list[Judgement]:
    from kl_derail.judge.trusted import truths

    return truths(asked)


def _report(
    judgements: Sequence[Judgement], truth: Sequence[Judgement], options: JudgeOptions
) -> RenderableType:
    """Write all files; returns the tables for the terminal."""
    from kl_derail.judge.agreement import remove_agreement, write_agreement
    from kl_derail.judge.report import write_report

    shown = write_report(judgements, options.out, seed=options.seed)
    if options.truth:
        return Group(shown, Text(), write_agreement(judgements, truth, options.out))
    remove_agreement(options.out)
    return shown


def _forecast(
    questions: Sequence[Pending], options: JudgeOptions, endpoint: EndpointOptions
) -> str:
    """How much would be asked, and what it would cost."""
    pending = unanswered(questions, read_answers(options.log_file))
    lines = [f"{len(questions)} questions, {len(pending)} of them not answered yet"]
    if options.judge == "api":
        read, written = estimated_tokens(each.request for each in pending)
        cost = Prices(*endpoint.prices).cost(read, written) if endpoint.prices else None
        lines += [
            f"about {read} tokens to read, {written} to write (4 characters a token; an estimate)",
            "cost: " + ("unknown, see --price_in" if cost is None else f"about ${cost:.2f}"),
        ]
    return "\n".join(lines)


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """SIGTERM acts like Ctrl-C, so that a server that we started ends too.

    Also where a shell has Ctrl-C ignored, as it does for what it runs in the background.
    """

    def end(*_: object) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(line: str) -> None:
    Console(stderr=True, highlight=False).print(literal(line), markup=False, soft_wrap=True)


def _warn(message: str) -> None:
    _say(f"kl-derail judge: warning: {message}")
