"""One entry of a formula written out with its numbers: ``"1·0.5 + 2·0.3 + 0.1"`` for an entry of ``"X·W + b"``.

A product of matrices is a sum of products of numbers there, a sum over an axis a sum of its terms, and what acts entry
by entry acts on the entries.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce

import numpy as np

from core.arrays import Array
from core.errors import TooLargeError
from core.formulas.expression import Apply, Expression, Name, Number
from core.formulas.operations import OPERATIONS
from core.formulas.simplification import ONE, ZERO
from core.formulas.values import compile_formula, lift

MAX_NUMBERS = 200
"""The most numbers of an entry that is written out: nobody reads more."""

MOST_SIGNIFICANT = 3
"""Significant figures that a small number keeps at most, whatever the decimals."""

Shape = tuple[int, int]
Index = tuple[int, int]


def write_entry(
    expression: Expression, index: Index, values: Mapping[str, Array], decimals: int | None = None
) -> Expression:
    """Write one entry of a formula with the numbers that it is computed from.

    Parameters
    ----------
    expression : Expression
        Of operations alone: what it applies beside them has been filled in.
    index : tuple of int
        Row and column of the entry, from 0; of a row, a column or a number the axis that it lacks has length 1.
    values : mapping of str to ndarray
        What its names stand for, each with the axes of its symbol.
    decimals : int, optional
        Decimals that the numbers are rounded to, see `round_number`; by default they are not.

    Returns
    -------
    Expression
        Numbers and operations on them; `parse_formula` reads its text again where it is not too long.

    Raises
    ------
    TooLargeError
        If it has more than `MAX_NUMBERS` numbers.
    """
    writer = _Writer({name: lift(name, value) for name, value in values.items()}, decimals)
    count = writer.count(expression)
    if count > MAX_NUMBERS:
        raise TooLargeError(f"one entry written out has {count} numbers; needed at most {MAX_NUMBERS}")
    return writer.write(expression, index)


def value_of_entry(written: Expression) -> float:
    """Compute an entry from the numbers with which it is written.

    Parameters
    ----------
    written : Expression
        Of `write_entry`.

    Returns
    -------
    float
        Not a number, or infinite, where the numbers on the way do not fit float64.
    """
    with np.errstate(all="ignore"):
        return float(compile_formula(written, ())())


class _Writer:
    def __init__(self, values: Mapping[str, Array], decimals: int | None) -> None:
        self.values = values
        self.decimals = decimals

    def shape(self, part: Expression) -> Shape:
        """Return how many rows and columns a part has."""
        if isinstance(part, Name) and part.text in self.values:
            found = np.shape(self.values[part.text])
            return (found[0], found[1]) if found else (1, 1)
        if not isinstance(part, Apply):
            return 1, 1
        shapes = [self.shape(operand) for operand in part.operands]
        match part.operation:
            case "product":
                return shapes[0][0], shapes[1][1]
            case "transpose":
                return shapes[0][1], shapes[0][0]
            case "diag":
                return shapes[0][0], shapes[0][0]
            case "kron":
                return shapes[0][0] * shapes[1][0], shapes[0][1] * shapes[1][1]
            case "first" | "last":
                return 1, shapes[0][1]
        rows, columns = (max(lengths) for lengths in zip(*shapes, strict=True))
        axes = OPERATIONS[part.operation].axes
        return 1 if -2 in axes else rows, 1 if -1 in axes else columns

    def count(self, part: Expression) -> int:
        """Count the numbers of one entry of a part, from shapes alone."""
        if not isinstance(part, Apply):
            return 1
        counts = sum(map(self.count, part.operands))
        if part.operation == "product":
            return counts * self.shape(part.operands[0])[1]
        lengths = self.shape(part.operands[0])
        return counts * int(np.prod([lengths[axis] for axis in OPERATIONS[part.operation].axes], dtype=int))

    def write(self, part: Expression, index: Index) -> Expression:
        """Write the entry of a part at an index; an axis of length 1 has one entry wherever the index points."""
        if not isinstance(part, Apply):
            return self._leaf(part, index)
        row, column = (place if length > 1 else 0 for place, length in zip(index, self.shape(part), strict=True))
        write_special = _SPECIAL.get(part.operation)
        if write_special:
            return write_special(self, part, (row, column))
        operation = OPERATIONS[part.operation]
        if operation.axes:
            return self._collect(part, (row, column))
        name = "scale" if part.operation == "multiply" else part.operation
        return Apply(name, tuple(self.write(operand, (row, column)) for operand in part.operands))

    def _leaf(self, part: Expression, index: Index) -> Expression:
        if not isinstance(part, Name) or part.text not in self.values:
            # digits of the formula itself, and π, stay as they are
            return part
        value = self.values[part.text]
        if not np.ndim(value):
            return Number(float(value))
        return Number(round_number(float(value[self._inside(part, index)]), self.decimals))

    def _inside(self, part: Expression, index: Index) -> Index:
        rows, columns = self.shape(part)
        return index[0] if rows > 1 else 0, index[1] if columns > 1 else 0

    def _collect(self, part: Apply, index: Index) -> Expression:
        [operand] = part.operands
        axes = OPERATIONS[part.operation].axes
        rows, columns = self.shape(operand)
        places = [
            (row, column)
            for row in (range(rows) if -2 in axes else [index[0]])
            for column in (range(columns) if -1 in axes else [index[1]])
        ]
        entries = [self.write(operand, place) for place in places]
        if part.operation.startswith("max"):
            return _join("max", entries)
        total = _join("add", entries)
        return Apply("divide", (total, Number(float(len(places))))) if part.operation.startswith("mean") else total


def _write_product(writer: _Writer, part: Apply, index: Index) -> Expression:
    left, right = part.operands
    return _join(
        "add",
        (
            Apply("scale", (writer.write(left, (index[0], inner)), writer.write(right, (inner, index[1]))))
            for inner in range(writer.shape(left)[1])
        ),
    )


def _write_transpose(writer: _Writer, part: Apply, index: Index) -> Expression:
    return writer.write(part.operands[0], index[::-1])


def _write_diagonal(writer: _Writer, part: Apply, index: Index) -> Expression:
    return writer.write(part.operands[0], (index[0], 0)) if index[0] == index[1] else ZERO


def _write_kron(writer: _Writer, part: Apply, index: Index) -> Expression:
    left, right = part.operands
    blocks = [divmod(place, length) for place, length in zip(index, writer.shape(right), strict=True)]
    factors = (writer.write(operand, (blocks[0][side], blocks[1][side])) for side, operand in enumerate((left, right)))
    return Apply("scale", tuple(factors))


def _write_row(writer: _Writer, part: Apply, index: Index, *, last: bool) -> Expression:
    [operand] = part.operands
    return writer.write(operand, (writer.shape(operand)[0] - 1 if last else 0, index[1]))


def _write_one(writer: _Writer, part: Apply, index: Index) -> Expression:
    return ONE


def _write_mark(writer: _Writer, part: Apply, index: Index) -> Expression:
    # a place in a row is no arithmetic of its entries
    marks = compile_formula(part, list(writer.values))(*writer.values.values())
    return Number(float(marks[index]))


_SPECIAL: Mapping[str, Callable[[_Writer, Apply, Index], Expression]] = {
    "product": _write_product,
    "transpose": _write_transpose,
    "diag": _write_diagonal,
    "kron": _write_kron,
    "first": partial(_write_row, last=False),
    "last": partial(_write_row, last=True),
    "ones": _write_one,
    "onehot": _write_mark,
}


def _join(operation: str, entries: Iterable[Expression]) -> Expression:
    return reduce(lambda left, right: Apply(operation, (left, right)), entries)


def round_number(value: float, decimals: int | None) -> float:
    """Round a number to decimals, and a small one to significant figures: three, or as many as there are decimals.

    Parameters
    ----------
    value : float
    decimals : int or None
        None leaves it as it is.

    Returns
    -------
    float
        Off by at most half a unit of the last decimal, and 0 only where the value is.
    """
    if decimals is None:
        return value
    significant = float(f"{value:.{min(max(decimals, 1), MOST_SIGNIFICANT) - 1}e}")
    # whichever is nearer; 0.0 also in place of -0.0
    return min(round(value, decimals), significant, key=lambda rounded: abs(rounded - value)) + 0.0
