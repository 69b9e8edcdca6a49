"""JSON values and NumPy arrays as answers: a number, or lists of numbers."""

import math

import numpy as np

from core.answers.assembly import Assembly, Place, UnreadableError, too_many
from core.answers.text import assemble_text


def assemble_value(raw: object, assembly: Assembly) -> None:
    """Put a value's numbers into an array's assembly.

    Parameters
    ----------
    raw : object
        Any JSON value but text, or what NumPy has in place of it.
    assembly : Assembly
        Where the numbers go.

    Raises
    ------
    UnreadableError
        If it holds anything but numbers, or texts of one number, in lists of equal length; the place is the
        row and the entry in it.
    """
    _Walk(assembly).enter(raw, (1, 1))


class _Walk:
    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._row = 1

    def enter(self, value: object, place: Place) -> None:
        if isinstance(value, (np.ndarray, np.generic)):
            value = self._from_numpy(value, place)
        if isinstance(value, list):
            self._assembly.open(place)
            self._enter_list(value)
        elif isinstance(value, str):
            self._assembly.add(self._read_text(value, place), place)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self._assembly.add(_as_float(value), place)
        else:
            raise UnreadableError(place, f"found {_kind(value)}; needed a number")

    def _from_numpy(
        self, value: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | np.generic, place: Place
    ) -> object:
        if value.size > self._assembly.most_numbers:
            raise too_many(place, self._assembly.most_numbers)
        # a float32 is the float64 that it is, and a longdouble the one nearest to it
        return (value.astype(np.float64) if value.dtype.kind in "fiu" else value).tolist()

    def _read_text(self, text: str, place: Place) -> float:
        assembly = Assembly(self._assembly.most_numbers)
        try:
            assemble_text(text, assembly, shape=())
        except UnreadableError as error:
            raise UnreadableError(place, f"{error}, in the text of this entry") from None
        numbers = assembly.array()
        if numbers.size != 1:
            raise UnreadableError(place, f"found {numbers.size} numbers in the text of one entry; needed one")
        return float(numbers.item())

    def _enter_list(self, entries: list[object]) -> None:
        holds_lists = False
        for column, entry in enumerate(entries, start=1):
            # after a list comes a new row, whatever stands there
            self.enter(entry, (self._row, 1 if holds_lists else column))
            holds_lists = isinstance(entry, list) or (isinstance(entry, np.ndarray) and entry.ndim > 0)
        self._assembly.close((self._row, 1 if holds_lists else len(entries) + 1))
        self._row += not holds_lists


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # as 1e400 does in JSON
        return math.inf if number > 0 else -math.inf


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds: dict[type, str] = {bool: "true or false", complex: "a complex number", dict: "an object"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "something that is not JSON")
