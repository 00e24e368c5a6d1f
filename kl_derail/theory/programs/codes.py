"""Prefix codes: bit strings none of which begins another, and such that every long string starts with one.

Codes are text of `0` and `1`, so that they can be read. All of them are complete: the sum of
2^-length over the code is one.
"""

from __future__ import annotations


class Reader:
    """A string of bits that is read from the front."""

    def __init__(self, bits: str) -> None:
        self.bits = bits
        self.place = 0

    def take(self, count: int) -> str:
        """The next bits.

        Raises:
            EOFError: fewer are left.
        """
        taken = self.bits[self.place : self.place + count]
        if len(taken) < count:
            raise EOFError(f"{count} bits expected at bit {self.place} of {self.bits!r}")
        self.place += count
        return taken


def unary(number: int) -> str:
    """So many ones and a zero; the number is at least 0.

    >>> unary(2)
    '110'
    """
    return "1" * number + "0"


def read_unary(reader: Reader) -> int:
    """The inverse of `unary`."""
    number = 0
    while reader.take(1) == "1":
        number += 1
    return number


def gamma(number: int) -> str:
    """Elias' gamma code of a number >= 1: 2 floor(log2 n) + 1 bits (Elias, 1975).

    >>> [gamma(number) for number in (1, 2, 3, 4)]
    ['0', '100', '101', '11000']
    """
    tail = f"{number:b}"[1:]
    return unary(len(tail)) + tail


def read_gamma(reader: Reader) -> int:
    """The inverse of `gamma`."""
    return int("1" + reader.take(read_unary(reader)), 2)


def gamma_numbers(max_bits: int) -> range:
    """The numbers whose gamma code has at most so many bits.

    >>> list(gamma_numbers(3)), list(gamma_numbers(0))
    ([1, 2, 3], [])
    """
    return range(1, 1 << (max(max_bits, -1) + 1) // 2)


def choice(index: int, count: int) -> str:
    """One of so many things in `floor` or `ceil` of log2(count) bits, the first ones in fewer.

    >>> [choice(index, 3) for index in range(3)], choice(0, 1)
    (['0', '10', '11'], '')
    """
    width = (count - 1).bit_length()
    short = (1 << width) - count
    if index < short:
        return f"{index:0{width - 1}b}" if width > 1 else ""
    return f"{index + short:0{width}b}" if width else ""


def read_choice(reader: Reader, count: int) -> int:
    """The inverse of `choice`."""
    width = (count - 1).bit_length()
    short = (1 << width) - count
    if width == 0:
        return 0
    index = int("0" + reader.take(width - 1), 2)
    return index if index < short else 2 * index + int(reader.take(1)) - short
