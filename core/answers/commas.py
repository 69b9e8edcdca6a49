"""Commas right between digits: between two numbers, before decimals, or between thousands."""

import re
from collections.abc import Iterable, Iterator, Sequence

from core.answers.assembly import UnreadableError
from core.answers.characters import INVISIBLE, VULGAR
from core.answers.faults import THOUSANDS_SEPARATOR
from core.answers.leaf import BLANK, COMMA, TIGHT, Leaf
from core.answers.numbers import NUMBER, read_number

_DECIMAL = re.compile(rf"(?=[+-]?[0-9]++\.[0-9]){NUMBER}", re.IGNORECASE)
_THOUSANDS = re.compile(
    r"[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})++(?:\.[0-9]*+)?|(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*+)?|(?:\.[0-9]{3})++,[0-9]++)(?:e[+-]?[0-9]++)?",
    re.IGNORECASE,
)
_PARTED = re.compile(r"[+-]?[1-9][0-9]{0,2}[^0-9a-z]+[0-9]{3}(?:\.[0-9]*)?", re.IGNORECASE)
_MIXED = re.compile(rf"[+-]?[0-9]+ +(?:[0-9]+ */{{1,2}} *[0-9]+|[{VULGAR}]|\\[dt]?frac[0-9 {{}}]+)", re.IGNORECASE)
_LONGEST_SHOWN = 24

_WRITE = "write a decimal point, and a comma and a blank between two numbers"


def find_decimal_commas(leaf: Leaf, text: str) -> tuple[Leaf, bool] | None:
    """Return the numbers of a list if its commas right between digits are decimal ones.

    Parameters
    ----------
    text : str
        Where they stand.

    Returns
    -------
    tuple of Leaf and bool, or None
        Whether a comma between two of these numbers looks the same; None if the commas cannot be decimal ones.
    """
    if TIGHT not in leaf.gaps:
        return None
    found, is_paired = leaf.with_decimal_commas(), False
    for run in _runs(leaf):
        if len(run) == 1:
            if "." in text[leaf.start_of(run[0]) : leaf.end_of(run[0])]:
                return None
            found.copy(leaf, run[0])
            continue
        if len(run) % 2:
            return None
        is_paired |= len(run) > 2
        for first in run[::2]:
            cell = _cell(leaf, text, first, first + 1).replace(",", ".", 1)
            if not _DECIMAL.fullmatch(cell):
                return None
            gap = leaf.gaps[first] if first == run[0] else COMMA
            found.add(read_number(cell, leaf.shift), leaf.start_of(first), leaf.end_of(first + 1), gap)
    return found, is_paired


def find_thousands(leaf: Leaf, text: str) -> int | None:
    """Return the index of the first number of a list if its commas right between digits part thousands."""
    runs = [run for run in _runs(leaf) if len(run) > 1] if TIGHT in leaf.gaps else []
    if runs and all(_THOUSANDS.fullmatch(_cell(leaf, text, run[0], run[-1])) for run in runs):
        return runs[0][0]
    return None


def read_cell(leaf: Leaf, text: str) -> tuple[float, int, int] | None:
    """Return the one number of a quoted cell with a comma in it, and where it stands.

    Returns
    -------
    tuple of float, int and int, or None
        None if there is no comma right between digits, or more than one number around it.

    Raises
    ------
    UnreadableError
        If the comma parts thousands, or may do so.
    """
    if len(leaf.gaps) < 2 or any(gap != TIGHT for gap in leaf.gaps[1:]):
        return None
    decimal, is_paired = find_decimal_commas(leaf, text) or (None, False)
    is_decimal = decimal is not None and not is_paired
    if (first := find_thousands(leaf, text)) is not None:
        raise two_readings(leaf, text, 1, is_thousands=True) if is_decimal else thousands(leaf, first)
    return (decimal.values[0], leaf.start_of(0), leaf.end_of(-1)) if decimal is not None and is_decimal else None


def require_no_mixed_commas(leaf: Leaf, rows: Iterable[Sequence[int]], text: str) -> None:
    """Check a list in brackets, where commas separate.

    Raises
    ------
    UnreadableError
        If a row has both commas right between digits and blanks between numbers.
    """
    if TIGHT not in leaf.gaps:
        return
    for row in rows:
        inner = row[1:]  # what stands before the first entry is not inside the row
        tight = next((index for index in inner if leaf.gaps[index] == TIGHT), None)
        if tight is not None and any(leaf.gaps[index] == BLANK for index in inner):
            raise two_readings(leaf, text, tight)


def require_no_split(leaf: Leaf, text: str, needed: int) -> None:
    """Check a list of too many numbers, some of which may be two parts of one.

    Parameters
    ----------
    needed : int
        How many numbers are asked for.

    Raises
    ------
    UnreadableError
        If there are as many as needed once commas are decimal ones, or thousands or mixed fractions are joined.
    """
    if len(leaf.values) <= needed:
        return
    decimal, _ = find_decimal_commas(leaf, text) or (None, False)
    if decimal is not None and len(decimal.values) == needed:
        raise two_readings(leaf, text, leaf.gaps.find(TIGHT))
    parted = find_thousands(leaf, text)
    if parted is not None and sum(1 for _ in _runs(leaf)) == needed:
        raise thousands(leaf, parted)
    second = [index for index in range(1, len(leaf.values)) if leaf.gaps[index] == BLANK]
    for pattern, error in ((_PARTED, thousands), (_MIXED, _mixed_fraction)):
        split = [index for index in second if pattern.fullmatch(text[leaf.start_of(index - 1) : leaf.end_of(index)])]
        if split and len(leaf.values) - len(split) == needed:
            raise error(leaf, split[0] - 1)


def two_readings(leaf: Leaf, text: str, second: int, *, is_thousands: bool = False) -> UnreadableError:
    """Return the error of a comma that can be meant in two ways.

    Parameters
    ----------
    second : int
        The index of the number after the comma.
    is_thousands : bool
        Whether the comma may part thousands, rather than two numbers.
    """
    cell = _cell(leaf, text, second - 1, second)
    place = leaf.end_of(second - 1)
    if len(cell) > _LONGEST_SHOWN or not cell.isascii():
        return UnreadableError(
            place, f"found a comma that may be a decimal comma or stand between two numbers; {_WRITE}"
        )
    other = cell.replace(",", "") if is_thousands else f"the two numbers {cell.replace(',', ' and ', 1)}"
    return UnreadableError(place, f"found {cell}: it may be {cell.replace(',', '.', 1)} or {other}; {_WRITE}")


def thousands(leaf: Leaf, first: int) -> UnreadableError:
    """Return the error of a thousands separator."""
    place = leaf.end_of(first)
    return UnreadableError(place, THOUSANDS_SEPARATOR)


def _mixed_fraction(leaf: Leaf, first: int) -> UnreadableError:
    return UnreadableError(
        leaf.end_of(first), "found a whole number before a fraction; write one fraction like 3/2, or a decimal point"
    )


def _cell(leaf: Leaf, text: str, first: int, last: int) -> str:
    return text[leaf.start_of(first) : leaf.end_of(last)].replace(" ", "").replace(INVISIBLE, "")


def _runs(leaf: Leaf) -> Iterator[range]:
    start = 0
    for index, gap in enumerate(leaf.gaps):
        if gap != TIGHT and index > start:
            yield range(start, index)
            start = index
    yield range(start, len(leaf.gaps))
