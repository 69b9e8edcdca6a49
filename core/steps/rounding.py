"""Rounding to decimals, as work by hand does with every number that it writes down."""

from dataclasses import dataclass

import numpy as np

from core.arrays import Array

MAX_BOUND_UNITS = 100.0
"""The largest error that is followed, in units: beyond it, two decimals are lost and a bound says little."""

EXACT_WITHIN_UNITS = 1e-9
"""How far a number may lie off one with the decimals kept and still be it, in units: float64's own rounding."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """Rounding to a number of decimals.

    Parameters
    ----------
    decimals : int
    """

    decimals: int

    @property
    def unit(self) -> float:
        """A unit of the last decimal."""
        return float(10.0**-self.decimals)

    def of(self, value: Array, error: Array | float = 0.0) -> Array:
        """Bound what writing numbers down adds to their error: half a unit.

        Parameters
        ----------
        value, error : ndarray
            The exact numbers, and how far those that are written down may lie off them.

        Returns
        -------
        ndarray
            It broadcasts against the numbers; 0 for an exact one that the decimals write in full.
        """
        if np.count_nonzero(error) == np.size(error):
            return np.asarray(0.5 * self.unit)
        has_none = np.asarray(error) == 0
        units = np.abs(value) / self.unit
        is_exact = np.abs(units - np.rint(units)) <= EXACT_WITHIN_UNITS + 1e-15 * units
        return np.where(is_exact & has_none, 0.0, 0.5 * self.unit)

    def cap(self, error: Array) -> Array:
        """Return errors without those that are too large to follow."""
        largest = MAX_BOUND_UNITS * self.unit
        # fmin takes the number of the two where the other is none
        return np.asarray(np.fmin(error, largest))
