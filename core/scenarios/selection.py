"""Which variants are made: what every value of scenarios is computed under."""

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import NewType

Selection = NewType("Selection", int)
"""A set of variants: bit i is set where variant i is made. Pairs come by the ten thousand, so it is no object of its
own: ``a & b`` is true where two selections share a variant, ``a | b`` has the variants of both."""

NO_VARIANTS = Selection(0)
"""The exact computation."""


def select(*numbers: int) -> Selection:
    """Return the selection of variants by their numbers, which count from 0."""
    return join(Selection(1 << number) for number in numbers)


def join(selections: Iterable[Selection]) -> Selection:
    """Return the selection of all variants that are in any of several."""
    return Selection(reduce(or_, selections, 0))


def numbers_in(selection: Selection) -> Iterator[int]:
    """Give the numbers of the variants of a selection, the lowest first."""
    rest: int = selection
    while rest:
        lowest = rest & -rest
        yield lowest.bit_length() - 1
        rest ^= lowest
