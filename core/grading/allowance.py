"""How far an answer may lie off: each entry by its own digits, by what is on the way, or as stated.

An entry may lie off by its own rounding, and by what rounding every number on the way adds up to in it, which
follows from the table of steps (`Scenarios.rounding_bound`). An entry with more than six decimals comes from a
machine, in single precision or by finite differences perhaps.
"""

from dataclasses import dataclass, replace

import numpy as np

from core.answers import DECIMALS_OF_ZERO, Counts, count_decimals
from core.arrays import Array, Flags
from core.grading.precision import MACHINE_NOISE, MACHINE_RELATIVE, Precision, fewest_decimals, own_rounding, unit_of
from core.grading.shapes import fit_shape
from core.grading.tolerance import Tolerance, UsedTolerance

FEWEST_DECIMALS = 2
"""The fewest decimals that an answer is read with where none are asked."""

MOST_BY_HAND = 6
"""An entry with more decimals than this comes from a machine."""

HALF_UNIT = 0.5 + 1e-9
"""Half a unit of the last decimal, and the last digit of the comparison."""

SINGLE_PRECISION = 2.0**-24
"""What single precision rounds a number by, as a part of it."""

FLOAT_SLACK = 8 * float(np.finfo(np.float64).eps)
"""The slack at the edge of a stated tolerance: the difference itself is rounded."""

FEW_UNITS = 10.0
"""Numbers of at most so many units of the last decimal say little of where they come from."""

LARGEST_GROWTH = 1e3
"""Rounding grows with the numbers: a wrong answer a hundred times too large is off by a hundred times more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowance:
    """How far one answer may lie off.

    Parameters
    ----------
    limits : ndarray
        The largest difference of each entry from the truth; one number where the shapes differ.
    own : ndarray
        Each entry's own rounding, flat, in the answer's order.
    beyond : float
        What is allowed beside that, at most.
    units : ndarray
        Of each entry the difference below which two numbers are written alike, flat, in the answer's order.
    finest : float
        The smallest difference that says anything: a unit of the last decimal that any entry is read with.
    largest : float
        The truth's largest entry.
    used : UsedTolerance
        For the reply.
    decimals : int or None
        The most decimals of any entry, where one has fewer than it needs; None where all have enough.
    is_coarse : bool
        Whether with the decimals that were asked a trivial answer would pass, so that more are needed.
    """

    limits: Array
    own: Array
    beyond: float
    units: Array
    finest: float
    largest: float
    used: UsedTolerance
    decimals: int | None = None
    is_coarse: bool = False

    @property
    def allowed(self) -> float:
        """The largest of the limits."""
        return float(self.limits.max())

    def limits_for(self, rows: Array, n_entries: int | None = None) -> Array:
        """Return how far an answer may lie off other values than the truth.

        Parameters
        ----------
        rows : ndarray, shape (n, size)
            Values, one a row.
        n_entries : int, optional
            How many of the answer's entries are asked about, from the first; by default all.

        Returns
        -------
        ndarray, shape (n, n_entries)
        """
        largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
        return np.asarray(self.own[:n_entries] + self.beyond * growth(largest, self.largest)[:, None])

    def lets_pass(self, answer: Array, value: Array) -> bool:
        """Tell whether an answer is another value than the truth, as far as it may lie off that.

        Parameters
        ----------
        answer, value : ndarray
            Of one shape.
        """
        row = value.reshape(1, -1)
        return bool((np.abs(answer.ravel() - row) <= self.limits_for(row)).all())

    def says_little(self, answer: Array) -> bool:
        """Tell whether an answer's numbers are so small that many wrong ways lead to them."""
        return bool(np.abs(answer).max() <= FEW_UNITS * self.finest)

    def is_rounded(self, answer: Array, truth: Array) -> bool:
        """Tell whether an answer is the truth, correctly rounded.

        Parameters
        ----------
        answer, truth : ndarray
            Of one shape.
        """
        with np.errstate(over="ignore"):
            is_single = answer.astype(np.float32) == answer
        slack = np.where(is_single, SINGLE_PRECISION * np.abs(answer), 0.0)
        return bool((np.abs(answer - truth) <= HALF_UNIT * self.units.reshape(answer.shape) + slack).all())

    def is_cut_off(self, answer: Array, truth: Array) -> bool:
        """Tell whether an answer is the truth with its further digits cut off, and not rounded.

        Parameters
        ----------
        answer, truth : ndarray
            Of one shape.
        """
        units, missing = self.units.reshape(answer.shape), np.abs(truth) - np.abs(answer)
        is_cut = (missing >= -FLOAT_SLACK * np.abs(truth)) & (missing < units) & (answer * truth >= 0)
        # of single digits and zeros too many would be cut off from something
        is_written = np.abs(answer) >= 10.0 * units
        return bool(is_cut.all() and (missing > HALF_UNIT * units).any() and is_written.any())


