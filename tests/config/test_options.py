from __future__ import annotations

from dataclasses import dataclass

import pytest

from kl_derail.config import option, parse, required


@dataclass
class Words:
    words: list[str] = option(["a"], "words")


@dataclass
class Clash:
    words: int = 3


@dataclass
class Reserved:
    preset: str = ""


@dataclass
class Union:
    number: int | str = 3


@dataclass
class Fixed:
    pair: tuple[int, int] = (1, 2)


@dataclass
class Nested:
    table: dict[str, int] | None = None


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ((Words, Clash), r"Clash\.words: this name is taken"),
        ((Reserved,), r"Reserved\.preset: this name is taken"),
        ((Union,), r"Union\.number: a field cannot have the type int \| str"),
        ((Fixed,), r"Fixed\.pair: write a tuple as tuple\[X, \.\.\.\]"),
        ((Nested,), r"Nested\.table: a field cannot have the type dict"),
    ],
)
def test_declarations_that_cannot_work(types: tuple[type, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        parse(types, [], command="odd")


def test_a_default_list_is_not_shared() -> None:
    Words().words.append("b")
    assert Words().words == ["a"]
    (read,) = parse((Words,), [], command="odd")
    read.words.append("b")
    assert parse((Words,), [], command="odd") == (Words(["a"]),)


def test_a_required_field_has_no_default() -> None:
    @dataclass
    class Needed:
        name: str = required("name")

    with pytest.raises(TypeError):
        Needed()
