"""What every array of the core has to be: floating point, of a known rank, not empty, finite."""

import math
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from core.errors import DomainError, Path, ShapeError

Array: TypeAlias = npt.NDArray[np.float64]
"""An array of floating-point numbers. Verification alone passes complex ones through the same rules."""

Flags: TypeAlias = npt.NDArray[np.bool_]
"""An array of true and false."""

MAX_CACHED_INDICES = 4096
"""Indices of shapes up to so many entries an axis, all axes together, are kept for the next time."""

MIN_ENTRIES_TO_SQUARE = 256
"""From here on a pass over an array takes longer than the calls around it."""

AXES_IN_WORDS = {0: "a number", 1: "a list of numbers", 2: "a list of rows of numbers"}


def require_array(array: object, n_axes: int, name: str, *, kind: str = "f", path: Path = ()) -> None:
    """Check an array's type, rank, extent and numbers.

    Parameters
    ----------
    array : ndarray
        What was handed in.
    n_axes : int
        The number of axes it must have.
    name : str
        What the array is, for the message.
    kind : str
        NumPy's letter for the kind of number needed: ``"f"`` floating point, ``"i"`` integer.
    path : tuple
        Where the array is, for the error.

    Raises
    ------
    ShapeError
        If the rank is another one, or an axis is empty.
    DomainError
        If the numbers are of another kind, or not all finite.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != kind:
        found = getattr(array, "dtype", type(array).__name__)
        needed = {"f": "floating-point", "i": "integer"}[kind]
        raise DomainError(f"{name}: found {found}, needed a NumPy array of {needed} numbers", path=path)
    if array.ndim != n_axes:
        found = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
        raise ShapeError(f"{name}: found {found}, needed {n_axes}: {AXES_IN_WORDS[n_axes]}", path=path)
    if array.size == 0:
        raise ShapeError(f"{name}: found shape {array.shape}; every axis needs at least one entry", path=path)
    require_finite_entries(array, name, path=path)


def require_finite_entries(array: npt.NDArray[Any], name: str, *, path: Path = ()) -> None:
    """Check that no entry is NaN or infinite.

    Raises
    ------
    DomainError
        If one is; the error's path ends with the first such entry's index.
    """
    if not is_finite(array):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DomainError(
            f"{name}: every number must be finite, for sums and products with it to be", path=path + index
        )


def is_finite(array: npt.NDArray[Any]) -> bool:
    """Tell whether no entry is NaN or infinite.

    Parameters
    ----------
    array : ndarray, any shape and kind of number

    Returns
    -------
    bool

    Notes
    -----
    A sum of squares that is finite has finite terms, and takes one pass where ``isfinite`` and a search take two;
    it is not finite for large numbers either, which are then looked at one by one. Of few entries it is not taken:
    it releases the GIL each time, and a thread that does so every other microsecond starves those that wait.
    """
    if array.size >= MIN_ENTRIES_TO_SQUARE and array.dtype.kind == "f":
        entries = array.ravel(order="K")
        # of NumPy's products this one gives no warning
        if math.isfinite(np.vdot(entries, entries)):
            return True
    # a search of bytes takes a quarter of the time of ``all()`` where entries are few
    return 0 not in np.isfinite(array).tobytes()


def along_last(array: npt.NDArray[Any], columns: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the index of one entry in each row: that of ``take_along_axis``, in a fifth of its time.

    Parameters
    ----------
    array : ndarray, shape (..., n_columns)
        What is indexed.
    columns : ndarray of int, shape (..., 1)
        Where the entries stand; the leading axes broadcast against the array's.

    Returns
    -------
    tuple of ndarray
    """
    shape = (*array.shape[:-1], 1)
    return (*(_few_indices if sum(shape) <= MAX_CACHED_INDICES else _indices)(shape)[:-1], columns)


def _indices(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], ...]:
    return tuple(np.ogrid[tuple(slice(n) for n in shape)])


_few_indices = lru_cache(maxsize=64)(_indices)


def range_of(dtype: np.dtype[Any]) -> str:
    """Say how far numbers of a type reach: ``"float64, whose largest number is about 1.8e308"``."""
    return f"{dtype}, whose largest number is about {np.finfo(dtype).max:.1e}".replace("+", "")


def as_index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of an array's entry from its position in memory order."""
    return tuple(int(i) for i in np.unravel_index(flat, shape))
