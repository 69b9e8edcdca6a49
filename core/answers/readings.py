"""The ways in which the numbers of a list can be meant, and the one that the shape asked for decides on."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from core.answers.assembly import Assembly
from core.answers.commas import (
    find_decimal_commas,
    find_thousands,
    require_no_mixed_commas,
    require_no_split,
    thousands,
    two_readings,
)
from core.answers.counters import RowIndices, join_columns, without_counters, without_index
from core.answers.leaf import LINE, SEMICOLON, TIGHT, Leaf

TABLES = frozenset({"rows", "table"})
"""Kinds of lists that are not in brackets."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One way to mean the numbers of a list.

    Parameters
    ----------
    rows : list of sequence of int
        The numbers of each row, by their index in the leaf.
    is_flat : bool
        Whether they are one list rather than a list of rows.
    """

    leaf: Leaf
    rows: RowIndices
    is_flat: bool

    @property
    def is_even(self) -> bool:
        """Whether all rows are of one length, or one list."""
        return self.is_flat or len(set(map(len, self.rows))) == 1

    @property
    def is_whole(self) -> bool:
        """Whether no number is left out as a counter."""
        return self._size == len(self.leaf.values)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether the numbers have a shape."""
        found = (self._size,) if self.is_flat else (len(self.rows), len(self.rows[0]))
        return self.is_even and fits(found, shape)

    @property
    def _size(self) -> int:
        return sum(map(len, self.rows))

    def place(self, assembly: Assembly) -> None:
        """Put the numbers into an array's assembly."""
        leaf = self.leaf
        if leaf.has_decimal_commas and len(leaf.values) == 1:  # the comma is no sign of a list
            assembly.add(leaf.values[0], leaf.start_of(0))
            return
        assembly.open(leaf.start)
        for row in self.rows:
            if not self.is_flat:
                assembly.open(leaf.start_of(row[0]))
            for index in row:
                assembly.add(leaf.values[index], leaf.start_of(index))
            if not self.is_flat:
                assembly.close(leaf.start_of(row[-1]))
        assembly.close(leaf.end)


def fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a shape is the one asked for, leading axes of one entry aside."""
    return _without_ones(found) == _without_ones(shape)


def read_leaf(leaf: Leaf, text: str, shape: tuple[int, ...] | None, *, is_all: bool) -> Table:
    """Decide what the numbers of a list mean.

    Parameters
    ----------
    text : str
        Where they stand.
    shape : tuple of int or None
        What is asked for.
    is_all : bool
        Whether the list is all of the answer; otherwise it is one row.

    Raises
    ------
    UnreadableError
        If a comma or a blank can be meant in two ways, and the shape does not tell.
    """
    needed = None if shape is None else math.prod(shape if is_all else shape[-1:])
    shape = shape if is_all else None
    as_written = list(_tables(leaf, text))
    if leaf.breaks not in TABLES:
        require_no_mixed_commas(leaf, as_written[0].rows, text)
        return _fitting(as_written, shape) or _unsplit(as_written[0], text, needed)
    decimal, is_paired = find_decimal_commas(leaf, text) or (None, False)
    with_points = list(_tables(decimal, text)) if decimal is not None else []
    parted = find_thousands(leaf, text)
    tight = leaf.gaps.find(TIGHT)
    if found := _fitting((table for table in as_written if table.is_whole), shape):
        return found
    if found := _fitting(with_points, shape):
        if parted is not None:
            raise two_readings(leaf, text, tight, is_thousands=True)
        return found
    # counters are no reason to take a decimal comma for one between numbers
    is_doubtful = bool(with_points) and not is_paired and with_points[0].is_even
    likeliest = with_points if is_doubtful else as_written
    if found := _fitting((*likeliest, *(stripped for table in likeliest for stripped in _stripped(table))), shape):
        return found
    if parted is not None:
        raise thousands(leaf, parted)
    if is_doubtful:
        raise two_readings(leaf, text, tight)
    return _unsplit(as_written[0], text, needed)


def _unsplit(table: Table, text: str, needed: int | None) -> Table:
    if needed is not None:
        require_no_split(table.leaf, text, needed)
    return table


def _fitting(tables: Iterable[Table], shape: tuple[int, ...] | None) -> Table | None:
    return next((table for table in tables if shape is not None and table.fits(shape)), None)


def _tables(leaf: Leaf, text: str) -> Iterator[Table]:
    if leaf.breaks == "rows" and leaf.is_vector:
        yield Table(leaf=leaf, rows=without_index(leaf, _split(leaf, LINE)), is_flat=True)
        return
    for ends in _row_ends(leaf, text):
        rows = _split(leaf, ends)
        if leaf.breaks in TABLES:
            rows = join_columns(leaf, rows)
        yield Table(leaf=leaf, rows=rows, is_flat=len(rows) == 1)
        if max(map(len, rows)) == 1 < len(rows) and len(rows) < len(leaf.values):
            yield Table(leaf=leaf, rows=rows, is_flat=True)  # a column that was printed with an index
    if leaf.breaks == "rows" and len(set(map(len, rows))) > 1:
        yield Table(leaf=leaf, rows=rows, is_flat=True)  # no rows of a matrix, so a long list in several lines


def _stripped(table: Table) -> Iterator[Table]:
    if len(table.rows) < 2:
        return
    for rows in without_counters(table.leaf, table.rows):
        if len(rows) == 1 or max(map(len, rows)) == 1:
            yield Table(leaf=table.leaf, rows=rows, is_flat=True)
        if len(rows) > 1:
            yield Table(leaf=table.leaf, rows=rows, is_flat=False)


def _row_ends(leaf: Leaf, text: str) -> list[int]:
    """Return what may end a row, the likeliest first."""
    inner = set(leaf.gaps[1:])
    has_lines, has_semicolons = (any(gap & end for gap in inner if gap >= LINE) for end in (LINE, SEMICOLON))
    match leaf.breaks:
        case "rows" if has_lines and any(gap & SEMICOLON and not gap & LINE for gap in inner if gap >= LINE):
            ways = [LINE, LINE | SEMICOLON]
            return ways if all(gap == TIGHT or gap >= LINE for gap in inner) else ways[::-1]
        case "rows" if has_semicolons and not has_lines and (leaf.ends_line or leaf.has_decimal_commas):
            return [SEMICOLON, 0]
        case "rows":
            return [LINE | SEMICOLON]
        case "either" if has_semicolons:
            return [LINE | SEMICOLON, SEMICOLON]
        case "either" if has_lines:
            return [0, LINE] if _is_wrapped(leaf, text) else [LINE, 0]
        case _:
            return [SEMICOLON]


def _is_wrapped(leaf: Leaf, text: str) -> bool:
    """Tell whether lines inside brackets look as NumPy prints a long list: indented, or of different length."""
    rows = _split(leaf, LINE)
    return len(set(map(len, rows))) > 1 or all(text[leaf.start_of(row[0]) - 1] == " " for row in rows[1:])


def _split(leaf: Leaf, ends: int) -> RowIndices:
    gaps = leaf.gaps
    starts = [0, *(index for index in range(1, len(gaps)) if gaps[index] >= LINE and gaps[index] & ends), len(gaps)]
    return [range(start, stop) for start, stop in pairwise(starts)] if ends else [range(len(gaps))]


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return next((shape[axis:] for axis, extent in enumerate(shape) if extent != 1), ())
