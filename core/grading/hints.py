"""What holds for a right answer whatever its numbers: hints that give nothing away.

A hint follows from the answer, from how it is written, from what was asked and from the problem's form. Of the
truth nothing enters: how far an entry may lie off depends on its size, and a hint that came or not by that would
tell of it.
"""

import numpy as np

from core.arrays import Array
from core.errors import counted
from core.grading.allowance import FEW_UNITS
from core.grading.tolerance import UsedTolerance
from core.invariants import invariants_of
from core.problem import Problem
from core.quantities import Quantity

TOO_SMALL = "Your numbers are too small for this many decimals to show anything. Give more decimals."

TOO_NEAR = "Your numbers are too near to each other for this many decimals to tell them apart. Give more decimals."

TOO_FEW_DECIMALS = (
    "Your numbers have {found}, zeros at the end not counted. Give {needed} unless the numbers end there: with fewer, "
    "right numbers may count as wrong."
)

NOT_ROUNDED = "Your last digits are cut off. Round them: the last digit goes up where the next one is 5 or more."

FEW_APART = 4.0
"""Units of the last decimal: with entries so near to each other an answer says little."""


def find_hints(
    problem: Problem, quantity: Quantity, answer: Array, decimals: int | None, used: UsedTolerance
) -> tuple[str, ...]:
    """List what an answer lacks that a right one has: the decimals asked for, the quantity's properties, digits.

    Parameters
    ----------
    answer : ndarray
        In the quantity's shape.
    decimals : int or None
        Those that it is written with.
    used : UsedTolerance
        How it is read.
    """
    rounding = _rounding(answer, used)
    missed = [
        f"Check: {invariant.state(problem)}. {invariant.denial}"
        for invariant in invariants_of(problem, quantity)
        if invariant.residual(answer).max() > invariant.terms(problem, answer) * rounding
    ]
    digits = _miss_digits(answer, used)
    # whole numbers are exact more often than they are rounded; 0.5 everywhere may have been written as 0.50
    if decimals and not digits and used.decimals is not None and decimals < used.decimals:
        return (
            TOO_FEW_DECIMALS.format(found=counted(decimals, "decimal"), needed=counted(used.decimals, "decimal")),
            *missed,
        )
    return (*missed, *digits)


def _rounding(answer: Array, used: UsedTolerance) -> float:
    if used.decimals is not None:
        return 10.0**-used.decimals
    return float((used.relative or 0.0) * np.abs(answer).max() + (used.absolute or 0.0))


def _miss_digits(answer: Array, used: UsedTolerance) -> tuple[str, ...]:
    if used.decimals is None:
        return ()
    unit = 10.0**-used.decimals
    if np.abs(answer).max() <= FEW_UNITS * unit:
        return (TOO_SMALL,)
    return (TOO_NEAR,) if answer.size > 1 and np.ptp(answer) <= FEW_APART * unit else ()
