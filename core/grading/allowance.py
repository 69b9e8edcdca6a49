"""How far an answer may lie off: it belongs to the quantity, and to how the answer is written.

Somebody who works by hand and rounds every number to d decimals ends up to k_q · 10⁻ᵈ off, where k_q
follows from the table of steps (`Scenarios.spread`). An answer with more than six decimals comes from a
machine, in single precision or by finite differences perhaps.
"""

from dataclasses import dataclass, replace

import numpy as np

from core.answers import Answer
from core.arrays import Array
from core.grading.grade import UsedTolerance
from core.grading.submission import MACHINE_RELATIVE, MOST_DECIMALS, Tolerance

MOST_BY_HAND = 6
"""An answer with more decimals than this comes from a machine."""

MACHINE_NOISE = 1e-6
"""Below this part of the largest entry an answer by machine says no more which of two numbers it is."""

NOTHING = 1e-15
"""A truth smaller than this, in the units of its spread, is 0 but for float64's own rounding."""

SINGLE_PRECISION = 1e7
"""Numbers with more digits than this are not printed by hand, and single precision does not hold them."""

LARGEST_RATIO = 1e3
"""Rounding grows with the numbers: a wrong answer a hundred times too large is off by a hundred times more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How far one answer may lie off.

    Parameters
    ----------
    allowed : float
        The largest difference of a right answer.
    unit : float
        The difference below which two numbers are written alike: a unit of the last decimal.
    largest : float
        The truth's largest entry.
    used : UsedTolerance
        For the reply.
    is_coarse : bool
        Whether with the decimals that it has a trivial answer would pass, so that more are needed.
    """

    allowed: float
    unit: float
    largest: float
    used: UsedTolerance
    is_coarse: bool = False

    def allowed_for(self, value: Array) -> float:
        """Return how far an answer may lie off another value than the truth.

        Parameters
        ----------
        value : ndarray

        Returns
        -------
        float
        """
        return self.allowed * float(growth(np.abs(value).max(), self.largest))


def growth(sizes: Array, largest: float) -> Array:
    """Return by how much further than the truth other values may lie off, because rounding grows with them.

    Parameters
    ----------
    sizes : ndarray
        The values' largest entries.
    largest : float
        The truth's.

    Returns
    -------
    ndarray
    """
    return np.asarray(np.clip(sizes / (largest or 1.0), 1.0, LARGEST_RATIO))


def allow(
    truth: Array,
    spread: float,
    answer: Answer,
    tolerance: Tolerance | None,
    decimals: int,
    *,
    may_widen: bool = True,
) -> Allowance:
    """Find how far an answer may lie off.

    Parameters
    ----------
    truth : ndarray
    spread : float
        k_q: the largest error of careful work, in units of the last decimal.
    answer : Answer
    tolerance : Tolerance or None
        As given; None where it follows from the answer.
    decimals : int
        The fewest to read the answer with.
    may_widen : bool
        Whether the tolerance counts where it is wider than what follows from the answer.

    Returns
    -------
    Allowance
    """
    if tolerance is not None and not may_widen:
        asked, default = (allow(truth, spread, answer, given, decimals) for given in (tolerance, None))
        narrower = min(asked, default, key=lambda allowance: allowance.allowed)
        # which of them it is depends on the truth, so the reply says what was asked
        used = replace(asked.used, allowed=narrower.allowed)
        # a larger unit would tell fewer mistakes from the truth
        return replace(narrower, unit=min(asked.unit, default.unit), used=used)
    largest = float(np.abs(truth).max())
    if largest <= NOTHING * spread:
        largest = 0.0
    if tolerance is not None and tolerance.decimals is not None:
        return _by_hand(truth, largest, spread, answer, tolerance.decimals)
    if tolerance is not None:
        relative, absolute = tolerance.relative or 0.0, tolerance.absolute or 0.0
        used = UsedTolerance(relative=relative, absolute=absolute, allowed=relative * largest + absolute)
        allowed = relative * largest + absolute
        return Allowance(allowed=allowed, unit=min(allowed, MACHINE_NOISE * largest), largest=largest, used=used)
    if answer.decimals is None or answer.decimals > MOST_BY_HAND:
        # a part of 0 is nothing, but what single precision adds up to 0 is not
        noise = MACHINE_NOISE * largest if largest else spread * 10.0 ** -(MOST_BY_HAND + 1)
        allowed = max(MACHINE_RELATIVE * largest, noise)
        used = UsedTolerance(relative=MACHINE_RELATIVE, absolute=0.0, allowed=allowed)
        return Allowance(allowed=allowed, unit=noise, largest=largest, used=used)
    return _by_hand(truth, largest, spread, answer, max(answer.decimals, decimals))


def _by_hand(truth: Array, largest: float, spread: float, answer: Answer, decimals: int) -> Allowance:
    needed = decimals
    while needed < MOST_DECIMALS and _lets_trivial_pass(truth, largest, spread * 10.0**-needed):
        needed += 1
    allowed = spread * 10.0**-needed
    if largest * 10.0**needed >= SINGLE_PRECISION:
        # more digits than single precision has
        allowed = max(allowed, MACHINE_NOISE * largest)
    return Allowance(
        allowed=allowed,
        unit=10.0 ** -max(needed, answer.decimals or 0),
        largest=largest,
        used=UsedTolerance(decimals=decimals, allowed=allowed),
        is_coarse=needed > decimals,
    )


def _lets_trivial_pass(truth: Array, largest: float, allowed: float) -> bool:
    if largest == 0.0:
        return False
    # a truth that is itself constant, but for the last digits, lets constants pass
    span = float(truth.max() - truth.min())
    return largest <= allowed or MACHINE_NOISE * largest < span <= 2.0 * allowed
