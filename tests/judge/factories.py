"""Questions about made-up chats, whose right answers a server can read off their texts."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from kl_derail.judge.judges import BETTER, Question, Transcript
from kl_derail.judge.pairs import Comparison, Pair
from kl_derail.judge.plan import Asked, plan
from kl_derail.transcripts import Episode
from tests.transcripts.factories import make_episode

OPENING = "Teacher: Hello."


@cache
def an_episode() -> Episode:
    return make_episode([("Teacher", " Hello."), ("Student", " Hi."), ("Teacher", " Well.")])


def chat(text: str, key: str = "") -> Transcript:
    """A chat that says this after the opening."""
    return Transcript(key or text, OPENING, text, len(text.split()), an_episode())


def question(first: str = " One.", second: str = " Two.", **more: Any) -> Question:
    fields = {"quality": BETTER, "ties": True, "repeat": 0, **more}
    return Question(first=chat(first), second=chat(second), **fields)


def worth(number: int, side: str) -> Transcript:
    """A chat that says how good it is, of a source."""
    return chat(f" My worth is {number}.\n\nStudent: Oh.", f"{side}/{number}")


def worths_shown(body: dict[str, Any]) -> tuple[int, int]:
    """The worths of the first and the second chat of a question, as a server reads them."""
    first, second = re.findall(r"^\|  My worth is (\d+)\.$", body["messages"][1]["content"], re.M)
    return int(first), int(second)


def truth(body: dict[str, Any]) -> str:
    """The right answer to a question about worths."""
    first, second = worths_shown(body)
    return "first" if first > second else "second"


def study(pairs: int, **more: Any) -> list[Asked]:
    """Questions about pairs of distinct worths, A the better one in every other pair."""
    made = [
        Pair(number, worth(2 * number + number % 2, "a"), worth(2 * number + 1 - number % 2, "b"))
        for number in range(pairs)
    ]
    options = {"both_orders": True, "ties": True, "repeats": 1, "seed": 0, **more}
    return plan([Comparison("worth", made)], [BETTER], **options)
