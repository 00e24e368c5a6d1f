"""The language is a complete prefix code, and both of its written forms can be read back."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.theory.programs.codes import (
    Reader,
    choice,
    gamma,
    gamma_numbers,
    read_choice,
    read_gamma,
)
from kl_derail.theory.programs.events import NEVER, Chat, Clock, Repeat, events, parse_event
from kl_derail.theory.programs.switch import bits, decode, mixture_switches, parse_program
from kl_derail.theory.programs.table import enumerate_machines, tabulate
from kl_derail.theory.programs.utilities import parse_utility, utilities


@given(st.integers(1, 10**9))
def test_gamma_is_read_back_and_has_its_length(number: int) -> None:
    assert read_gamma(Reader(gamma(number))) == number
    assert len(gamma(number)) == 2 * (number.bit_length() - 1) + 1


@pytest.mark.parametrize("count", range(1, 20))
def test_choices_are_a_complete_prefix_code(count: int) -> None:
    codes = [choice(index, count) for index in range(count)]
    assert sum(Fraction(1, 2 ** len(code)) for code in codes) == 1
    assert [read_choice(Reader(code), count) for code in codes] == list(range(count))


def test_the_numbers_within_some_bits_are_all_and_only_those() -> None:
    for most in range(12):
        assert list(gamma_numbers(most)) == [n for n in range(1, 200) if len(gamma(n)) <= most]


def test_the_code_is_complete_and_prefix_free() -> None:
    """Every string of 15 bits begins with exactly one program or is the beginning of a longer one."""
    depth, undecided = 15, 0
    programs = set()
    for symbols in product("01", repeat=depth):
        text = "".join(symbols)
        try:
            program, rest = decode(text)
        except EOFError:
            undecided += 1
        else:
            assert program.code() + rest == text
            programs.add(program)
    mass = sum((Fraction(1, 2 ** bits(program)) for program in programs), Fraction(0))
    assert mass + Fraction(undecided, 2**depth) == 1
    machines = {p for p in programs if str(p)[0] == "A"}
    table = enumerate_machines(depth, 3)
    assert machines == {table.machine(row) for row in range(len(table.bits))}
    mixed = {p for p in programs if str(p).startswith("switch(mixture")}
    assert mixed == set(mixture_switches(depth))


def test_kraft_sums_are_exact() -> None:
    """All machines of at most n states have (1 - 2^-n) / 2 of the prior: the other half is the switches'."""
    counts = np.bincount(enumerate_machines(99, 3).bits).tolist()
    total = sum(Fraction(count, 2**length) for length, count in enumerate(counts))
    assert total == Fraction(7, 16)


def test_printed_forms_are_read_back() -> None:
    table = enumerate_machines(20, 3)
    for row in range(0, len(table.bits), 97):
        machine = table.machine(row)
        assert (parse_program(str(machine)), table.row(machine)) == (machine, row)
        assert bits(machine) == table.bits[row]
    for switch in mixture_switches(13):
        assert parse_program(str(switch)) == switch
    body = "switch([A 1/8 B B; B 1/2 A A], turn 9, actions 1 for 2 turns, mostly)"
    assert str(parse_program(body)) == body
    assert decode(parse_program(body).code()) == (parse_program(body), "")


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (parse_program, "A 1/3 A A", "expected `A P X Y`"),
        (parse_program, "A 1/2 A B", "moves to A and B, allowed A"),
        (parse_program, "B 1/2 B B", "expected `A P X Y`"),
        (parse_program, "switch(mixture, turn 0, actions 1 for 2 turns, surely)", "event: found"),
        (parse_program, "switch(it, turn 1, actions 1 for 2 turns)", "program: found"),
        (parse_event, "actions 2 x1", "event: found 'actions 2 x1'"),
        (parse_utility, "actions 2 for 1 turns", "utility: found"),
    ],
)
def test_what_cannot_be_read_is_named(read, text: str, complaint: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=complaint):
        read(text)


def test_a_class_too_large_is_refused() -> None:
    with pytest.raises(UserError, match="more than"):
        enumerate_machines(60, 5)
    with pytest.raises(UserError, match="allowed >= 5"):
        enumerate_machines(4, 1)


def test_a_machine_that_is_not_there_has_no_row() -> None:
    table = enumerate_machines(13, 2)
    large = tabulate([enumerate_machines(19, 3).machine(-1)]).machine(0)
    assert table.row(large) is None


@given(st.binary(max_size=12).map(lambda raw: bytes(b & 1 for b in raw)), st.randoms())
def test_events_happen_when_the_naive_search_says(actions: bytes, random) -> None:  # type: ignore[no-untyped-def]
    observations = bytes(random.randrange(2) for _ in actions)
    chat = Chat(actions, observations)
    for event in events(8):
        prefixes = [Chat(actions[:t], observations[:t]) for t in range(1, len(actions) + 1)]
        happened = [_happens(event, prefix) for prefix in prefixes]
        first = happened.index(True) + 1 if any(happened) else NEVER
        assert event.turns_until(chat) == first
        assert [event.has_just_happened(prefix) for prefix in prefixes] == happened


def _happens(event: Repeat | Clock, chat: Chat) -> bool:
    if isinstance(event, Clock):
        return len(chat.actions) == event.turns
    stream = chat.actions if event.stream == "actions" else chat.observations
    return "".join(map(str, stream)).endswith(event.word * event.times)


def test_utilities_reward_their_symbol() -> None:
    found = {str(u): u.rewards().tolist() for u in utilities(5)}
    assert found["actions 1 for 2 turns"] == [[0, 0], [0.5, 0.5]]
    assert found["observations 0 for 1 turns"] == [[1, 0], [1, 0]]
    assert len(found) == 12
