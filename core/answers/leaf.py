"""The numbers of one list of a text, with what stands between them."""

from array import array
from dataclasses import dataclass, field, replace
from typing import Literal

BLANK, COMMA, TIGHT, CELL = 0, 1, 2, 3
LINE, SEMICOLON, EMPTY, COLUMNS = 4, 8, 16, 32
"""What stands before a number: one of the first line, or any of the second together."""

Breaks = Literal["rows", "table", "blanks", "either"]
"""What line breaks are: the ends of rows, blanks between rows or entries, or what the shape says."""


@dataclass(kw_only=True, slots=True)
class Leaf:
    """Numbers with nothing but separators between them, as they come in.

    Parameters
    ----------
    is_list : bool
        Whether brackets say that even one number is a list.
    start, end : int
        Where it begins, and where an entry would stand that is missing at its end.
    shift : int
        The powers of ten that stand above all of them.
    n_names : int
        How many names of columns stand above them.
    is_vector, is_wrapped : bool
        Whether a print says that they are one list, or that rows go on below.
    ends_line : bool
        Whether a line break follows them.
    has_decimal_commas : bool
        Whether they are written so.
    """

    breaks: Breaks
    is_list: bool
    start: int
    end: int
    values: "array[float]" = field(default_factory=lambda: array("d"))
    spans: "array[int]" = field(default_factory=lambda: array("q"))  # start and end of each number, in turn
    gaps: bytearray = field(default_factory=bytearray)
    shift: int = 0
    n_names: int = 0
    is_vector: bool = False
    is_wrapped: bool = False
    ends_line: bool = False
    has_decimal_commas: bool = False

    def add(self, value: float, start: int, end: int, gap: int) -> None:
        """Take the next number."""
        self.values.append(value)
        self.spans.append(start)
        self.spans.append(end)
        self.gaps.append(gap)

    def start_of(self, index: int) -> int:
        """Return where a number begins in the text."""
        return self.spans[2 * index]

    def end_of(self, index: int) -> int:
        """Return where a number ends in the text."""
        return self.spans[2 * index + 1]

    def copy(self, leaf: "Leaf", index: int) -> None:
        """Take another list's number."""
        self.add(leaf.values[index], leaf.start_of(index), leaf.end_of(index), leaf.gaps[index])

    def with_decimal_commas(self) -> "Leaf":
        """Return the same list, empty, for numbers with decimal commas."""
        return replace(
            self,
            values=array("d"),
            spans=array("q"),
            gaps=bytearray(),
            has_decimal_commas=True,
        )
