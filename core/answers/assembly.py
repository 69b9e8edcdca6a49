"""Numbers on their way to an array: counted as they come in, and kept to one shape."""

from typing import TypeAlias

import numpy as np

from core.arrays import Array

Place: TypeAlias = tuple[int, int] | int
"""Row and column, counted from 1; in a text that is being read, the index of a character."""

MOST_AXES = 8
"""How deep the lists of an answer may be nested."""


class UnreadableError(Exception):
    """An answer cannot be read; caught where answers are read, it never leaves this package.

    Parameters
    ----------
    place : tuple of int, or int
        Row and column of what cannot be read, or its index in a text.
    message : str
        What was found and what was needed.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class Assembly:
    """An array being put together from numbers and brackets in reading order.

    Parameters
    ----------
    most_numbers : int
        How many numbers it may hold.
    """

    def __init__(self, most_numbers: int) -> None:
        self.most_numbers = most_numbers
        self._numbers: list[float] = []
        self._counts: list[int] = []  # entries so far of each open list, the outermost first
        self._extents: list[int] = []  # length of the lists at each depth, 0 until the first is closed
        self._rank: int | None = None  # how deep the numbers stand, once there is one

    def open(self, place: Place) -> None:
        """Begin a list.

        Raises
        ------
        UnreadableError
            If a number is needed here, or lists are nested too deep.
        """
        depth = len(self._counts)
        if depth == self._rank:
            raise mixed_list(place)
        if depth == MOST_AXES:
            raise too_deep(place)
        self._count(place)
        self._counts.append(0)
        if depth == len(self._extents):
            self._extents.append(0)

    def add(self, number: float, place: Place) -> None:
        """Put in the next number.

        Raises
        ------
        UnreadableError
            If a list is needed here, or there is no room.
        """
        if self._rank is None:
            self._rank = len(self._counts)
        if len(self._counts) != self._rank:
            raise mixed_number(place)
        if len(self._numbers) >= self.most_numbers:
            raise too_many(place, self.most_numbers)
        self._count(place)
        self._numbers.append(number)

    def close(self, place: Place) -> None:
        """End the list that was begun last.

        Raises
        ------
        UnreadableError
            If it is empty, or shorter than those before it.
        """
        count = self._counts.pop()
        needed = self._extents[len(self._counts)]
        if count == 0:
            raise UnreadableError(place, "found an empty list; needed at least one number in it")
        if count < needed:
            raise UnreadableError(
                place,
                f"found a list of length {count}; needed length {needed}, as those before it",
            )
        self._extents[len(self._counts)] = count

    def array(self) -> Array:
        """Return the numbers in their shape, once every list is closed."""
        return np.array(self._numbers, dtype=np.float64).reshape(self._extents)

    def _count(self, place: Place) -> None:
        if not self._counts:
            return
        self._counts[-1] += 1
        needed = self._extents[len(self._counts) - 1]
        if needed and self._counts[-1] > needed:
            raise UnreadableError(place, f"found a list that is too long; needed length {needed}, as those before it")


def mixed_list(place: Place) -> UnreadableError:
    """Return the error of a list among numbers."""
    return UnreadableError(
        place, "found a list where its neighbours are numbers; needed only numbers, or only lists, in one list"
    )


def mixed_number(place: Place) -> UnreadableError:
    """Return the error of a number among lists."""
    return UnreadableError(
        place, "found a number where its neighbours are lists; needed only numbers, or only lists, in one list"
    )


def too_deep(place: Place) -> UnreadableError:
    """Return the error of nesting that no array needs."""
    return UnreadableError(place, f"found more than {MOST_AXES} brackets inside each other; needed at most that many")


def too_many(place: Place, most_numbers: int) -> UnreadableError:
    """Return the error of an answer over its limit."""
    return UnreadableError(place, f"found more than {most_numbers} numbers; needed at most that many")
