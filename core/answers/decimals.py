"""How many decimals a number has in its shortest form, which tells how far it is rounded."""

import numpy as np
import numpy.typing as npt

from core.arrays import Array

Counts = npt.NDArray[np.int64]

DECIMALS_OF_ZERO = -400
"""The decimals of 0, fewer than any float64 has: its digits say nothing of rounding."""


def count_decimals(numbers: Array) -> Counts:
    """Count each number's decimals: 3 for 12.345, 0 for 12, -1 for 12350.

    Parameters
    ----------
    numbers : ndarray, any shape

    Returns
    -------
    ndarray of int, same shape
        `DECIMALS_OF_ZERO` for 0, and for what is no finite number.

    Notes
    -----
    The shortest form is the one with the fewest digits that names no other number. A number that is exactly one of
    single precision names no other one of those: 0.1 in single precision, 0.10000000149011612, has one decimal.
    """
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32)
    has_digits = np.isfinite(numbers) & (numbers != 0)
    counts = np.full(numbers.shape, DECIMALS_OF_ZERO, dtype=np.int64)
    is_single = single == numbers
    counts[has_digits & is_single] = [_count(str(number)) for number in single[has_digits & is_single]]
    counts[has_digits & ~is_single] = [_count(repr(number)) for number in numbers[has_digits & ~is_single].tolist()]
    return counts


def _count(form: str) -> int:
    mantissa, _, exponent = form.partition("e")
    whole, _, fraction = mantissa.partition(".")
    # "150.0" has a zero behind the point, and one before it that is no digit either
    digits = fraction.rstrip("0")
    return (len(digits) or len(whole.rstrip("0")) - len(whole)) - int(exponent or 0)