def growth(sizes: Array, largest: float) -> Array:
    """Return by how much further than the truth other values may lie off, because rounding grows with them.

    Parameters
    ----------
    sizes : ndarray
        The values' largest entries.
    largest : float
        The truth's.
    """
    return np.asarray(np.clip(sizes / (largest or 1.0), 1.0, LARGEST_GROWTH))


def allow(
    precision: Precision, answer: Array, tolerance: Tolerance | None, decimals: int | None, *, may_widen: bool = True
) -> Allowance:
    """Find how far an answer may lie off.

    Parameters
    ----------
    precision : Precision
        Of the quantity.
    tolerance : Tolerance or None
        As given; None where it follows from the answer.
    decimals : int or None
        Those that the question asks for.
    may_widen : bool
        Whether the tolerance counts where it is wider than what follows from the answer.
    """
    if tolerance is None:
        return _by_digits(precision, answer, decimals)
    if tolerance.decimals is not None:
        found = _by_digits(precision, answer, tolerance.decimals, is_stated=True)
    else:
        found = _as_stated(precision, answer, tolerance)
    return found if may_widen else _narrower(found, _by_digits(precision, answer, decimals))


def _narrower(asked: Allowance, default: Allowance) -> Allowance:
    limits = np.minimum(asked.limits, default.limits)
    return replace(
        asked,
        limits=limits,
        own=np.minimum(asked.own, default.own),
        beyond=min(asked.beyond, default.beyond),
        units=np.minimum(asked.units, default.units),
        finest=min(asked.finest, default.finest),
        # which of them it is depends on the truth, so the reply says what was asked
        used=replace(asked.used, allowed=float(limits.max())),
    )


def _by_digits(precision: Precision, answer: Array, asked: int | None, *, is_stated: bool = False) -> Allowance:
    fitting = fit_shape(answer, precision.truth.shape)
    numbers = answer if fitting is None else fitting
    fewest = FEWEST_DECIMALS if asked is None else asked
    raised = precision.raise_decimals(fewest)
    counts = count_decimals(numbers)
    read = np.full(counts.shape, raised)
    if asked is None:
        # a 0 has no digits to say how it is rounded: it is read like the entries beside it
        counts = np.where(counts == DECIMALS_OF_ZERO, counts.max(), counts)
        read = np.maximum(read, np.minimum(counts, MOST_BY_HAND))
    needed, is_machine = fewest_decimals(numbers, read), counts > MOST_BY_HAND
    digits = np.maximum(counts, needed)
    own, unit = own_rounding(digits), unit_of(digits)
    if fitting is None:
        beyond = np.array(precision.beyond(int(read.min())).max())
    else:
        # decimals that are the tolerance hold for what a machine has calculated from them as well, and are not widened
        beyond = precision.by_hand(raised) if is_stated else _beyond(precision, read, is_machine)
    limits = own + beyond
    return Allowance(
        limits=limits,
        own=own.ravel(),
        beyond=float(beyond.max()),
        units=np.where(is_machine, np.maximum(unit, precision.noise), unit).ravel(),
        finest=precision.noise if is_machine.any() else float(unit_of(np.maximum(counts, read)).min()),
        largest=precision.largest,
        used=_describe(None if is_stated else counts, asked, float(limits.max())),
        decimals=max(0, int(counts.max())) if (counts < needed).any() else None,
        is_coarse=raised > fewest,
    )


def _beyond(precision: Precision, read: Counts, is_machine: Flags) -> Array:
    """Return what is allowed beside each entry's own rounding, by the decimals that it is read with."""
    beyond = precision.beyond(None).copy()
    for decimals in np.unique(read[~is_machine]).tolist():
        chosen = (read == decimals) & ~is_machine
        beyond[chosen] = precision.beyond(decimals)[chosen]
    return beyond


def _describe(counts: Counts | None, asked: int | None, allowed: float) -> UsedTolerance:
    most = 0 if counts is None else int(counts.max())
    if most > MOST_BY_HAND:
        return UsedTolerance(relative=MACHINE_RELATIVE, absolute=0.0, allowed=allowed)
    return UsedTolerance(decimals=max(FEWEST_DECIMALS, most) if asked is None else asked, allowed=allowed)


def _as_stated(precision: Precision, answer: Array, tolerance: Tolerance) -> Allowance:
    relative, absolute = tolerance.relative or 0.0, tolerance.absolute or 0.0
    truth, noise = precision.truth, precision.noise
    fitting = fit_shape(answer, truth.shape)
    allowed = relative * precision.largest + absolute
    # a part of 0 is 0, but float noise is no error
    limits = np.where(precision.is_zero, max(allowed, min(noise, relative / MACHINE_NOISE * noise)), allowed)
    if fitting is not None:
        limits = limits + FLOAT_SLACK * np.maximum(np.abs(truth), np.abs(fitting))
    beyond = float(limits.max())
    return Allowance(
        limits=limits if fitting is not None else np.array(beyond),
        own=np.zeros(answer.size),
        beyond=beyond,
        units=np.full(answer.size, min(beyond, noise)),
        finest=min(beyond, noise),
        largest=precision.largest,
        used=UsedTolerance(relative=relative, absolute=absolute, allowed=beyond),
    )
