"""What comes out of reading an answer: its numbers, or why and where it cannot be read."""

from dataclasses import dataclass
from typing import cast

from core.answers.assembly import Assembly, UnreadableError
from core.answers.text import assemble_text
from core.answers.values import assemble_value
from core.arrays import Array

MOST_NUMBERS = 100_000
"""The most numbers of one answer unless the caller says otherwise: about 2 MB of text at full precision."""


@dataclass(frozen=True, kw_only=True)
class ReadingFault:
    """Why and where an answer cannot be read.

    Parameters
    ----------
    row, column : int
        The place, counted from 1. In text, the line and the character. In a JSON value, the row of numbers
        and the entry in it; a single list is row 1, and in a stack of matrices the rows are counted on from
        one matrix to the next.
    message : str
        What was found and what was needed.
    """

    row: int
    column: int
    message: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """An answer as numbers, or the reason why it is none.

    Parameters
    ----------
    value : ndarray or None
        The numbers, of any rank from 0; they may be NaN or infinite. None where they cannot be read.
    reading : ReadingFault or None
        Set exactly where `value` is None.

    Raises
    ------
    ValueError
        If both `value` and `reading` are set, or neither.
    """

    value: Array | None
    reading: ReadingFault | None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reading is None):
            raise ValueError("an answer has either a value or the reason why it cannot be read")


def read_answer(raw: object, *, shape: tuple[int, ...] | None = None, most_numbers: int = MOST_NUMBERS) -> Answer:
    """Read an answer, whatever it is, without evaluating anything.

    Parameters
    ----------
    raw : object
        Text in one of `FORMS`, or else a number, a NumPy array, or lists of numbers, arrays and texts of one
        number each, nested up to 8 deep.
    shape : tuple of int, optional
        The shape of the quantity asked for. It decides where a text can be read in several ways, leading axes
        of one entry aside; an answer of another shape is read all the same.
    most_numbers : int
        How many numbers the answer may hold.

    Returns
    -------
    Answer
        The same for an array, its JSON text and its full print.
    """
    assembly = Assembly(most_numbers)
    try:
        if isinstance(raw, str):
            assemble_text(raw, assembly, shape)
        else:
            assemble_value(raw, assembly)
    except UnreadableError as error:
        row, column = cast("tuple[int, int]", error.place)  # a text turns indices into places itself
        return Answer(value=None, reading=ReadingFault(row=row, column=column, message=str(error)))
    return Answer(value=assembly.array(), reading=None)
