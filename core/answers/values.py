"""JSON values as answers: a number, or lists of numbers."""

import math

from core.answers.assembly import Assembly, Place, UnreadableError


def assemble_value(raw: object, assembly: Assembly) -> None:
    """Put a JSON value's numbers into an array's assembly.

    Parameters
    ----------
    raw : object
        Any JSON value but text.
    assembly : Assembly
        Where the numbers go.

    Raises
    ------
    UnreadableError
        If it holds anything but numbers in lists of equal length; the place is the row and the entry in it.
    """
    _Walk(assembly).enter(raw, (1, 1))


class _Walk:
    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._row = 1

    def enter(self, value: object, place: Place) -> None:
        if isinstance(value, list):
            self._assembly.open(place)
            self._enter_list(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self._assembly.add(_as_float(value), place)
        else:
            raise UnreadableError(place, f"found {_kind(value)}; needed a number")

    def _enter_list(self, entries: list[object]) -> None:
        holds_lists = False
        for column, entry in enumerate(entries, start=1):
            # after a list comes a new row, whatever stands there
            self.enter(entry, (self._row, 1 if holds_lists else column))
            holds_lists = isinstance(entry, list)
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
    kinds: dict[type, str] = {bool: "true or false", str: "text inside the array", dict: "an object"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "something that is not JSON")
