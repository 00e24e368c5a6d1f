"""Tables on screens of any width: no number is cut."""

from __future__ import annotations

import pytest
from rich.text import Text

from kl_derail.inspect.fitting import Column, Fitting
from kl_derail.inspect.tables import comparison_table, episode_table, turn_table
from tests.inspect.sets import agents, bases, talk
from tests.inspect.test_terminal import plain


def column(name: str, *cells: str, spare: int = 0, words: bool = False) -> Column:
    return Column(Text(name), [Text(each) for each in cells], spare=spare, words=words)


COLUMNS = [
    column("a", "12.34"),
    column("b", "5678", spare=1),
    column("c", "99 %", spare=2),
    column("words", "one and two and three", words=True),
]


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (60, "a b c words"),
        (31, "a b c words"),
        (30, "a b words"),
        (25, "a b words"),
        (24, "a words"),
    ],
)
def test_the_most_spare_goes_first_and_words_shrink_before_it(width: int, names: str) -> None:
    header, _, first, *_ = plain(Fitting(COLUMNS), width)
    assert header.split() == names.split()
    assert first.startswith("12.34")


def test_what_cannot_be_left_out_folds() -> None:
    lines = plain(Fitting([column("a", "12.34"), column("b", "56.78")]), 8)
    assert "".join(line[:3].strip() for line in lines[2:]) == "12.34"
    assert all(len(line) <= 8 for line in lines)


def test_a_total_is_set_apart() -> None:
    lines = plain(Fitting([column("a", "1", "2", "3")], total=True))
    assert [line.strip() for line in lines[2:]] == ["1", "2", "", "3"]


def test_no_rows() -> None:
    assert plain(Fitting([column("a"), column("b")]))[0] == "a  b"


@pytest.mark.parametrize("width", range(40, 130, 9))
def test_numbers_are_whole_or_not_there(width: int) -> None:
    """Every word with a digit on a narrow screen stands on a wide one too."""
    tables = (
        comparison_table([("agent", agents()), ("base", bases())]),
        episode_table(agents()),
        turn_table(talk()),
    )
    for table in tables:
        whole = {word for line in plain(table, 300) for word in line.split()}
        shown = {word for line in plain(table, width) for word in line.split()}
        numbers = {word for word in shown if any(map(str.isdigit, word))}
        assert numbers
        assert numbers <= whole
