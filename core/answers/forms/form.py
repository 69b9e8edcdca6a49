"""What a form of text is: what its tool adds to the numbers, and examples of it."""

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Numbers: TypeAlias = float | tuple["Numbers", ...]
"""A number, or lists of numbers as tuples."""

MEANINGS = {
    " ": "a blank",
    ";": "the end of a row",
    "|": "the gap between two cells of a row",
    "-": "a minus sign",
    "around": "the begin of something around one array, up to >",
    "table": "the begin of rows in which a line break is a blank",
    "/table": "the end of those",
    "vector": "a blank; all numbers are one list, in however many lines",
    "columns": "the begin of further columns of the rows above",
    "wrapped": "a line end; after each empty line there are further columns of the rows above",
    "factor": "a power of ten that all numbers below are to be multiplied by",
    "counter": "a blank; the line goes on with the list above",
    "names": "names of columns",
    "header": "the name of one column, inside a table",
    "name": "the name of the answer",
    "input": "what was typed before the answer was printed",
}
"""What a piece of text can be read as."""


class Rewrite(NamedTuple):
    """A piece of text that a tool adds, and what it is read as.

    Parameters
    ----------
    pattern : str
        A regular expression for plain text, matched without regard to case; it matches at least one character.
    meaning : str
        One of `MEANINGS`.
    """

    pattern: str
    meaning: str = " "


class Example(NamedTuple):
    """A text of a form, and what it means."""

    text: str
    numbers: Numbers


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way in which people write or programs print arrays.

    Parameters
    ----------
    title : str
        What writes like this, in a line.
    examples : tuple of Example
        At least one.
    starts : tuple of Rewrite, optional
        What stands at the beginning of a line that is not inside brackets, after blanks.
    pieces : tuple of Rewrite, optional
        What stands anywhere.
    wrappers : tuple of str, optional
        Names in front of round brackets with one array in them, without a module.
    modules : tuple of str, optional
        What may stand before a wrapper's name, and a dot.

    Raises
    ------
    ValueError
        If there is no example, or a pattern matches nothing at all or has no known meaning.
    """

    name: str
    title: str
    examples: tuple[Example, ...]
    starts: tuple[Rewrite, ...] = ()
    pieces: tuple[Rewrite, ...] = ()
    wrappers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.examples:
            raise ValueError(f"the form {self.name} needs an example")
        for pattern, meaning in (*self.starts, *self.pieces):
            if meaning not in MEANINGS:
                raise ValueError(f"the form {self.name} has a piece of unknown meaning")
            if re.match(pattern, "", re.IGNORECASE):
                raise ValueError(f"the form {self.name} has a pattern that matches nothing at all")
