"""Rows and columns that only count: the index and the header that tables are printed with."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from core.answers.assembly import UnreadableError
from core.answers.leaf import COLUMNS, EMPTY, Leaf

RowIndices = list[Sequence[int]]
"""The numbers of each row, by their index in a leaf."""


def join_columns(leaf: Leaf, rows: RowIndices) -> RowIndices:
    """Put groups of columns that stand below each other side by side, without what counts them for sure.

    Raises
    ------
    UnreadableError
        If the groups have different numbers of rows.
    """
    ends = COLUMNS | EMPTY if leaf.is_wrapped else COLUMNS
    starts = [0, *(number for number, row in enumerate(rows) if number and leaf.gaps[row[0]] & ends), len(rows)]
    blocks = [_without_known(leaf, rows[start:stop]) for start, stop in pairwise(starts)]
    if len(blocks) == 1:
        return blocks[0]
    # an index is printed anew with each group
    indices = [[leaf.values[row[0]] for row in block] for block in blocks]
    if leaf.is_wrapped and all(index == indices[0] for index in indices) and _has_index(leaf, blocks[0]):
        blocks = [[row[1:] for row in block] for block in blocks]
    for block in blocks[1:]:
        if len(block) != len(blocks[0]):
            place = leaf.start_of(block[0][0])
            raise UnreadableError(
                place, f"found {len(block)} rows in further columns; needed {len(blocks[0])}, as in those before"
            )
    return [list(chain(*parts)) for parts in zip(*blocks, strict=True)]


def without_index(leaf: Leaf, rows: RowIndices) -> RowIndices:
    """Return rows of two numbers each without the first, if it counts them."""
    return [row[1:] for row in rows] if set(map(len, rows)) == {2} and _has_index(leaf, rows) else rows


def without_counters(leaf: Leaf, rows: RowIndices) -> Iterator[RowIndices]:
    """Return the rows without a first column that counts, and without a first row that does.

    Parameters
    ----------
    rows : list of sequence of int
        Two or more.

    Yields
    ------
    list of sequence of int
        As far as rows and numbers are left.
    """
    if _has_index(leaf, rows) and min(map(len, rows)) > 1:
        yield [row[1:] for row in rows]
    if len(rows[0]) > 1 and _counts(leaf, rows[0]):
        yield rows[1:]


def _without_known(leaf: Leaf, rows: RowIndices) -> RowIndices:
    widths = set(map(len, rows[1:]))
    has_header = widths == {len(rows[0]) + 1} and _counts(leaf, rows[0], any_start=leaf.is_wrapped)
    if has_header and _has_index(leaf, rows[1:]):
        return [row[1:] for row in rows[1:]]
    if leaf.n_names and not leaf.is_wrapped and set(map(len, rows)) == {leaf.n_names + 1} and _has_index(leaf, rows):
        return [row[1:] for row in rows]
    return rows


def _has_index(leaf: Leaf, rows: RowIndices) -> bool:
    return _counts(leaf, [row[0] for row in rows])


def _counts(leaf: Leaf, indices: Sequence[int], *, any_start: bool = False) -> bool:
    values = [leaf.values[index] for index in indices]
    is_start = values[0] >= 0.0 and values[0].is_integer() if any_start else values[0] in {0.0, 1.0}
    return is_start and all(value == values[0] + number for number, value in enumerate(values))
